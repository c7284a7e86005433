#!/usr/bin/env python3
"""Every crate that is built into Baleen has a licence that fits "MIT OR Apache-2.0".

Advisories are not checked: their database can't be had without the network at large.
"""
import json
import re
import subprocess
import sys

FITS = {
    "MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC",
    "Zlib", "Unlicense", "CC0-1.0", "Unicode-3.0", "BSL-1.0", "MIT-0",
    "CDLA-Permissive-2.0",  # of data: Mozilla's list of certificate authorities
}


def fits(expression):
    """SPDX: one of each OR has to fit, all of each AND."""
    expression = expression.replace("/", " OR ")
    return all(
        any(one.strip(" ()") in FITS for one in re.split(r"\bOR\b", group))
        for group in re.split(r"\bAND\b", expression)
    )


metadata = json.loads(subprocess.check_output(["cargo", "metadata", "--locked", "--format-version", "1"]))
wrong = [
    f"{package['name']} {package['version']}: {package['license']}"
    for package in metadata["packages"]
    if package["source"] and not fits(package["license"] or "none")
]
if wrong:
    sys.exit("licences that don't fit:\n" + "\n".join(wrong))
print(f"{len(metadata['packages']) - 1} crates, all licences fit")

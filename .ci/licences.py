#!/usr/bin/env python3
"""Checks that every crate in Baleen has a license that is compatible with "MIT OR Apache-2.0".

Doesn't check advisories: their database needs access to the internet.
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
    """Evaluates an SPDX expression: one part of each OR must fit, and all parts of each AND."""
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

#!/usr/bin/env python3
"""Write the bill of materials of a release: every crate in it, in CycloneDX's JSON.    sbom.py OUT

cargo-cyclonedx makes it; this script removes the path of the checkout, so that the same sources give the same bytes (with
SOURCE_DATE_EPOCH set).
"""
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

TOP = Path(__file__).resolve().parents[2]
# Both kinds of Mac have the same crates but for one or two; the fuller list covers both.
TARGETS = ["aarch64-apple-darwin", "x86_64-apple-darwin"]


def bill(target):
    made = TOP / "baleen-bill-of-materials.json"
    try:
        subprocess.run(
            ["cargo", "cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5", "--no-build-deps"]
            + ["--target", target, "--override-filename", made.stem],
            cwd=TOP, check=True,
        )
        text = made.read_text(encoding="utf-8")
    finally:
        made.unlink(missing_ok=True)
    text = text.replace(f"path+file://{quote(str(TOP))}#", "path+file:///baleen#").replace("?download_url=file://.", "")
    return json.loads(text)


def both():
    """The bill of the first target, with the additional crates of the others."""
    first, *others = map(bill, TARGETS)
    for other in others:
        for key, name in [("components", "bom-ref"), ("dependencies", "ref")]:
            there = {part[name] for part in first[key]}
            first[key] += [part for part in other[key] if part[name] not in there]
            first[key].sort(key=lambda part: part[name])
        first["metadata"]["properties"] += other["metadata"]["properties"]
    return first


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    text = json.dumps(both(), indent=1) + "\n"
    if str(TOP) in text or quote(str(TOP)) in text:
        sys.exit(f"sbom.py: {TOP} is still in it")
    Path(sys.argv[1]).write_text(text, encoding="utf-8")

#!/usr/bin/env python3
"""Make the cask of a release.    cask.py --dmg dist/Baleen.dmg --out dist/baleen.rb

Fills in the template beside this script with the version of Cargo.toml and the SHA-256 of the disk image.
Standard library of Python 3.9 only.
"""
import argparse
import hashlib
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TEMPLATE = Path(__file__).with_name("baleen.rb")

# The placeholders of the template.
NO_VERSION = "0.0.0"
NO_DIGEST = "0" * 64


def cargo_version(text):
    """The version in the text of a Cargo.toml; None where there is none."""
    package = re.search(r"^\[package\]\n(.*?)(?=^\[|\Z)", text, re.M | re.S)
    version = package and re.search(r'^version *= *"([^"]*)"', package[1], re.M)
    return version[1] if version else None


def digest(path):
    """The SHA-256 of the file at `path`."""
    sha256 = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            sha256.update(block)
    return sha256.hexdigest()


def finished(template, version, sha256):
    """The cask of the release with this version, whose disk image has this digest."""
    text = template[template.index("cask "):]
    for old, new in [(f'version "{NO_VERSION}"', f'version "{version}"'), (f'sha256 "{NO_DIGEST}"', f'sha256 "{sha256}"')]:
        if text.count(old) != 1:
            raise ValueError(f"the template should have the line `{old}` once, and has it {text.count(old)} times")
        text = text.replace(old, new)
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dmg", type=Path, required=True, help="the disk image of the release")
    parser.add_argument("--out", type=Path, required=True, help="where the cask is to go")
    arguments = parser.parse_args()
    version = cargo_version((TOP / "Cargo.toml").read_text(encoding="utf-8"))
    if not version:
        sys.exit(f"cask.py: {TOP / 'Cargo.toml'} has no version in [package]")
    try:
        cask = finished(TEMPLATE.read_text(encoding="utf-8"), version, digest(arguments.dmg))
        arguments.out.write_text(cask, encoding="utf-8")
    except (OSError, ValueError) as error:
        sys.exit(f"cask.py: {error}")
    print(f"{arguments.out}: version {version}")


if __name__ == "__main__":
    main()

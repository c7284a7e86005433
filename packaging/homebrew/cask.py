#!/usr/bin/env python3
"""Make the cask of a release.    cask.py --dmg dist/Baleen.dmg --out dist/baleen.rb

Fills in the template beside this script with the version of Cargo.toml and the SHA-256 of the disk image.
Standard library of Python 3.9 only.
"""
import argparse
import hashlib
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
from shared import NO_VERSION, filled_in, released_version  # noqa: E402  beside this script

TEMPLATE = Path(__file__).with_name("baleen.rb")

# The placeholder of the template.
NO_DIGEST = "0" * 64


def digest(path):
    """The SHA-256 of the file at `path`."""
    sha256 = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            sha256.update(block)
    return sha256.hexdigest()


def finished(template, version, sha256):
    """The cask of the release with this version, whose disk image has this digest."""
    return filled_in(template, "cask ", [(f'version "{NO_VERSION}"', f'version "{version}"'), (f'sha256 "{NO_DIGEST}"', f'sha256 "{sha256}"')])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dmg", type=Path, required=True, help="the disk image of the release")
    parser.add_argument("--out", type=Path, required=True, help="where the cask is to go")
    arguments = parser.parse_args()
    try:
        version = released_version()
        cask = finished(TEMPLATE.read_text(encoding="utf-8"), version, digest(arguments.dmg))
        arguments.out.write_text(cask, encoding="utf-8")
    except (OSError, ValueError) as error:
        sys.exit(f"cask.py: {error}")
    print(f"{arguments.out}: version {version}")


if __name__ == "__main__":
    main()

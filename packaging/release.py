#!/usr/bin/env python3
"""Check that a tag fits this tree, and print the notes of the release.    release.py v0.1.0

Cargo.toml, Cargo.lock, Info.plist, CHANGELOG.md and tests/upgrade must have the same version. The notes are its section in
CHANGELOG.md.
Standard library of Python 3.9 only.
"""
import argparse
import plistlib
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOP / "packaging/homebrew"))
from shared import cargo_version  # noqa: E402


def notes(changelog, version):
    """The text under the heading of this version; None without such a heading."""
    section = re.search(rf"^## \[{re.escape(version)}\](?: [^\n]*)?\n(.*?)(?=^## |\Z)", changelog, re.M | re.S)
    return section and section[1].strip()


def problems(tag, cargo, lock, info, changelog, kept):
    """One sentence for each difference from the tag; `kept` has the releases in tests/upgrade."""
    version = tag[1:]
    if not re.fullmatch(r"v\d+\.\d+\.\d+", tag):
        yield f"the tag is {tag!r}, expected one such as 'v0.1.0'"
        return
    if cargo_version(cargo) != version:
        yield f"Cargo.toml has the version {cargo_version(cargo)!r}, and the tag {version!r}"
    if f'name = "baleen"\nversion = "{version}"\n' not in lock:
        yield f"Cargo.lock does not have baleen {version}; `cargo check` puts it in"
    if version not in kept:
        yield f"tests/upgrade has no folder {version}; `cargo test --test it upgrade::make -- --ignored` makes it"
    for key in ("CFBundleShortVersionString", "CFBundleVersion"):
        # package.sh puts Cargo.toml's version there.
        if info.get(key) not in ("$(VERSION)", version):
            yield f"Info.plist has {key} {info.get(key)!r}, and the tag {version!r}"
    if not notes(changelog, version):
        yield f"CHANGELOG.md has nothing under a heading `## [{version}]`"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tag", metavar="TAG")
    tag = parser.parse_args().tag
    changelog = (TOP / "CHANGELOG.md").read_text(encoding="utf-8")
    cargo = (TOP / "Cargo.toml").read_text(encoding="utf-8")
    lock = (TOP / "Cargo.lock").read_text(encoding="utf-8")
    info = plistlib.loads((TOP / "Info.plist").read_bytes())
    kept = [folder.name for folder in (TOP / "tests/upgrade").iterdir() if folder.is_dir()]
    found = list(problems(tag, cargo, lock, info, changelog, kept))
    for problem in found:
        print(f"release.py: {problem}", file=sys.stderr)
    if found:
        return 1
    print(notes(changelog, tag[1:]))
    return 0


if __name__ == "__main__":
    sys.exit(main())

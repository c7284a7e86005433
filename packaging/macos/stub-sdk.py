#!/usr/bin/env python3
"""Make a folder that a linker takes for a macOS SDK.    stub-sdk.py OUT

A linker needs only the names that a system library exports, not its code. Apple ships them as
text stubs (.tbd); this script writes such stubs out of symbols.txt, in the places where a linker
looks for them under SDKROOT. Standard library only.
"""
import sys
from pathlib import Path, PurePosixPath

import symbols

# One library under several names, for `-lNAME`.
ALIASES = {"libSystem": ["libc", "libdl", "libm", "libpthread"]}


def stub_files(install_name):
    """Where a linker looks for the stub of this library, relative to the SDK."""
    path = PurePosixPath(install_name)
    framework = next((p for p in path.parents if p.suffix == ".framework"), None)
    if framework:
        return [framework / f"{path.name}.tbd"]
    stem = path.name.split(".")[0]
    return [PurePosixPath("/usr/lib") / f"{name}.tbd" for name in [stem, *ALIASES.get(stem, [])]]


def stub(install_name, names):
    lines = [
        "--- !tapi-tbd",
        "tbd-version: 4",
        "targets: [ x86_64-macos, arm64-macos ]",
        f"install-name: '{install_name}'",
    ]
    if names:
        lines += [
            "exports:",
            "  - targets: [ x86_64-macos, arm64-macos ]",
            "    symbols:",
            *(f"      - '{name}'" for name in sorted(names)),
        ]
    return "\n".join([*lines, "...", ""])


def main(out):
    for install_name, library in symbols.read().items():
        for place in stub_files(install_name):
            file = out / place.relative_to("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(stub(install_name, library.symbols))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))

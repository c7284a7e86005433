#!/usr/bin/env python3
"""Check that programs for the Mac can start on the oldest macOS they are for.    check-symbols.py EXECUTABLE...

A library or a symbol that a system lacks ends the program there before its first line, unless it is linked weakly.
Compares each library and each symbol that a program asks the system for with symbols.txt. What is asked for while it
runs, classes and methods of Objective-C among it, shows in no table: README.md has what was looked at there.
"""
import sys
from pathlib import Path

import macho
import symbols


def check(path, known):
    """One sentence for each thing that is wrong, and what there is besides printed."""
    for part in macho.slices(path.read_bytes()):
        found = [f"for {part.architecture}: {problem}" for problem in symbols.problems(part, known)]
        yield from found
        if not found:
            optional = [name.rpartition("/")[2] for name, is_weak in part.libraries() if is_weak]
            print(
                f"{path.name} for {part.architecture}: macOS {symbols.shown(part.minimum())} or later,"
                f" SDK {symbols.shown(part.sdk())}, {len(part.libraries())} libraries,"
                f" {len(part.imports())} symbols; weakly: {', '.join(optional) or 'none'}"
            )


def main(paths):
    known, failed = symbols.read(), False
    for path in map(Path, paths):
        for problem in check(path, known):
            failed = True
            print(f"{path}: {problem}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if sys.argv[1:] else __doc__)

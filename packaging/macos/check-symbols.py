#!/usr/bin/env python3
"""Check that programs for the Mac can start on the oldest macOS they support.    check-symbols.py EXECUTABLE...

On a system that lacks a library or symbol, the program ends before its first line, unless the link is weak. Compares each
library and symbol that a program needs from the system with symbols.txt. No table lists what a program looks up at run time,
such as Objective-C classes and methods: README.md says which of those were reviewed.
"""
import sys
from pathlib import Path

import macho
import symbols


def check(path, known):
    """Returns one sentence for each problem, and prints a summary of the rest."""
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

#!/usr/bin/env python3
"""Test that check-symbols.py refuses damaged programs.    test_symbols.py EXECUTABLE...

Takes valid programs, damages a copy of each in one place after the other, and checks the messages.
"""
import struct
import sys
from pathlib import Path

import macho
import symbols

WEAK_FRAMEWORK = "/System/Library/Frameworks/UserNotifications.framework/Versions/A/UserNotifications"
WEAK_SYMBOL = "_UNNotificationDefaultActionIdentifier"
WEAK_SYMBOL_OF_OLD_FRAMEWORK = "_NSAboutPanelOptionVersion"
SYSTEM = "/usr/lib/libSystem.B.dylib"


def commands(data, *kinds):
    """Where the load commands of these kinds begin."""
    at = 32
    for command, body in macho.Slice(bytes(data)).commands:
        if command in kinds:
            yield at
        at += len(body)


def set_versions(data, minimum, sdk):
    """Says of a program which system it is for, and with which SDK it was built."""
    for at in commands(data, macho.LC_BUILD_VERSION, macho.LC_VERSION_MIN_MACOSX):
        is_new = struct.unpack_from("<I", data, at)[0] == macho.LC_BUILD_VERSION
        packed = [major << 16 | minor << 8 for major, minor in [minimum, sdk]]
        struct.pack_into("<2I", data, at + (12 if is_new else 8), *packed)


def harden_library(data, name):
    """Makes a program require a library."""
    for at in commands(data, macho.LC_LOAD_WEAK_DYLIB):
        if macho.text(bytes(data[at : at + 256]), 8) == name:
            struct.pack_into("<I", data, at, macho.LC_LOAD_DYLIB)


def harden_symbol(data, name):
    """Makes a program require a symbol."""
    for at in commands(data, macho.LC_SYMTAB):
        table, count, strings, _ = struct.unpack_from("<4I", data, at + 8)
        for entry in range(table, table + 16 * count, 16):
            begin = strings + struct.unpack_from("<I", data, entry)[0]
            if data[begin : begin + len(name) + 1] == name.encode() + b"\0":
                described = struct.unpack_from("<H", data, entry + 6)[0]
                struct.pack_into("<H", data, entry + 6, described & ~macho.N_WEAK_REF)


def strip(data):
    """Takes the list of symbols away."""
    for at in commands(data, macho.LC_SYMTAB):
        struct.pack_into("<I", data, at + 12, 0)


def without(symbol):
    """The list without one of the system's symbols."""
    known = symbols.read()
    del known[SYSTEM].symbols[symbol]
    return known


def since(symbol, text):
    """The list with a later version for one of the system's symbols."""
    known = symbols.read()
    known[SYSTEM].symbols[symbol] = symbols.version(text)
    return known


def said(data, spoil=lambda data: None, known=None):
    """The messages for a damaged copy."""
    copy = bytearray(data)
    spoil(copy)
    return list(symbols.problems(macho.Slice(bytes(copy)), known or symbols.read()))


def cases(data):
    """(the damage, the messages, the text expected in them)"""
    yield "nothing", said(data), None
    yield "a framework it can't do without", said(data, lambda d: harden_library(d, WEAK_FRAMEWORK)), WEAK_FRAMEWORK
    for name in [WEAK_SYMBOL, WEAK_SYMBOL_OF_OLD_FRAMEWORK]:
        yield "a symbol it can't do without", said(data, lambda d, name=name: harden_symbol(d, name)), f"needs {name}"
    yield "an old SDK", said(data, lambda d: set_versions(d, (10, 12), (10, 15))), "SDK of macOS 10.15"
    yield "no list of symbols", said(data, strip), "stripped"
    yield "a symbol that was not looked up", said(data, known=without("_getpid")), "imports _getpid from"
    yield "a symbol that is younger", said(data, known=since("_getpid", "10.12.4")), "needs _getpid"
    rest = {name: library for name, library in symbols.read().items() if name != WEAK_FRAMEWORK}
    yield "a library that was not looked up", said(data, known=rest), f"loads {WEAK_FRAMEWORK}"


def main(paths):
    failed, count = False, 0
    for part in (part for path in paths for part in macho.slices(Path(path).read_bytes())):
        data = bytearray(part.data)
        # The refusals for macOS 10.12 don't depend on the program's own minimum.
        set_versions(data, (10, 12), (11, 0))
        for wrong, sentences, expected in cases(data):
            count += 1
            as_expected = any(expected in sentence for sentence in sentences) if expected else not sentences
            if not as_expected:
                failed = True
                print(f"{part.architecture}, {wrong}: expected {expected!r}, found {sentences}", file=sys.stderr)
    if not failed:
        print(f"{count} cases, all seen as they are")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if sys.argv[1:] else __doc__)

#!/usr/bin/env python3
"""Check Baleen.app as it will be released, without a Mac.    check-bundle.py Baleen.app

Files and permissions; Info.plist; for each architecture the load commands and the oldest system; that the app contains no
path of the build machine; the icon's sizes; and the signature: each hash is recomputed from the pages of the program, from
Info.plist, and from every file that the seal names. Trusts none of the tools that made the app. Standard library of Python 3.9 only.
"""
import hashlib
import os
import plistlib
import re
import stat
import struct
import sys
from pathlib import Path

import macho
import symbols

TOP = Path(__file__).resolve().parents[2]
ARCHITECTURES = ["arm64", "x86_64"]
PLAIN = ["Contents/Info.plist", "Contents/PkgInfo", "Contents/_CodeSignature/CodeResources"] + [
    f"Contents/Resources/{name}"
    for name in [
        "AppIcon.icns", "LICENSE-APACHE", "LICENSE-MIT", "completions/_baleen", "completions/baleen.bash",
        "completions/baleen.fish", "man/man1/baleen.1",
    ]
]
EXECUTABLE = "Contents/MacOS/baleen"
LINK = ("Contents/Resources/bin/baleen", "../../MacOS/baleen")
# One for each command of the program.
PAGE = re.compile(r"Contents/Resources/man/man1/baleen-[a-z-]+\.1")
# Folders in which people and machines build. No path in Baleen's own messages begins with one of them.
BUILT_IN = [
    rb"/home/[a-z]", rb"/root/", rb"/Users/[a-z]", rb"/build/", rb"/target/[a-z0-9_/-]*(debug|release)/", rb"\.cargo/",
    rb"registry/src",
]
# 16 to 512 points, and each at two pixels a point.
ICONS = {16, 32, 64, 128, 256, 512, 1024}


def check_files(app):
    """Files and their permissions."""
    found = {path.relative_to(app).as_posix(): path for path in app.rglob("*")}
    for name in [*PLAIN, EXECUTABLE, LINK[0]]:
        if name not in found:
            yield f"{name} is missing"
    pages = [name for name in found if PAGE.fullmatch(name)]
    if len(pages) < 10:
        yield f"the manual has pages for {len(pages)} commands only"
    for name, path in found.items():
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            if (name, os.readlink(path)) != LINK:
                yield f"{name} is a link to {os.readlink(path)}"
        elif stat.S_ISDIR(mode):
            if mode & 0o777 != 0o755:
                yield f"{name} has mode {mode & 0o777:o}, expected 755"
        else:
            expected = 0o755 if name == EXECUTABLE else 0o644
            if mode & 0o777 != expected:
                yield f"{name} has mode {mode & 0o777:o}, expected {expected:o}"
            if name not in PLAIN and name not in pages and name != EXECUTABLE:
                yield f"{name} does not belong into it"
            yield from check_paths(name, path.read_bytes())


def check_paths(name, data):
    """No path of the build machine."""
    here = {str(TOP), os.path.expanduser("~"), *(os.environ.get(v, "") for v in ["CARGO_HOME", "CARGO_TARGET_DIR"])}
    patterns = [*BUILT_IN, *(re.escape(path.encode()) + rb"/" for path in here if len(path) > 1)]
    for match in re.finditer(b"|".join(patterns), data):
        around = data[max(0, match.start() - 20) : match.end() + 60]
        yield f"{name} has a path of the machine that built it: {around!r}"
        return


def check_plist(info):
    """The version. check-plist.py checks the rest."""
    for key in ["CFBundleShortVersionString", "CFBundleVersion"]:
        if not re.fullmatch(r"\d+\.\d+\.\d+", info[key]):
            yield f"{key} is {info[key]!r}, expected a version as in 1.2.3"


def oldest(info, architecture):
    """The oldest system in Info.plist."""
    by_architecture = info.get("LSMinimumSystemVersionByArchitecture", {})
    version = by_architecture.get(architecture, info["LSMinimumSystemVersion"])
    return tuple(int(number) for number in version.split("."))


def check_slice(part, info):
    """The load commands of one architecture."""
    if part.kind != macho.MH_EXECUTE or not part.of(macho.LC_MAIN):
        yield "not a program that can be started"
    if not part.flags & macho.MH_PIE:
        yield "does not lie at a random address (PIE)"
    if part.minimum() != oldest(info, part.architecture):
        yield f"made for macOS {part.minimum()}, but Info.plist says {oldest(info, part.architecture)}"
    for library, _ in part.libraries():
        if not library.startswith(("/System/Library/Frameworks/", "/usr/lib/")):
            yield f"loads {library}, which is not the system's"
    for path in part.rpaths():
        yield f"looks for libraries in {path}"
    yield from symbols.problems(part, symbols.read())


def check_signature(part, app, info):
    """Every hash of the signature."""
    if not part.signature():
        yield "not signed"
        return
    directories = list(part.code_directories())
    if not any(directory.hash == "sha256" for directory in directories):
        yield "its signature has no SHA-256 hashes"
    for directory in directories:
        if directory.identifier != info["CFBundleIdentifier"]:
            yield f"signed as {directory.identifier}"
        if directory.limit != part.signature()[0]:
            yield f"the signature covers {directory.limit} bytes, expected {part.signature()[0]}"
        size = directory.page_size
        for page in range(directory.pages):
            if not directory.covers(page, part.data[page * size : min((page + 1) * size, directory.limit)]):
                yield f"page {page} is not what was signed"
                break
        if directory.special < directory.RESOURCES:
            yield "the signature is the linker's, and seals nothing but the program"
            continue
        for slot, name in [
            (directory.INFO_PLIST, "Contents/Info.plist"),
            (directory.RESOURCES, "Contents/_CodeSignature/CodeResources"),
        ]:
            if not directory.covers(-slot, (app / name).read_bytes()):
                yield f"{name} is not what was signed"


def check_seal(app):
    """Every file in the seal, and every file that belongs there."""
    contents = app / "Contents"
    sealed = plistlib.loads((contents / "_CodeSignature/CodeResources").read_bytes())["files2"]
    present = {path.relative_to(contents).as_posix() for path in contents.rglob("*") if path.is_file()}
    # The signature covers these itself; PkgInfo is left out by Apple's rules.
    present -= {"Info.plist", "PkgInfo", "_CodeSignature/CodeResources", "MacOS/baleen"}
    for name in sorted(present - set(sealed)):
        yield f"{name} is not sealed"
    for name, entry in sealed.items():
        path = contents / name
        if "symlink" in entry:
            if not path.is_symlink() or os.readlink(path) != entry["symlink"]:
                yield f"{name} is not the link that was sealed"
        elif not path.is_file() or hashlib.sha256(path.read_bytes()).digest() != entry["hash2"]:
            yield f"{name} is not what was sealed"


def icon_sizes(data):
    """The sizes, in pixels, of the PNG images in an .icns file, and of the small ones that are not PNG."""
    if data[:4] != b"icns" or struct.unpack_from(">I", data, 4)[0] != len(data):
        raise ValueError("not an .icns file")
    at, sizes = 8, set()
    while at < len(data):
        kind, size = data[at : at + 4], struct.unpack_from(">I", data, at + 4)[0]
        image = data[at + 8 : at + size]
        if image[:8] == b"\x89PNG\r\n\x1a\n":
            width, height = struct.unpack_from(">2I", image, 16)
            if width == height:
                sizes.add(width)
        elif kind in (b"ic04", b"is32"):
            sizes.add(16)
        elif kind in (b"ic05", b"il32"):
            sizes.add(32)
        at += size
    return sizes


def problems(app):
    """One sentence for each problem."""
    yield from check_files(app)
    info = plistlib.loads((app / "Contents/Info.plist").read_bytes())
    yield from check_plist(info)
    missing = ICONS - icon_sizes((app / "Contents/Resources/AppIcon.icns").read_bytes())
    if missing:
        yield f"AppIcon.icns lacks {', '.join(map(str, sorted(missing)))} pixels"
    parts = macho.slices((app / EXECUTABLE).read_bytes())
    if sorted(part.architecture for part in parts) != ARCHITECTURES:
        yield f"the program is for {[part.architecture for part in parts]}, expected {ARCHITECTURES}"
    for part in parts:
        for problem in [*check_slice(part, info), *check_signature(part, app, info)]:
            yield f"{EXECUTABLE} for {part.architecture}: {problem}"
    yield from check_seal(app)


def describe(app):
    """A summary for the log."""
    for part in macho.slices((app / EXECUTABLE).read_bytes()):
        system = ".".join(map(str, part.minimum()))
        hashes = ", ".join(f"{d.hash}, flags {d.flags:#x}" for d in part.code_directories())
        print(f"{part.architecture}: {len(part.data)} bytes, macOS {system} or later, signature {hashes}; loads")
        for library, may_be_missing in part.libraries():
            print(f"    {library}{' (may be missing)' if may_be_missing else ''}")


def main(app):
    try:
        found = list(problems(app))
    except (OSError, ValueError, KeyError, struct.error) as error:
        found = [f"could not be read: {type(error).__name__}: {error}"]
    for problem in found:
        print(f"{app.name}: {problem}", file=sys.stderr)
    if not found:
        describe(app)
        print(f"{app.name}: sound")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])) if len(sys.argv) == 2 else __doc__)

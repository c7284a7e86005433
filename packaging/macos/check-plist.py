#!/usr/bin/env python3
"""Check that Info.plist is valid for Baleen.app, or write the app's copy of it.

    check-plist.py                 check
    check-plist.py --fill OUT      check, and write it with Cargo.toml's version in it

Standard library of Python 3.9 only, hence no TOML parser: the needed lines of
[package] are plain `key = "value"` ones.
"""
import plistlib
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

# The placeholder for the version, which only Cargo.toml has.
VERSION = "$(VERSION)"
# Keys with a required value, with reasons for the less obvious ones.
EXPECTED = {
    "CFBundleIdentifier": "io.github.baleen-app.Baleen",  # the system ties permissions to it
    "CFBundleIconFile": "AppIcon",
    "CFBundleInfoDictionaryVersion": "6.0",
    "CFBundlePackageType": "APPL",
    "LSApplicationCategoryType": "public.app-category.developer-tools",
    "LSMinimumSystemVersion": "10.12",  # README.md says why
    "LSMinimumSystemVersionByArchitecture": {"arm64": "11.0", "x86_64": "10.12"},
    "LSMultipleInstancesProhibited": True,  # two would both want to patch the same image
    "LSUIElement": True,  # lives in the menu bar: no Dock icon, no menus of its own
    "NSHighResolutionCapable": True,
    "NSSupportsAutomaticTermination": False,  # it waits for events with no window open
    "NSSupportsSuddenTermination": False,  # avoids a kill in the middle of a write
    "NSUserNotificationAlertStyle": "alert",  # before macOS 10.14 a banner has no buttons
}
# Keys that must exist, with any value.
PRESENT = ["CFBundleDevelopmentRegion", "CFBundleDisplayName", "CFBundleName"]


def cargo_package():
    """The plain strings of Cargo.toml's [package]."""
    text = (TOP / "Cargo.toml").read_text(encoding="utf-8")
    section = re.search(r"^\[package\]\n(.*?)(?=^\[|\Z)", text, re.M | re.S)
    return dict(re.findall(r'^([\w-]+) *= *"([^"]*)"', section[1] if section else "", re.M))


def problems(info, package, version):
    """One sentence for each problem; `version` is the expected version or its placeholder."""
    name = package.get("name")
    expected = {
        **EXPECTED,
        "CFBundleExecutable": name,
        "CFBundleShortVersionString": version,
        "CFBundleVersion": version,
    }
    if not name or not re.fullmatch(r"\d+\.\d+\.\d+", package.get("version", "")):
        # Apple allows three numbers and nothing else in these keys.
        yield f"Cargo.toml: name {name!r} and version {package.get('version')!r} cannot be used in a bundle"
    for key, wanted in expected.items():
        if info.get(key) != wanted or type(info.get(key)) is not type(wanted):
            yield f"{key} is {info.get(key)!r}, expected {wanted!r}"
    for key in PRESENT:
        if not info.get(key):
            yield f"{key} is missing"
    if "The Baleen developers" not in info.get("NSHumanReadableCopyright", ""):
        yield "NSHumanReadableCopyright does not name the Baleen developers"


def fill(out):
    """Info.plist with the version in it."""
    text = (TOP / "Info.plist").read_text(encoding="utf-8").replace(VERSION, cargo_package()["version"])
    Path(out).write_text(text, encoding="utf-8")


def main(arguments):
    if arguments and (arguments[0] != "--fill" or len(arguments) != 2):
        sys.exit(__doc__)
    try:
        info = plistlib.loads((TOP / "Info.plist").read_bytes())
    except Exception as error:  # plistlib lets several kinds through, from the XML parser too
        sys.exit(f"Info.plist: not a property list: {error}")
    found = list(problems(info, cargo_package(), VERSION))
    for problem in found:
        print(f"Info.plist: {problem}", file=sys.stderr)
    if found:
        return 1
    print(f"Info.plist: {len(info)} keys, sound")
    if arguments:
        fill(arguments[1])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

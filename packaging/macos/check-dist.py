#!/usr/bin/env python3
"""Check the files of package.sh as users get them.    check-dist.py [--write] DIST

Unpacks the archive and the disk image, and checks the app in each; then the bill of materials, the cask, the formula, and the checksums,
which --write writes first. On a Mac the disk image is mounted; elsewhere 7z, dmg2img and xorriso read it.
"""
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
RELEASED = ["Baleen.dmg", "Baleen.tar.gz", "baleen.cdx.json", "baleen.rb", "baleen-cli.rb"]
SUMS = "SHA256SUMS"


def run(*command, **options):
    """Runs a command, and shows its output only if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, command))}: {done.stdout.strip()}")
    return done.stdout


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(folder):
    """Everything in a folder: content, permissions, links."""
    for path in sorted(folder.rglob("*")):
        name, mode = path.relative_to(folder).as_posix(), path.lstat().st_mode & 0o777
        if path.is_symlink():
            yield name, "link", os.readlink(path)
        elif path.is_dir():
            yield name, "folder", oct(mode)
        else:
            yield name, oct(mode), digest(path)


@contextlib.contextmanager
def mounted(image, work):
    """The content of the disk image."""
    if sys.platform == "darwin":
        place = work / "mounted"
        run("hdiutil", "attach", "-readonly", "-nobrowse", "-mountpoint", place, image)
        try:
            yield place
        finally:
            # Another program may still read from the volume.
            subprocess.run(["hdiutil", "detach", "-force", place], check=False)
        return
    # Two independent readers of the format.
    run("7z", "t", image)
    run("dmg2img", "-s", image, work / "disk.iso")
    run("xorriso", "-osirrox", "on:auto_chmod_on", "-indev", work / "disk.iso", "-extract", "/", work / "content")
    yield work / "content"


def check_disk_image(dist, work, app):
    with mounted(dist / "Baleen.dmg", work) as content:
        shown = {path.name for path in content.iterdir() if not path.name.startswith(".")}
        if shown != {"Baleen.app", "Applications"}:
            yield f"Baleen.dmg shows {sorted(shown)}, expected Baleen.app and Applications"
            return
        if os.readlink(content / "Applications") != "/Applications":
            yield "Baleen.dmg: Applications is no link to /Applications"
        for one, other in zip(tree(content / "Baleen.app"), tree(app)):
            if one != other:
                yield f"Baleen.dmg has another {one[0]} than Baleen.tar.gz: {one[1:]}, {other[1:]}"
        if len(list(tree(content / "Baleen.app"))) != len(list(tree(app))):
            yield "Baleen.dmg and Baleen.tar.gz do not have the same files"


def asked_for():
    """The crates that Cargo.toml names for a Mac."""
    names = set()
    for section, body in re.findall(r"^\[([^\n]+)\]\n(.*?)(?=^\[|\Z)", (TOP / "Cargo.toml").read_text(encoding="utf-8"), re.M | re.S):
        if section in ("dependencies", "target.'cfg(target_os = \"macos\")'.dependencies"):
            names |= set(re.findall(r"^([a-z0-9_-]+) = ", body, re.M))
    return names


def check_bill(dist):
    text = (dist / "baleen.cdx.json").read_text(encoding="utf-8")
    bill = json.loads(text)
    crates = {(part["name"], part["version"]) for part in bill["components"]}
    locked = (TOP / "Cargo.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r'^name = "(.*)"\nversion = "(.*)"$', locked, re.M))
    for name, version in sorted(crates - locked):
        yield f"the bill of materials has {name} {version}, which Cargo.lock has not"
    for name in sorted(asked_for() - {name for name, _ in crates}):
        yield f"the bill of materials lacks {name}"
    if "file:///" + str(TOP).lstrip("/") in text:
        yield "the bill of materials says where it was made"


def sums(dist):
    return "".join(f"{digest(dist / name)}  {name}\n" for name in RELEASED)


def problems(dist):
    """One sentence for each problem."""
    for name in RELEASED:
        if not (dist / name).is_file():
            yield f"{name} is missing"
            return
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        with tarfile.open(dist / "Baleen.tar.gz") as archive:
            for member in archive:
                if member.uid or member.gid or not (member.name + "/").startswith("Baleen.app/"):
                    yield f"Baleen.tar.gz: {member.name} belongs to {member.uid}:{member.gid} or lies outside the app"
                    return
            archive.extractall(work / "archive")
        app = work / "archive/Baleen.app"
        print(run(sys.executable, HERE / "check-bundle.py", app), end="")
        yield from check_disk_image(dist, work, app)
        run(sys.executable, TOP / "packaging/homebrew/check-cask.py", dist / "baleen.rb", dist / "Baleen.dmg", app)
        run(sys.executable, TOP / "packaging/homebrew/check-formula.py", dist / "baleen-cli.rb")
    yield from check_bill(dist)
    if (dist / SUMS).read_text(encoding="utf-8") != sums(dist):
        yield f"{SUMS} does not fit the files; check-dist.py --write writes it again"


def main(arguments):
    write = "--write" in arguments
    places = [argument for argument in arguments if argument != "--write"]
    if len(places) != 1:
        sys.exit(__doc__)
    dist = Path(places[0])
    # Unpacked files must get the permissions they were packed with.
    os.umask(0o022)
    try:
        if write:
            (dist / SUMS).write_text(sums(dist), encoding="utf-8")
        found = list(problems(dist))
    except (OSError, ValueError, KeyError, tarfile.TarError) as error:
        found = [str(error)]
    for problem in found:
        print(f"{dist}: {problem}", file=sys.stderr)
    if not found:
        print(f"{dist}: sound")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

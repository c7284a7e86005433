#!/usr/bin/env python3
"""Tests of the release checks: each test damages a valid app in one way, and the checks must notice.

    test_checks.py DIST         the folder that package.sh made

Standard library of Python 3.9 only.
"""
import importlib.util
import os
import plistlib
import shutil
import struct
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import macho  # noqa: E402  (found beside this file)


def module(name):
    """Loads a script of this folder whose name is no Python identifier."""
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), HERE / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


bundle, dist, plist = module("check-bundle"), module("check-dist"), module("check-plist")
DIST = None


class DamagedApp(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        with tarfile.open(DIST / "Baleen.tar.gz") as archive:
            archive.extractall(folder.name)
        self.app = Path(folder.name) / "Baleen.app"
        self.program = self.app / "Contents/MacOS/baleen"
        self.resources = self.app / "Contents/Resources"

    def complains(self, *words):
        """Each of the words is in some complaint."""
        found = "\n".join(bundle.problems(self.app))
        for word in words:
            self.assertIn(word, found)

    def change(self, path, old, new):
        data = path.read_bytes()
        self.assertIn(old, data)
        path.write_bytes(data.replace(old, new, 1))

    def test_sound(self):
        self.assertEqual(list(bundle.problems(self.app)), [])

    def test_a_byte_of_the_program(self):
        part = macho.slices(self.program.read_bytes())[0]
        data = bytearray(self.program.read_bytes())
        middle = data.index(part.data) + part.signature()[0] // 2
        data[middle] ^= 1
        self.program.write_bytes(data)
        self.complains(f"for {part.architecture}: page", "is not what was signed")

    def test_a_byte_of_a_sealed_file(self):
        self.change(self.resources / "LICENSE-MIT", b"Permission", b"permission")
        self.complains("Resources/LICENSE-MIT is not what was sealed")

    def test_the_seal(self):
        seal = self.app / "Contents/_CodeSignature/CodeResources"
        seal.write_bytes(seal.read_bytes().replace(b"LICENSE-MIT", b"LICENSE-mit"))
        self.complains("CodeResources is not what was signed", "LICENSE-MIT is not sealed")

    def test_info_plist(self):
        self.change(self.app / "Contents/Info.plist", b"developer-tools", b"utilities-tools")
        self.complains("Info.plist is not what was signed")

    def test_another_oldest_system(self):
        path = self.app / "Contents/Info.plist"
        info = plistlib.loads(path.read_bytes())
        info["LSMinimumSystemVersion"] = "10.9"
        info.pop("LSMinimumSystemVersionByArchitecture", None)
        path.write_bytes(plistlib.dumps(info))
        self.complains("Info.plist says (10, 9)")

    def test_a_version_that_is_not_filled_in(self):
        path = self.app / "Contents/Info.plist"
        info = plistlib.loads(path.read_bytes())
        info["CFBundleVersion"] = "$(VERSION)"
        path.write_bytes(plistlib.dumps(info))
        self.complains("CFBundleVersion is '$(VERSION)'")

    def test_files_that_are_missing_or_too_many(self):
        (self.resources / "completions/_baleen").unlink()
        (self.resources / "notes.txt").write_text("x")
        (self.resources / "bin/baleen").unlink()
        self.complains("completions/_baleen is missing", "notes.txt does not belong", "notes.txt is not sealed")
        self.complains("Resources/bin/baleen is missing", "completions/_baleen is not what was sealed")

    def test_a_link_that_leads_elsewhere(self):
        link = self.resources / "bin/baleen"
        link.unlink()
        link.symlink_to("/bin/sh")
        self.complains("is a link to /bin/sh", "is not the link that was sealed")

    def test_permissions(self):
        self.program.chmod(0o644)
        (self.resources / "AppIcon.icns").chmod(0o666)
        (self.resources / "man").chmod(0o700)
        self.complains("MacOS/baleen has mode 644", "AppIcon.icns has mode 666", "man has mode 700")

    def test_a_path_of_the_machine_that_built_it(self):
        for path in [
            b"/Users/jane/baleen/src", b"/home/ci/x", b"/srv/baleen/target/macos/x86_64-apple-darwin/release/x",
            str(bundle.TOP).encode() + b"/src",
        ]:
            (self.resources / "man/man1/baleen.1").write_bytes(b"built in " + path)
            self.complains("has a path of the machine that built it")

    def test_an_icon_without_a_size(self):
        icon = self.resources / "AppIcon.icns"
        data, at = icon.read_bytes(), 8
        while data[at : at + 4] != b"ic10":
            at += struct.unpack_from(">I", data, at + 4)[0]
        cut = data[:at] + data[at + struct.unpack_from(">I", data, at + 4)[0] :]
        icon.write_bytes(cut[:4] + struct.pack(">I", len(cut)) + cut[8:])
        self.complains("AppIcon.icns lacks 1024 pixels")
        icon.write_bytes(data[:-1])
        with self.assertRaises(ValueError):
            list(bundle.problems(self.app))

    def test_one_architecture_only(self):
        part = macho.slices(self.program.read_bytes())[0]
        self.program.write_bytes(part.data)
        self.complains("the program is for ['")

    def test_a_library_of_another_vendor(self):
        self.change(self.program, b"/usr/lib/libSystem.B.dylib", b"/opt/lib/libSystem.B.dylib")
        self.complains("loads /opt/lib/libSystem.B.dylib, which is not the system's")

    def test_something_else_than_a_program(self):
        self.program.write_bytes(b"#!/bin/sh\n" + bytes(64))
        with self.assertRaises(ValueError):
            list(bundle.problems(self.app))


class DamagedRelease(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dist = Path(folder.name)
        for name in [*dist.RELEASED, dist.SUMS]:
            shutil.copy(DIST / name, self.dist)

    def complains(self, words):
        """The problems of the release; one of them may be that it can't be read."""
        try:
            found = "\n".join(dist.problems(self.dist))
        except (OSError, ValueError, tarfile.TarError) as error:
            found = str(error)
        self.assertIn(words, found)

    def repack(self, change):
        """The archive with other members."""
        path = self.dist / "Baleen.tar.gz"
        with tarfile.open(DIST / "Baleen.tar.gz") as old, tarfile.open(path, "w:gz", compresslevel=1) as new:
            for member in old:
                change(member)
                new.addfile(member, old.extractfile(member) if member.isfile() else None)

    def test_a_file_that_is_missing(self):
        (self.dist / "baleen.rb").unlink()
        self.complains("baleen.rb is missing")

    def test_sums_of_other_files(self):
        sums = self.dist / dist.SUMS
        sums.write_text(sums.read_text().replace("a", "b"))
        self.complains("does not fit the files")

    def test_an_archive_with_an_owner(self):
        self.repack(lambda member: setattr(member, "uid", 501))
        self.complains("belongs to 501:0")

    def test_an_archive_that_leads_elsewhere(self):
        self.repack(lambda member: setattr(member, "name", member.name.replace("Baleen.app", "../Baleen.app", 1)))
        self.complains("lies outside the app")

    def test_a_disk_image_that_is_cut_off(self):
        image = self.dist / "Baleen.dmg"
        image.write_bytes(image.read_bytes()[:-512])
        self.complains("Baleen.dmg")

    def test_a_bill_with_a_crate_too_many_and_one_too_few(self):
        bill = self.dist / "baleen.cdx.json"
        text = bill.read_text(encoding="utf-8")
        bill.write_text(text.replace('"name": "tao"', '"name": "taoism"'), encoding="utf-8")
        self.complains("has taoism")
        self.complains("lacks tao")

    def test_a_cask_for_another_image(self):
        cask = self.dist / "baleen.rb"
        cask.write_text(cask.read_text().replace('sha256 "', 'sha256 "0', 1))
        self.complains("sha256")

    def test_a_formula_for_another_release(self):
        formula = self.dist / "baleen-cli.rb"
        formula.write_text(formula.read_text().replace('"v', '"v9', 1))
        self.complains("Cargo.toml has")


class DamagedPlist(unittest.TestCase):
    def test_each_key(self):
        info = plistlib.loads((bundle.TOP / "Info.plist").read_bytes())
        package = plist.cargo_package()
        self.assertEqual(list(plist.problems(info, package, plist.VERSION)), [])
        for key in info:
            without = {name: value for name, value in info.items() if name != key}
            found = list(plist.problems(without, package, plist.VERSION))
            # These two are for old systems and other graphics; nothing breaks without.
            if key not in ("CFBundleSupportedPlatforms", "NSSupportsAutomaticGraphicsSwitching"):
                self.assertTrue(any(key in problem for problem in found), key)
        self.assertTrue(list(plist.problems(info, {**package, "version": "1.2"}, plist.VERSION)))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    DIST = Path(sys.argv.pop())
    os.umask(0o022)
    unittest.main()

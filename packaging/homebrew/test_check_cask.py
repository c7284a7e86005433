#!/usr/bin/env python3
"""Tests of check-cask.py: each case breaks the cask in one way."""
import hashlib
import importlib.util
import plistlib
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))
import cask as maker  # noqa: E402  beside this script
from shared import TOP, cargo_version  # noqa: E402  beside this script

spec = importlib.util.spec_from_file_location("check_cask", HERE / "check-cask.py")
checker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checker)

TEMPLATE = maker.TEMPLATE.read_text(encoding="utf-8")
CARGO = '[package]\nname = "baleen"\nversion = "1.2.3"\n\n[dependencies]\nversion = "9"\n'
INFO = {
    "CFBundleIdentifier": "io.github.baleen-app.Baleen",
    "CFBundleName": "Baleen",
    "LSMinimumSystemVersion": "10.12",
    "LSMinimumSystemVersionByArchitecture": {"x86_64": "10.12", "arm64": "11.0"},
}
MAN = '  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen.1"\n'

# The replaced text, the replacement, and the expected message.
BREAKS = [
    # style
    ('cask "baleen" do', 'cask "whale" do', "have to agree"),
    ('cask "baleen" do', "cask 'baleen' do", "one block"),
    ('  name "Baleen"\n', "  name 'Baleen'\n", "double quotes"),
    ('  name "Baleen"\n', '  name "Baleen" \n', "white space"),
    ('  name "Baleen"\n', '  name "Baleen"\n\n', "no empty line between `name` and `desc`"),
    ("\n\n  livecheck do", "\n  livecheck do", "an empty line between `homepage` and `livecheck`"),
    ('  name "Baleen"\n', "", "there is no `name`"),
    ('  name "Baleen"\n', '  name "Baleen"\n  name "Baleen"\n', "`name` is there 2 times"),
    ("  depends_on :macos\n", "  depends_on :macos\n  nonsense true\n", "`nonsense`"),
    ('  app "Baleen.app"\n', f'{MAN}  app "Baleen.app"\n', "`app` has to come before `manpage`"),
    ("  caveats <<~EOS\n", f"  caveats <<~EOS\n    {'x' * 118}\n", "at most 118"),
    ("\nend\n", "\nend\n\n", "one line end"),
    # content
    ("/v#{version}/", "/1.2.3/", "of the release"),
    ('Baleen.dmg"\n', 'Baleen.dmg",\n      verified: "github.com/baleen-app/"\n', "no `verified:`"),
    ('homepage "https://github.com/baleen-app/baleen"', 'homepage "https://example.com"', "`homepage`"),
    ("strategy :github_latest", "strategy :git", "`livecheck`"),
    ("  depends_on :macos\n", "  auto_updates true\n  depends_on :macos\n", "update themselves"),
    ('desc "Keeps', 'desc "The Keeps', "no article"),
    ("the system's proxy", "the Mac's proxy", "neither platform"),
    ("the system's proxy", "the system's proxy" + "!" * 40, "less than 80"),
    ('        "~/Library/Logs/Baleen",\n', '        "~/Library/Logs/Baleen",\n        "~/Library/Fonts",\n', "alphabetical"),
    ('            login_item: "Baleen"', '            login_item: "Baleen",\n            launchctl:  "x"', "`launchctl:`, which an upgrade"),
    ("      baleen uninstall\n", "      baleen restore\n", "know of baleen uninstall"),
    # agreement with the release
    ('version "0.0.0"', 'version "1.2.4"', "Cargo.toml has '1.2.3'"),
    ('version "0.0.0"', 'version "1.2.3"', "no digest of a file"),
    ('quit:       "io.github.baleen-app.Baleen"', 'quit:       "org.example.Baleen"', "`uninstall quit:`"),
    ('login_item: "Baleen"', 'login_item: "Whale"', "`uninstall login_item:`"),
    ('        "io.github.baleen-app.Baleen.watch",\n', "", "`zap launchctl:`"),
    ('app "Baleen.app"', 'app "Whale.app"', "name of Info.plist"),
    ("depends_on :macos", 'depends_on macos: ">= :sierra"', "should be `depends_on :macos`"),
    ("depends_on :macos", "depends_on macos: :sonoma", "should be `depends_on :macos`"),
    ("MacOS/baleen", "MacOS/Baleen", "not in the bundle"),
    ("#{appdir}/Baleen.app/Contents/Resources/completions/_baleen", "_baleen", "not in the bundle"),
]


def check(text, info=None, **others):
    return checker.problems(text, "baleen", info or INFO, CARGO, **others)


class CheckCask(unittest.TestCase):
    def test_the_template_and_what_is_made_of_it_are_sound(self):
        self.assertEqual(check(TEMPLATE), [])
        made = maker.finished(TEMPLATE, "1.2.3", "a" * 64)
        self.assertEqual(check(made), [])
        self.assertTrue(made.startswith('cask "baleen" do\n  version "1.2.3"\n'), made[:80])
        self.assertNotIn("template", made)

    def test_each_way_to_break_it_is_reported(self):
        for old, new, complaint in BREAKS:
            with self.subTest(new):
                self.assertIn(old, TEMPLATE)
                found = check(TEMPLATE.replace(old, new, 1))
                self.assertTrue(any(complaint in problem for problem in found), found)

    def test_the_minimum_system_is_said_where_homebrew_can_say_it(self):
        for minimum, by_architecture, wanted in [
            ("10.12", {"x86_64": "10.12", "arm64": "11.0"}, "depends_on :macos"),
            ("11.0", {}, "depends_on :macos"),
            ("13.0", {}, "depends_on macos: :ventura"),
        ]:
            info = {**INFO, "LSMinimumSystemVersion": minimum, "LSMinimumSystemVersionByArchitecture": by_architecture}
            self.assertEqual(check(TEMPLATE.replace("depends_on :macos", wanted), info), [])
            others = {"depends_on :macos", "depends_on macos: :ventura", "depends_on macos: :sierra"} - {wanted}
            for other in others:
                self.assertIn(wanted, str(check(TEMPLATE.replace("depends_on :macos", other), info)))

    def test_the_digest_is_that_of_the_disk_image(self):
        with tempfile.TemporaryDirectory() as folder:
            dmg = Path(folder) / "Baleen.dmg"
            dmg.write_bytes(b"an image")
            made = maker.finished(TEMPLATE, "1.2.3", hashlib.sha256(b"an image").hexdigest())
            self.assertEqual(check(made, dmg=dmg), [])
            dmg.write_bytes(b"another one")
            self.assertIn("that of", str(check(made, dmg=dmg)))
            self.assertIn("that of", str(check(TEMPLATE, dmg=dmg)))

    def test_its_files_are_those_of_the_bundle(self):
        with tempfile.TemporaryDirectory() as folder:
            app = Path(folder) / "Baleen.app"
            for path in checker.strings(TEMPLATE):
                if path.startswith("#{appdir}/Baleen.app/"):
                    file = app / path.split("/", 2)[2]
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.touch()
            self.assertEqual(check(TEMPLATE, app=app), [])
            man = app / "Contents/Resources/man/man1"
            (man / "baleen-new.1").touch()
            self.assertIn("baleen-new.1", str(check(TEMPLATE, app=app)))
            (man / "baleen-new.1").rename(man / "baleen.1")
            (app / "Contents/MacOS/baleen").unlink()
            self.assertIn("no such file", str(check(TEMPLATE, app=app)))

    def test_a_template_that_was_filled_in_is_not_filled_in_again(self):
        with self.assertRaises(ValueError):
            maker.finished(maker.finished(TEMPLATE, "1.2.3", "a" * 64), "1.2.3", "a" * 64)

    def test_the_versions_of_other_tables_are_not_the_packages(self):
        self.assertEqual(cargo_version(CARGO), "1.2.3")
        self.assertIsNone(cargo_version('[dependencies]\nversion = "9"\n'))

    def test_info_plist_is_what_the_cask_agrees_with(self):
        info = plistlib.loads((TOP / "Info.plist").read_bytes())
        self.assertEqual(check(TEMPLATE, info), [])


if __name__ == "__main__":
    unittest.main()

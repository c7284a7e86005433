#!/usr/bin/env python3
"""Tests of release.py: it refuses a tag that doesn't fit, and prints the notes of that version alone."""
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import release  # noqa: E402  beside this script

CARGO = '[package]\nname = "baleen"\nversion = "1.2.3"\n'
LOCK = '[[package]]\nname = "baleen"\nversion = "1.2.3"\ndependencies = []\n'
KEPT = ["1.2.2", "1.2.3"]
INFO = {"CFBundleShortVersionString": "$(VERSION)", "CFBundleVersion": "1.2.3"}
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n- New.\n\n## [1.2.3] - 2026-12-01\n\n- This.\n- That.\n\n## [1.2.2]\n\n- Old.\n"


class Release(unittest.TestCase):
    def test_what_fits(self):
        self.assertEqual(list(release.problems("v1.2.3", CARGO, LOCK, INFO, CHANGELOG, KEPT)), [])

    def test_what_does_not(self):
        for tag, cargo, info, changelog, complaint in [
            ("1.2.3", CARGO, INFO, CHANGELOG, "the tag is"),
            ("v1.2", CARGO, INFO, CHANGELOG, "the tag is"),
            ("v1.2.2", CARGO, INFO, CHANGELOG, "Cargo.toml has"),
            ("v1.2.3", CARGO.replace("package", "workspace"), INFO, CHANGELOG, "Cargo.toml has"),
            ("v1.2.3", CARGO, {**INFO, "CFBundleVersion": "1.2.2"}, CHANGELOG, "CFBundleVersion"),
            ("v1.2.3", CARGO, INFO, CHANGELOG.replace("1.2.3", "1.2.4"), "CHANGELOG.md"),
            ("v1.2.3", CARGO, INFO, CHANGELOG.replace("- This.\n- That.\n", ""), "CHANGELOG.md"),
        ]:
            with self.subTest(complaint, tag=tag):
                found = list(release.problems(tag, cargo, LOCK, info, changelog, KEPT))
                self.assertTrue(any(complaint in problem for problem in found), found)
        for lock, kept, complaint in [
            (LOCK.replace("1.2.3", "1.2.2"), KEPT, "Cargo.lock does not have baleen 1.2.3"),
            (LOCK, ["1.2.2"], "tests/upgrade has no folder 1.2.3"),
        ]:
            with self.subTest(complaint):
                (found,) = release.problems("v1.2.3", CARGO, lock, INFO, CHANGELOG, kept)
                self.assertIn(complaint, found)

    def test_the_notes_are_those_of_the_version(self):
        self.assertEqual(release.notes(CHANGELOG, "1.2.3"), "- This.\n- That.")
        self.assertEqual(release.notes(CHANGELOG, "1.2.2"), "- Old.")
        # A dot stands for itself.
        self.assertIsNone(release.notes(CHANGELOG, "1.2"))
        self.assertIsNone(release.notes(CHANGELOG.replace("1.2.3", "1x2.3"), "1.2.3"))


if __name__ == "__main__":
    unittest.main()

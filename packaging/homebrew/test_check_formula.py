#!/usr/bin/env python3
"""Tests of check-formula.py: each case breaks the formula in one way."""
import importlib.util
import stat
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))
import cask  # noqa: E402  beside this script
import formula as maker  # noqa: E402  beside this script

spec = importlib.util.spec_from_file_location("check_formula", HERE / "check-formula.py")
checker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checker)

TEMPLATE = maker.TEMPLATE.read_text(encoding="utf-8")
CASK = cask.TEMPLATE.read_text(encoding="utf-8")
CARGO = '[package]\nname = "baleen"\nversion = "1.2.3"\nlicense = "MIT OR Apache-2.0"\n\n[profile.dist]\n'
COMMIT = "0123456789abcdef0123456789abcdef01234567"

# The replaced text, the replacement, and the expected message.
BREAKS = [
    ("class BaleenCli <", "class Baleen <", "one class"),
    ('"rust" => :build\n', '"rust" => :build \n', "white space"),
    ("      This is the command line alone.", f"      {'x' * 118}", "at most 118"),
    ('  depends_on "rust" => :build\n  depends_on :macos\n', "", "there is no `depends_on`"),
    ("  service do", "  servce do", "there is no `service do`"),
    ('  homepage "', '  bottle true\n  homepage "', "`bottle`"),
    ('  license any_of: ["MIT", "Apache-2.0"]\n', '  license "MIT"\n', "Cargo.toml has ['MIT', 'Apache-2.0']"),
    ('"v0.0.0"', '"v1.2.4"', "Cargo.toml has '1.2.3'"),
    ('"v0.0.0"', '"v1.2.3"', "no commit"),
    ("baleen.git\",\n      tag:", "whale.git\",\n      tag:", "`url` should name"),
    ('homepage "https://github.com/baleen-app/baleen"', 'homepage "https://example.com"', "`homepage`"),
    ('desc "Keeps', 'desc "Puts', "that of the cask"),
    ('opt_bin/"baleen", "watch"', 'opt_bin/"baleen", "app"', "`service do` should have"),
    ("keep_alive successful_exit: false", "keep_alive true", "keep_alive"),
    (", *std_cargo_args", "", "std_cargo_args"),
    ('"--profile", "dist"', '"--profile", "small"', "profile small"),
    ("        baleen uninstall\n", "", "`baleen uninstall`"),
]


class CheckFormula(unittest.TestCase):
    def check(self, text, **others):
        return checker.problems(text, "baleen-cli", CARGO, CASK, **others)

    def test_the_template_and_what_is_made_of_it_are_sound(self):
        self.assertEqual(self.check(TEMPLATE), [])
        made = maker.finished(TEMPLATE, "1.2.3", COMMIT)
        self.assertEqual(self.check(made), [])
        self.assertTrue(made.startswith("class BaleenCli < Formula\n"), made[:80])
        for wanted in ('tag:      "v1.2.3"', f'revision: "{COMMIT}"'):
            self.assertIn(wanted, made)

    def test_each_way_to_break_it_is_reported(self):
        for old, new, complaint in BREAKS:
            with self.subTest(new):
                self.assertIn(old, TEMPLATE)
                found = self.check(TEMPLATE.replace(old, new, 1))
                self.assertTrue(any(complaint in problem for problem in found), found)

    def test_the_parts_have_homebrews_order(self):
        service = TEMPLATE[TEMPLATE.index("  service do"):TEMPLATE.index("  def caveats")]
        moved = TEMPLATE.replace(service, "").replace("  def install", f"{service}  def install")
        self.assertIn("`def install` has to come before `service do`", self.check(moved))

    def test_a_formula_is_made_once_and_of_a_commit(self):
        with self.assertRaises(ValueError):
            maker.finished(maker.finished(TEMPLATE, "1.2.3", COMMIT), "1.2.3", COMMIT)
        for revision in ("", "main", "0" * 40, COMMIT[:12]):
            with self.subTest(revision), self.assertRaises(ValueError):
                maker.finished(TEMPLATE, "1.2.3", revision)

    def test_a_program_that_does_something_else_is_reported(self):
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "baleen"
            program.write_text("#!/bin/sh\n[ \"$1\" = man ] || { echo \"not a command: $1\" >&2; exit 2; }\nmkdir \"$2\"; : > \"$2/baleen.1\"\n")
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
            renamed = TEMPLATE.replace('"baleen", "demo"', '"baleen", "show"')
            found = "\n".join(self.check(renamed, program=str(program)))
            for complaint in ("completions zsh", "`watch` is no command", "`show` is no", "`uninstall` is no", "baleen-apply.1"):
                self.assertIn(complaint, found)


if __name__ == "__main__":
    unittest.main()

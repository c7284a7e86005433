"""What cask.py and formula.py, and the checks of what they make, have in common. Standard library of Python 3.9 only."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
# The placeholder of the version in both templates.
NO_VERSION = "0.0.0"


def cargo_version(text):
    """The version in the text of a Cargo.toml; None where there is none."""
    package = re.search(r"^\[package\]\n(.*?)(?=^\[|\Z)", text, re.M | re.S)
    version = package and re.search(r'^version *= *"([^"]*)"', package[1], re.M)
    return version[1] if version else None


def released_version():
    """The version in Cargo.toml."""
    version = cargo_version((TOP / "Cargo.toml").read_text(encoding="utf-8"))
    if not version:
        raise ValueError(f"{TOP / 'Cargo.toml'} has no version in [package]")
    return version


def filled_in(template, first, changes):
    """The template from the word FIRST on, with each placeholder replaced, which has to be there once."""
    text = template[template.index(first):]
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(f"the template should have `{old}` once, and has it {text.count(old)} times")
        text = text.replace(old, new)
    return text


def report(path, found):
    """Prints what was found in the file at PATH, and what Ruby says of it. Returns the exit code."""
    ruby = shutil.which("ruby")
    if ruby:
        run = subprocess.run([ruby, "-c", str(path)], capture_output=True, text=True, check=False)
        if run.returncode:
            found = [*found, f"Ruby does not understand it: {run.stderr.strip()}"]
    for problem in found:
        print(f"{path}: {problem}", file=sys.stderr)
    if not found:
        print(f"{path}: sound{'' if ruby else ' (no Ruby here to check its syntax)'}")
    return 1 if found else 0

#!/usr/bin/env python3
"""Check the formula as far as possible without Homebrew.    check-formula.py [FORMULA [--program BALEEN]]

FORMULA: the template beside this script by default, or one that formula.py made. BALEEN: the program; runs the commands that
the formula runs at installation and in its service, and checks that they exist and write what is installed. The rules are
those of `brew style` and `brew audit` as the Formula Cookbook (https://docs.brew.sh/Formula-Cookbook) states them.
Needs only the standard library of Python 3.9; runs `ruby -c` if Ruby is installed.
"""
import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import cask  # noqa: E402  beside this script
import formula as maker  # noqa: E402  beside this script
from shared import NO_VERSION, TOP, cargo_version, report  # noqa: E402  beside this script

HOMEPAGE = "https://github.com/baleen-app/baleen"
LONGEST_LINE = 118
LONGEST_DESC = 80

# Homebrew's order of what a formula has.
ORDER = ["desc", "homepage", "url", "license", "head", "depends_on", "def install", "service do", "def caveats", "test do"]


def strings(text):
    """The strings between double quotes."""
    return re.findall(r'"((?:[^"\\]|\\.)*)"', text)


def class_name(stem):
    """The name of the class that Homebrew looks for in the file STEM.rb."""
    return "".join(word.capitalize() for word in stem.split("-"))


def parts(text):
    """The parts of the formula by their names, each with its lines."""
    found, name = {}, None
    for line in text.splitlines():
        if re.match(r" {2}[a-z]", line) and line.strip() != "end":
            words = line.split()
            name = " ".join(words[:2]) if words[0] == "def" or line.endswith(" do") else words[0]
            found[name] = found.get(name, "") + line + "\n"
        elif name and line.startswith("  ") and not line.startswith("  #"):
            found[name] += line + "\n"
    return found


def style(text, stem):
    """One sentence for each rule of style that is broken."""
    if f"\nclass {class_name(stem)} < Formula\n" not in f"\n{text}" or not text.endswith("\nend\n"):
        yield f"it should be one class, `class {class_name(stem)} < Formula` to `end`, as its file is called {stem}.rb"
    for number, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip() or "\t" in line:
            yield f"line {number} has a tab, or ends in white space"
        if len(line) > LONGEST_LINE:
            yield f"line {number} has {len(line)} characters, at most {LONGEST_LINE} are allowed"
    names = list(parts(text))
    for name in names:
        if name not in ORDER:
            yield f"`{name}` is not something that this script knows"
    for name in ORDER:
        if name not in names:
            yield f"there is no `{name}`"
    known = [name for name in names if name in ORDER]
    for before, name in zip(known, known[1:]):
        if ORDER.index(name) < ORDER.index(before):
            yield f"`{name}` has to come before `{before}`"


def manifest(cargo, key):
    """The text of a key of [package] in Cargo.toml."""
    package = re.search(r"^\[package\]\n(.*?)(?=^\[|\Z)", cargo, re.M | re.S)
    value = package and re.search(rf'^{key} *= *"([^"]*)"', package[1], re.M)
    return value[1] if value else None


def agreement(found, cargo, cask_text):
    """One sentence for each difference from the sources, the cask and the release."""
    address, tag, revision = (strings(found["url"]) + [None] * 3)[:3]
    if address != f"{HOMEPAGE}.git" or "tag:" not in found["url"] or "revision:" not in found["url"]:
        yield f"`url` should name {HOMEPAGE}.git with `tag:` and `revision:`"
    is_template = tag == f"v{NO_VERSION}" and revision == maker.NO_REVISION
    if not is_template and tag != f"v{cargo_version(cargo)}":
        yield f"`tag:` is {tag!r}, and Cargo.toml has {cargo_version(cargo)!r}"
    if not is_template and (not re.fullmatch(r"[0-9a-f]{40}", revision or "") or revision == maker.NO_REVISION):
        yield f"`revision:` is {revision!r}, which is no commit"
    if strings(found["homepage"]) != [HOMEPAGE]:
        yield f"`homepage` should be {HOMEPAGE}"
    desc = strings(found["desc"])
    if desc != strings(re.search(r"^  desc .*$", cask_text, re.M)[0]):
        yield "`desc` should be that of the cask"
    if any(len(text) >= LONGEST_DESC for text in desc):
        yield f"`desc` should have less than {LONGEST_DESC} characters"
    licenses = (manifest(cargo, "license") or "").split(" OR ")
    if strings(found["license"]) != licenses:
        yield f"`license` is {strings(found['license'])}, and Cargo.toml has {licenses}"
    program = manifest(cargo, "name")
    for part, wanted in [
        ("depends_on", '"rust" => :build'),
        ("def install", '"cargo", "install"'),
        ("def install", "*std_cargo_args"),
        ("def install", f'generate_completions_from_executable(bin/"{program}", "completions"'),
        ("def install", "man1.install"),
        ("service do", f'run [opt_bin/"{program}", "watch"]'),
        # As in packaging/launchd: a watch that was asked to end stays ended.
        ("service do", "keep_alive successful_exit: false"),
        ("service do", "throttle_interval 60"),
        ("test do", f"{program} --version"),
        ("def caveats", f"{program} uninstall"),
        ("def caveats", "--cask"),
    ]:
        if wanted not in found[part]:
            yield f"`{part}` should have `{wanted}`"
    profile = re.search(r'"--profile", "([^"]+)"', found["def install"])
    if profile and f"[profile.{profile[1]}]" not in cargo:
        yield f"`install` builds with the profile {profile[1]}, and Cargo.toml has none of this name"


def commands(text, program, cask_text):
    """One sentence for each command of the formula that the program doesn't have, or that writes something else."""
    def run(*arguments):
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr.strip()

    for shell in re.findall(r":(\w+)", re.search(r"shells: \[([^\]]*)\]", text)[1]):
        code, script, error = run("completions", shell)
        if code or "baleen" not in script:
            yield f"`completions {shell}` prints no script (exit code {code}): {error}"
    # Those that it runs, and those that its caveats name on a line of their own.
    named = re.findall(r'bin/"baleen", "([a-z-]+)"', text) + re.findall(r"^ +baleen ([a-z-]+)$", text, re.M)
    for command in sorted(set(named)):
        code, _, error = run(command, "--help")
        if code:
            yield f"`{command}` is no command of the program: {error}"
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder) / "man1"
        code, _, error = run("man", str(folder))
        written = {page.name for page in folder.glob("*")}
        if code or "baleen.1" not in written:
            yield f"`man` writes no manual (exit code {code}): {error}"
        other = {name for name in written if not name.endswith(".1")}
        if other:
            yield f"`man1/*.1` leaves out {sorted(other)}"
        pages = set(re.findall(r"/(baleen[a-z-]*\.1)\"", cask_text))
        if written != pages:
            yield f"the program writes other manual pages than the cask names: {sorted(written ^ pages)}"


def problems(text, stem, cargo, cask_text, program=None):
    """One sentence for each thing that is wrong with the formula whose text this is, in a file STEM.rb."""
    text = text[text.index("class "):] if "class " in text else text
    found = list(style(text, stem))
    # A missing part was reported above, and has nothing to check.
    there = parts(text)
    if all(name in there for name in ORDER):
        found += agreement(there, cargo, cask_text)
        if program:
            found += commands(text, program, cask_text)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formula", metavar="FORMULA", type=Path, nargs="?", default=maker.TEMPLATE)
    parser.add_argument("--program", metavar="BALEEN", help="the program, to compare with what it does")
    arguments = parser.parse_args()
    try:
        text = arguments.formula.read_text(encoding="utf-8")
        cargo = (TOP / "Cargo.toml").read_text(encoding="utf-8")
        cask_text = cask.TEMPLATE.read_text(encoding="utf-8")
        found = problems(text, arguments.formula.stem, cargo, cask_text, arguments.program)
    except (OSError, ValueError) as error:
        sys.exit(f"check-formula.py: {error}")
    return report(arguments.formula, found)


if __name__ == "__main__":
    sys.exit(main())

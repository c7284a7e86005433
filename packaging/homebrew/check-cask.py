#!/usr/bin/env python3
"""Check a cask as far as possible without Homebrew.    check-cask.py [CASK [DMG [APP]]]

CASK: the template beside this script by default, or a cask that cask.py made. DMG: the cask's disk image. APP: the bundle
in it, whose files are then compared as well. The rules of style are those of `brew style` and `brew audit` as
the Cask Cookbook (https://docs.brew.sh/Cask-Cookbook) and Homebrew's own constants state them, as of Homebrew 6.
Needs only the standard library of Python 3.9; runs `ruby -c` if Ruby is installed.
"""
import argparse
import plistlib
import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import cask as maker  # noqa: E402  beside this script
from shared import NO_VERSION, TOP, cargo_version, report  # noqa: E402  beside this script

HOMEPAGE = "https://github.com/baleen-app/baleen"

# The files of the bundle that a cask may name, below Contents.
LAYOUT = re.compile(
    r"Info\.plist|PkgInfo|MacOS/baleen|Resources/(AppIcon\.icns|LICENSE-MIT|LICENSE-APACHE|bin/baleen"
    r"|completions/(baleen\.bash|_baleen|baleen\.fish)|man/man1/baleen(-[a-z]+)*\.1)"
)

# Homebrew's order of stanzas. An empty line stands between groups, and nowhere else.
GROUPS = [
    ["version", "sha256"],
    ["url", "name", "desc", "homepage"],
    ["livecheck"],
    ["auto_updates", "conflicts_with", "depends_on", "container"],
    ["app", "binary", "manpage", "bash_completion", "fish_completion", "zsh_completion"],
    ["uninstall"],
    ["zap"],
    ["caveats"],
]
ORDER = [name for group in GROUPS for name in group]
ONCE = [name for name in ORDER if name != "manpage"]
WANTED = [name for name in ORDER if name not in ("auto_updates", "conflicts_with", "container")]

# The releases of macOS from 11 on, by Homebrew's names. It refuses a cask with the name of 10.14 or an older one ("is
# disabled! There is no replacement").
RELEASES = {"big_sur": 11, "monterey": 12, "ventura": 13, "sonoma": 14, "sequoia": 15, "tahoe": 26}

LONGEST_LINE = 118
LONGEST_DESC = 80


def stanzas(text):
    """The stanzas as (name, lines, whether an empty line comes before it), and comments left out."""
    found, gap = [], False
    for line in text.splitlines():
        if re.match(r" {2}[a-z]", line) and line.strip() != "end":
            found.append((line.split()[0], [line], gap))
        elif found and line.startswith("  ") and not line.startswith("  #"):
            found[-1][1].append(line)
        if not line.startswith("  #"):
            gap = not line.strip()
    return [(name, "\n".join(lines), gap) for name, lines, gap in found]


def strings(text):
    """The strings between double quotes."""
    return re.findall(r'"((?:[^"\\]|\\.)*)"', text)


def of_key(stanza, key):
    """The strings of one key of a stanza, as of `trash:` in `zap`."""
    values = re.search(rf"\b{key}: *(\[[^\]]*\]|\"[^\"]*\")", stanza)
    return strings(values[1]) if values else []


def minimum_system(info):
    """The oldest major release that any of the architectures runs on."""
    minimums = [info.get("LSMinimumSystemVersion", "")]
    minimums += info.get("LSMinimumSystemVersionByArchitecture", {}).values()
    majors = [int(minimum.split(".")[0]) for minimum in minimums if re.match(r"\d+\.", minimum)]
    return min(majors) if majors else None


def style(text, stem):
    """One sentence for each rule of style that is broken."""
    header = re.search(r'^cask "([a-z0-9-]+)" do$', text, re.M)
    if not header or not text.rstrip("\n").endswith("\nend"):
        yield 'it should be one block, `cask "NAME" do` to `end`'
        return
    if header[1] != stem:
        yield f'the cask is called "{header[1]}" and its file {stem}.rb, which have to agree'
    if not text.endswith("\n") or text.endswith("\n\n"):
        yield "it should end with one line end"
    for number, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip() or "\t" in line:
            yield f"line {number} has a tab, or ends in white space"
        if len(line) > LONGEST_LINE:
            yield f"line {number} has {len(line)} characters, at most {LONGEST_LINE} are allowed"
    parts = stanzas(text[header.end():])
    names = [name for name, _, _ in parts]
    for name in names:
        if name not in ORDER:
            yield f"the stanza `{name}` is not one that this script knows"
    for name in WANTED:
        if name not in names:
            yield f"there is no `{name}`"
    for name in ONCE:
        if names.count(name) > 1:
            yield f"`{name}` is there {names.count(name)} times"
    known = [part for part in parts if part[0] in ORDER]
    for (before, _, _), (name, _, gap) in zip(known, known[1:]):
        if ORDER.index(name) < ORDER.index(before):
            yield f"`{name}` has to come before `{before}`"
        same = any(before in group and name in group for group in GROUPS)
        if same and gap:
            yield f"there should be no empty line between `{before}` and `{name}`"
        if not same and not gap:
            yield f"there should be an empty line between `{before}` and `{name}`"
    code = re.sub(r"^ *#[^\n]*$|<<~EOS\n.*?^ *EOS$|\"(?:[^\"\\]|\\.)*\"", "", text, flags=re.M | re.S)
    if "'" in code:
        yield "strings are put between double quotes"


def contents(parts):
    """One sentence for each stanza that does not say what it should."""
    url, homepage, desc = strings(parts["url"])[:1], strings(parts["homepage"])[:1], strings(parts["desc"])[:1]
    if url != [f"{HOMEPAGE}/releases/download/v#{{version}}/Baleen.dmg"]:
        yield f"`url` is {url}, and should name Baleen.dmg of the release v#{{version}} at {HOMEPAGE}"
    if homepage != [HOMEPAGE]:
        yield f"`homepage` is {homepage}, and should be {HOMEPAGE}"
    # Allowed only for a download from another place than the homepage.
    if "verified:" in parts["url"]:
        yield "`url` needs no `verified:`, since it is below the homepage"
    if "url :url" not in parts["livecheck"] or "strategy :github_latest" not in parts["livecheck"]:
        yield "`livecheck` should look at the latest release (`url :url`, `strategy :github_latest`)"
    if "auto_updates" in parts:
        yield "`auto_updates` is for apps that update themselves, and Baleen does not"
    for text in desc:
        if len(text) >= LONGEST_DESC:
            yield f"`desc` has {len(text)} characters, and should have less than {LONGEST_DESC}"
        named = re.search(r"\b(mac|macos|os x|baleen)\b", text, re.I)
        if named or re.match(r"[^A-Z]|(A|An|The) ", text) or text.endswith("."):
            yield "`desc` should begin with a capital and no article, name neither platform nor app, and have no full stop"
    for name in ("uninstall", "zap"):
        lists = re.findall(r"\[([^\]]*)\]", parts[name])
        if any(strings(one) != sorted(strings(one), key=str.lower) for one in lists):
            yield f"the lists of `{name}` have to be in alphabetical order"
    # See the comment in the cask.
    for key in re.findall(r"\b([a-z_]+):(?= )", re.sub(r'"[^"]*"', "", parts["uninstall"])):
        if key not in ("quit", "login_item"):
            yield f"`uninstall` has `{key}:`, which an upgrade of Baleen runs as well"
    for topic in ("baleen uninstall", "Keychain", "App Management"):
        if topic not in parts["caveats"]:
            yield f"`caveats` should say what there is to know of {topic}"


def agreement(parts, info, cargo, dmg, app):
    """One sentence for each difference from the release."""
    version, digest = strings(parts["version"])[:1], strings(parts["sha256"])[:1]
    is_template = version == [NO_VERSION] and digest == [maker.NO_DIGEST]
    if not is_template and version != [cargo_version(cargo)]:
        yield f"`version` is {version}, and Cargo.toml has {cargo_version(cargo)!r}"
    if not is_template and (not re.fullmatch(r"[0-9a-f]{64}", "".join(digest)) or digest == [maker.NO_DIGEST]):
        yield f"`sha256` is {digest}, which is no digest of a file"
    if dmg and digest != [maker.digest(dmg)]:
        yield f"`sha256` is {digest}, and that of {dmg} is {maker.digest(dmg)}"
    identifier, name = info.get("CFBundleIdentifier"), info.get("CFBundleName")
    for key, wanted in [("quit", identifier), ("login_item", name)]:
        if of_key(parts["uninstall"], key) != [wanted]:
            yield f"`uninstall {key}:` is {of_key(parts['uninstall'], key)}, and should be {wanted!r} as in Info.plist"
    if of_key(parts["zap"], "launchctl") != [identifier, f"{identifier}.watch"]:
        yield f"`zap launchctl:` should have the labels {identifier} and {identifier}.watch (packaging/launchd)"
    if strings(parts["app"]) != [f"{name}.app"] or strings(parts["name"]) != [name]:
        yield f"`app` and `name` should have the name of Info.plist, {name!r}"
    minimum = minimum_system(info)
    symbol = next((symbol for symbol, major in RELEASES.items() if major == minimum), None)
    # A minimum that all of Homebrew's systems meet is redundant, and Homebrew refuses the names of older systems.
    is_old = minimum is not None and minimum <= min(RELEASES.values())
    wanted = "depends_on :macos" if is_old else f"depends_on macos: :{symbol}"
    if parts["depends_on"].strip() != wanted:
        yield f"`{parts['depends_on'].strip()}` should be `{wanted}`: Info.plist allows macOS {minimum}"
    inside = []
    for stanza in ("binary", "manpage", "bash_completion", "fish_completion", "zsh_completion"):
        for path in strings(parts[stanza]):
            prefix = f"#{{appdir}}/{name}.app/Contents/"
            inside.append(path[len(prefix):])
            if not path.startswith(prefix) or not LAYOUT.fullmatch(inside[-1]):
                yield f"`{stanza}` names {path}, which is not in the bundle"
    if app:
        for path in inside:
            if not (app / "Contents" / path).is_file():
                yield f"the cask names {path}, and {app} has no such file"
        for page in sorted((app / "Contents/Resources/man").glob("man*/*")):
            if str(page.relative_to(app / "Contents")) not in inside:
                yield f"{app} has the manual page {page.name}, and the cask does not"


def problems(text, stem, info, cargo, dmg=None, app=None):
    """One sentence for each thing that is wrong with the cask whose text this is, in a file STEM.rb."""
    found = list(style(text, stem))
    parts = {}
    for name, part, _ in stanzas(text[text.find("\ncask ") + 1:]):
        parts[name] = f"{parts[name]}\n{part}" if name in parts else part
    # A missing stanza was reported above, and has nothing to check.
    if all(name in parts for name in WANTED):
        found += contents(parts)
        found += agreement(parts, info, cargo, dmg, app)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cask", metavar="CASK", type=Path, nargs="?", default=maker.TEMPLATE)
    parser.add_argument("dmg", metavar="DMG", type=Path, nargs="?")
    parser.add_argument("app", metavar="APP", type=Path, nargs="?")
    arguments = parser.parse_args()
    try:
        text = arguments.cask.read_text(encoding="utf-8")
        info = plistlib.loads((TOP / "Info.plist").read_bytes())
        cargo = (TOP / "Cargo.toml").read_text(encoding="utf-8")
        found = problems(text, arguments.cask.stem, info, cargo, arguments.dmg, arguments.app)
    except (OSError, ValueError) as error:
        sys.exit(f"check-cask.py: {error}")
    return report(arguments.cask, found)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Make the formula of a release.    formula.py --out dist/baleen-cli.rb [--revision COMMIT]

Fills in the template beside this script with the version of Cargo.toml and the commit that is released: by default that of
the checkout. A commit is a digest of the sources, so Homebrew needs no other.
Standard library of Python 3.9 only.
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
from shared import NO_VERSION, TOP, filled_in, released_version  # noqa: E402  beside this script

TEMPLATE = Path(__file__).with_name("baleen-cli.rb")

# The placeholder of the template.
NO_REVISION = "0" * 40


def finished(template, version, revision):
    """The formula of the release with this version, made from this commit."""
    if not re.fullmatch(r"[0-9a-f]{40}", revision) or revision == NO_REVISION:
        raise ValueError(f"{revision!r} is no commit; expected 40 hexadecimal digits")
    return filled_in(template, "class ", [(f'"v{NO_VERSION}"', f'"v{version}"'), (f'"{NO_REVISION}"', f'"{revision}"')])


def checked_out():
    """The commit of the checkout."""
    git = ["git", "-C", str(TOP), "rev-parse", "HEAD"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"`{' '.join(git)}` names no commit, so give it with --revision: {done.stderr.strip()}")
    return done.stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where the formula is to go")
    parser.add_argument("--revision", metavar="COMMIT", help="the commit that is released")
    arguments = parser.parse_args()
    try:
        version = released_version()
        revision = arguments.revision or checked_out()
        formula = finished(TEMPLATE.read_text(encoding="utf-8"), version, revision)
        arguments.out.write_text(formula, encoding="utf-8")
    except (OSError, ValueError) as error:
        sys.exit(f"formula.py: {error}")
    print(f"{arguments.out}: version {version}")


if __name__ == "__main__":
    main()

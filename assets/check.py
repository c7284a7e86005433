#!/usr/bin/env python3
"""Compare the committed icons with those that render.sh has just drawn from the SVGs: check.py ASSETS DRAWN STATE...

DRAWN has STATE.alpha and STATE.16 for the menu bar, and app/drawn and app/found: the pictures of the new AppIcon.icns
and of the one that is checked in, as RGBA. Another version of the renderer smooths an edge a little differently.
"""
import sys
from pathlib import Path


def distance(one, other):
    """The difference of two pictures, averaged over all values."""
    return sum(abs(a - b) for a, b in zip(one, other)) / len(one)


def menu(assets, drawn, states):
    """The problems of the menu-bar icons, one sentence each."""
    for path in (assets / "menu").glob("*.alpha"):
        if path.stem not in states:
            yield f"{path.name} has no drawing"
    for state in states:
        path = assets / "menu" / f"{state}.alpha"
        new = (drawn / path.name).read_bytes()
        old = path.read_bytes() if path.exists() else b""
        if len(old) != 36 * 36 or distance(old, new) > 2:
            yield f"{path.name} is not what {state}.svg gives; run assets/render.sh"
    small = {state: (drawn / f"{state}.16").read_bytes() for state in states}
    for number, one in enumerate(states):
        for other in states[:number]:
            # A badge has some 36 of the 256 pixels; a difference in a third of them is visible.
            if distance(small[one], small[other]) < 12:
                yield f"{one} and {other} look alike at 16 pixels"


def app(drawn, found):
    """The problems of the app's icon. icns.py has already checked that every size exists."""
    for path in sorted(drawn.glob("*.rgba")):
        new, old = path.read_bytes(), (found / path.name).read_bytes()
        if old == new:
            continue
        # A new tint differs a little everywhere, a new detail much in a few places. A smoothed edge does neither.
        far = sum(abs(a - b) > 24 for a, b in zip(old, new)) / len(new)
        if len(old) != len(new) or distance(old, new) > 0.5 or far > 0.001:
            yield f"{path.stem} in AppIcon.icns is not what icon.svg gives; run assets/render.sh"


def main():
    assets, drawn, states = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    wrong = [*menu(assets, drawn, states), *app(drawn / "app/drawn", drawn / "app/found")]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(states)} icons of the menu bar, as drawn, each unlike the others; the app's icon, as drawn")


if __name__ == "__main__":
    main()

#!/usr/bin/env bash
# Renders the menu-bar icons. Each assets/menu/STATE.svg becomes STATE.alpha: the opacity of 44 by 44 pixels (22 points
# on a screen with two pixels a point), row by row, one byte each. The drawing is 32 pixels wide, with a margin around
# it. assets/menu-icons.png shows all of them as they are seen: at 16, 22 and 44 pixels, on a light and a dark bar.
#
#   assets/render.sh            render anew
#   assets/render.sh --check    only see whether what is checked in is what the drawings give, and whether each icon
#                               can be told from each other at 16 pixels
#
# Needs rsvg-convert and ImageMagick (Debian: librsvg2-bin, imagemagick, fonts-dejavu-core) and python3.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case "${1:-}" in
"" | --check) ;;
*) echo "render.sh: expected nothing or --check, found $1" >&2; exit 2 ;;
esac
for tool in rsvg-convert convert python3; do
	command -v "$tool" > /dev/null || { echo "render.sh: $tool is missing; on Debian: apt-get install librsvg2-bin imagemagick fonts-dejavu-core python3" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
states=()
for svg in "$here"/menu/*.svg; do
	state=$(basename "$svg" .svg)
	states+=("$state")
	rsvg-convert -w 32 -h 32 "$svg" -o "$work/$state.png"
	convert "$work/$state.png" -background none -gravity center -extent 44x44 -alpha extract -depth 8 "gray:$work/$state.alpha"
	rsvg-convert -w 16 -h 16 "$svg" -o "$work/$state.16.png"
	convert "$work/$state.16.png" -alpha extract -depth 8 "gray:$work/$state.16"
done

if [ "${1:-}" = --check ]; then
	exec python3 - "$here/menu" "$work" "${states[@]}" << 'PYTHON'
import sys
from pathlib import Path

checked_in, rendered, states = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
wrong = []


def distance(one, other):
    return sum(abs(a - b) for a, b in zip(one, other)) / len(one)


for path in checked_in.glob("*.alpha"):
    if path.stem not in states:
        wrong.append(f"{path.name} has no drawing")
for state in states:
    path = checked_in / f"{state}.alpha"
    new = (rendered / path.name).read_bytes()
    old = path.read_bytes() if path.exists() else b""
    # Another version of the renderer smooths an edge a little differently.
    if len(old) != 44 * 44 or distance(old, new) > 2:
        wrong.append(f"{path.name} is not what {state}.svg gives; run assets/render.sh")
small = {state: (rendered / f"{state}.16").read_bytes() for state in states}
for number, one in enumerate(states):
    for other in states[:number]:
        # A badge is some 36 of the 256 pixels; two that differ in a third of one are told apart.
        if distance(small[one], small[other]) < 12:
            wrong.append(f"{one} and {other} look alike at 16 pixels")
if wrong:
    sys.exit("\n".join(wrong))
print(f"{len(states)} icons, as drawn, each unlike the others")
PYTHON
fi

for state in "${states[@]}"; do
	cp "$work/$state.alpha" "$here/menu/$state.alpha"
done
rows=()
for state in "${states[@]}"; do
	cells=()
	for bar in "#f6f6f6 #000000" "#2b2b2b #ffffff"; do
		read -r ground ink <<< "$bar"
		for size in 16 22 44; do
			drawn=$((size * 32 / 44))
			[ "$size" = 44 ] && drawn=32
			[ "$size" = 16 ] && drawn=16
			rsvg-convert -w "$drawn" -h "$drawn" "$here/menu/$state.svg" -o "$work/one.png"
			convert "$work/one.png" -channel RGB -fill "$ink" -colorize 100 +channel -background "$ground" -gravity center \
				-extent 64x52 -flatten "$work/cell-${#cells[@]}.png"
			cells+=("$work/cell-${#cells[@]}.png")
		done
	done
	convert -size 150x52 -background white -fill black -font DejaVu-Sans -pointsize 13 -gravity west "label: $state" "$work/label.png"
	convert "$work/label.png" "${cells[@]}" +append "$work/row-$state.png"
	rows+=("$work/row-$state.png")
done
convert "${rows[@]}" -append -strip "$here/menu-icons.png"
echo "${#states[@]} icons rendered"

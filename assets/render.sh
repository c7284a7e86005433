#!/usr/bin/env bash
# Renders the icons of the menu bar and of the app from their drawings.
#
# Each assets/menu/SHAPE.svg becomes SHAPE.alpha: the opacity of 36 by 36 pixels (18 points on a screen with two pixels a
# point), row by row, one byte each. The drawing is 32 pixels wide, with a margin around it. assets/menu-icons.png shows
# all of them as they are seen: at 16, 18 and 36 pixels, on a light and a dark bar.
#
# assets/icon.svg becomes AppIcon.icns, in every size from 16 to 1024 pixels, and assets/app-icon.png, where it is seen.
#
#   assets/render.sh            renders all icons
#   assets/render.sh --check    only checks that the committed icons match the drawings, that the menu-bar icons differ
#                               visibly at 16 pixels, and that the app's icon has every size
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
light='#f6f6f6'
dark='#2b2b2b'

draw_menu() {
	local svg state
	for svg in "$here"/menu/*.svg; do
		state=$(basename "$svg" .svg)
		states+=("$state")
		rsvg-convert -w 32 -h 32 "$svg" -o "$work/$state.png"
		convert "$work/$state.png" -background none -gravity center -extent 36x36 -alpha extract -depth 8 "gray:$work/$state.alpha"
		rsvg-convert -w 16 -h 16 "$svg" -o "$work/$state.16.png"
		convert "$work/$state.16.png" -alpha extract -depth 8 "gray:$work/$state.16"
	done
}

draw_app() {
	local size style
	mkdir "$work/app"
	: > "$work/fine.css"
	echo ".fine { display: none } .coarse { display: inline }" > "$work/coarse.css"
	for size in 16 32 64 128 256 512 1024; do
		style=fine
		[ "$size" -gt 32 ] || style=coarse
		rsvg-convert --stylesheet "$work/$style.css" -w "$size" -h "$size" "$here/icon.svg" -o "$work/app/$size.png"
	done
	for size in 16 32; do
		convert "$work/app/$size.png" -depth 8 "rgba:$work/app/$size.rgba"
	done
	python3 "$here/icns.py" pack "$work/app" "$work/AppIcon.icns"
}

# The pictures of an .icns, as pixels: unpack FILE.icns FOLDER
unpack() {
	local png
	python3 "$here/icns.py" unpack "$1" "$2"
	for png in "$2"/*.png; do
		convert "$png" -depth 8 "rgba:${png%.png}.rgba"
	done
}

show_menu() {
	local state bar ground ink size drawn cells rows=()
	for state in "${states[@]}"; do
		cells=()
		for bar in "$light #000000" "$dark #ffffff"; do
			read -r ground ink <<< "$bar"
			for size in 16 18 36; do
				drawn=$((size * 32 / 36))
				[ "$size" = 36 ] && drawn=32
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
}

# Every size but the two largest, pixel by pixel, then the two smallest four times as large.
show_app() {
	local ground size name rows=()
	for size in 16 32; do
		convert "$work/app/$size.png" -filter point -resize 400% "$work/app/$size.large.png"
	done
	for ground in "xc:$light" "xc:$dark" "gradient:#c05a7a-#e8c46a"; do
		name=$work/app-row-${#rows[@]}.png
		convert -size 820x280 "$ground" -gravity northwest \
			"$work/app/16.png" -geometry +20+132 -composite "$work/app/32.png" -geometry +56+124 -composite \
			"$work/app/64.png" -geometry +108+108 -composite "$work/app/128.png" -geometry +190+76 -composite \
			"$work/app/256.png" -geometry +326+12 -composite \
			"$work/app/16.large.png" -geometry +592+108 -composite "$work/app/32.large.png" -geometry +676+76 -composite \
			-depth 8 "$name"
		rows+=("$name")
	done
	convert "${rows[@]}" -append -strip "$here/app-icon.png"
}

draw_menu
draw_app
unpack "$work/AppIcon.icns" "$work/app/drawn"
cmp "$work/app/16.rgba" "$work/app/drawn/is32.rgba"
cmp "$work/app/32.rgba" "$work/app/drawn/il32.rgba"

if [ "${1:-}" = --check ]; then
	unpack "$here/AppIcon.icns" "$work/app/found"
	python3 "$here/check.py" "$here" "$work" "${states[@]}"
	exit
fi

for state in "${states[@]}"; do
	cp "$work/$state.alpha" "$here/menu/$state.alpha"
done
cp "$work/AppIcon.icns" "$here/AppIcon.icns"
show_menu
show_app
echo "${#states[@]} icons of the menu bar rendered, and the app's"

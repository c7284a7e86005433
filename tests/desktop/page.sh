#!/usr/bin/env bash
# Takes a picture of a page of `baleen doctor --html` in Chromium, and checks that the browser uses the page's style, which the
# page's own policy could forbid.
#
#   tests/desktop/page.sh OUT.png PAGE WIDTH HEIGHT light|dark
set -euo pipefail
die() { printf 'page.sh: %s\n' "$*" >&2; exit 1; }
[ $# -eq 5 ] || die "usage: page.sh OUT.png PAGE WIDTH HEIGHT light|dark"
out=$(realpath "$1") page=$(realpath "$2")
# The number is Blink's own; the ground is --page in src/text/doctor/page.css.
case $5 in
	light) scheme=1 ground=F4F4F6 ;;
	dark) scheme=0 ground=161618 ;;
	*) die "no color scheme $5" ;;
esac
for tool in chromium convert; do
	command -v "$tool" > /dev/null || die "needs $tool. Debian: apt-get install --no-install-recommends chromium imagemagick"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -f "$out"
# It is run as root in .ci/run, where it has no sandbox. The page is our own, and the browser has no network for it.
HOME=$work timeout 120 chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" \
	--proxy-server=127.0.0.1:9 --disable-background-networking --disable-component-update --no-first-run \
	--blink-settings=preferredColorScheme=$scheme --window-size="$3,$4" --screenshot="$out" "file://$page" > "$work/log" 2>&1 ||
	{ tail -n 20 "$work/log" >&2; die "Chromium did not show $page"; }
[ -s "$out" ] || die "Chromium took no picture of $page"
found=$(convert "$out" -format '%[hex:p{2,2}]' info:)
[ "$found" = "$ground" ] || die "the page is #$found, expected #$ground: Chromium does not use its style"

#!/usr/bin/env bash
# Makes a Docker.app for Macs that can't run the Docker of 2016: an AppleScript that stays open until it is asked to quit,
# under Docker's identifier, with the small image of `baleen demo` in it. Baleen can patch, quit and open it like the real
# one. Run again, it is an update: the old app goes, and one with another version and an image of its own takes its place.
#
#   packaging/macos/stand-in.sh FOLDER [VERSION]        makes FOLDER/Docker.app, version 1.12.0 if none is given
set -euo pipefail

die() { printf 'stand-in.sh: %s\n' "$*" >&2; exit 1; }
[ $# = 1 ] || [ $# = 2 ] || die "which folder? packaging/macos/stand-in.sh FOLDER [VERSION]"
[ "$(uname -s)" = Darwin ] || die "needs a Mac; elsewhere \`baleen demo --keep FOLDER\` does"
baleen=${BALEEN:-/Applications/Baleen.app/Contents/MacOS/baleen}
[ -x "$baleen" ] || die "there is no $baleen; BALEEN names another"

work=$(mktemp -d /tmp/baleen.XXXXXX)
trap 'rm -rf "$work"' EXIT
"$baleen" demo --keep "$work/demo" > /dev/null
app=$work/Docker.app
osacompile -s -o "$app" -e 'return'
ditto "$work/demo/Docker.app/Contents/Resources/moby" "$app/Contents/Resources/moby"
info=$app/Contents/Info.plist
plutil -replace CFBundleIdentifier -string com.docker.docker "$info"
plutil -replace CFBundleName -string Docker "$info"
plutil -replace CFBundleShortVersionString -string "${2:-1.12.0}" "$info"
plutil -replace CFBundleVersion -string "$(date +%s)" "$info"
codesign --force --sign - "$app"
mkdir -p "$1"
[ ! -e "$1/Docker.app" ] || [ -e "$1/Docker.app/Contents/MacOS/applet" ] ||
	die "$1/Docker.app is there and is no stand-in; give another folder"
# As an installer does it: the old app goes, the new one takes its place.
rm -rf "$1/Docker.app"
mv "$app" "$1/Docker.app"
printf '%s/Docker.app, version %s\n' "$1" "${2:-1.12.0}"

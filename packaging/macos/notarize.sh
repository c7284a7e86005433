#!/usr/bin/env bash
# Has Apple notarize the disk image that package.sh made and signed, and staples the ticket to it, so that macOS opens the
# app without a warning even offline. Then makes the files that depend on the image again: the cask and the checksums.
#
#   packaging/macos/notarize.sh [DMG]       by default dist/Baleen.dmg
#
# Set the credentials in one of two ways (`man notarytool`):
#   NOTARY_PROFILE      the name that `xcrun notarytool store-credentials` was given
#   NOTARY_KEY_FILE, NOTARY_KEY_ID, NOTARY_ISSUER
#                       an App Store Connect API key: its .p8 file, its id, and the issuer of a team's key
# Needs macOS 12 or later with Xcode 13 or later, and an image whose app is signed with a Developer ID (SIGN_AS, for package.sh).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
dmg=${1:-$top/dist/Baleen.dmg}
die() { printf 'notarize.sh: %s\n' "$*" >&2; exit 1; }

[ "$(uname -s)" = Darwin ] || die "needs a Mac: notarytool and stapler are parts of Xcode"
[ -f "$dmg" ] || die "there is no $dmg; packaging/macos/package.sh makes it"
if [ -n "${NOTARY_PROFILE:-}" ]; then
	who=(--keychain-profile "$NOTARY_PROFILE")
elif [ -n "${NOTARY_KEY_FILE:-}" ] && [ -n "${NOTARY_KEY_ID:-}" ]; then
	who=(--key "$NOTARY_KEY_FILE" --key-id "$NOTARY_KEY_ID")
	[ -z "${NOTARY_ISSUER:-}" ] || who+=(--issuer "$NOTARY_ISSUER")
else
	die "who asks? Set NOTARY_PROFILE, or NOTARY_KEY_FILE and NOTARY_KEY_ID; the top of this script says more"
fi

# It takes minutes, rarely an hour. notarytool may exit with 0 even if Apple refused, so its output is read.
answer=$(xcrun notarytool submit "$dmg" "${who[@]}" --wait --timeout 1h --output-format json) \
	|| die "Apple's notary did not take $dmg: $answer"
field() { printf '%s' "$answer" | plutil -extract "$1" raw -o - -; }
id=$(field id)
status=$(field status)
if [ "$status" != Accepted ]; then
	xcrun notarytool log "$id" "${who[@]}" >&2 || true
	die "Apple's notary says $status of $dmg, submission $id; the log above says why"
fi
xcrun stapler staple "$dmg"
xcrun stapler validate "$dmg"
spctl --assess --type open --context context:primary-signature --verbose=2 "$dmg"

# The ticket is part of the image now.
folder=$(dirname "$dmg")
python3 "$top/packaging/homebrew/cask.py" --dmg "$dmg" --out "$folder/baleen.rb"
python3 "$here/check-dist.py" --write "$folder"
printf 'notarized: %s (submission %s)\n' "$dmg" "$id"

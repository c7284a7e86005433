#!/usr/bin/env bash
# Makes the files of a release, from a clean checkout: dist/Baleen.dmg, dist/Baleen.tar.gz, a bill of materials, the cask,
# the formula, and their checksums. On a Mac with Apple's tools, on Debian without any of them.
#
#   packaging/macos/package.sh                              everything, from the sources
#   packaging/macos/package.sh --with ARM64 X86_64          with two executables that are built already
#
# Variables; paths in them are relative to the top of the checkout:
# DIST              the output folder (dist); replaces the files of an earlier run
# SIGN_AS           on a Mac: the name of the certificate to sign with; without it the signature is ad hoc
# P12_FILE, P12_PASSWORD_FILE   elsewhere: the certificate with its key, and the file with its password
# BALEEN            elsewhere: a baleen for this system, which prints the manual and completions; built if not set
# SOURCE_DATE_EPOCH the time that is written into files, in seconds since 1970 (default: that of the last commit)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
say() { printf '\n== %s\n' "$*" >&2; }
die() { printf 'package.sh: %s\n' "$*" >&2; exit 1; }

executables=()
case "${1:-}" in
"") ;;
--with)
	[ $# = 3 ] || die "expected two executables behind --with, found $(($# - 1))"
	for file in "$2" "$3"; do
		[ -f "$file" ] || die "there is no executable at $file"
		executables+=("$(cd "$(dirname "$file")" && pwd)/$(basename "$file")")
	done
	;;
-h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit ;;
*) die "expected nothing or --with and two executables, found $1" ;;
esac

mac=false
[ "$(uname)" != Darwin ] || mac=true
PATH=$PATH:${BALEEN_CACHE:-$HOME/.cache/baleen}/tools/bin
need() { # COMMAND WHERE-FROM
	command -v "$1" > /dev/null || die "$1 is missing: $2"
}
need cargo "https://rustup.rs installs it"
need python3 "on a Mac it comes with the command line tools: xcode-select --install"
need cargo-cyclonedx "packaging/macos/tools.sh installs it"
if $mac; then
	lipo=lipo
else
	lipo=llvm-lipo-22
	need $lipo "apt-get install --no-install-recommends llvm-22"
	need rcodesign "packaging/macos/tools.sh installs it"
	need xorrisofs "apt-get install --no-install-recommends xorriso"
	need 7z "apt-get install --no-install-recommends p7zip-full"
	need dmg2img "apt-get install --no-install-recommends dmg2img"
fi

cd "$top"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || date +%s)}
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022
mkdir -p "${DIST:-dist}"
dist=$(cd "${DIST:-dist}" && pwd)
rm -rf "${dist:?}"/{image,raw.iso,Baleen.dmg,Baleen.tar.gz,baleen.cdx.json,baleen.rb,baleen-cli.rb,SHA256SUMS}
app=$dist/image/Baleen.app
resources=$app/Contents/Resources

if [ ${#executables[@]} = 0 ]; then
	say "the program, for both kinds of Mac"
	if $mac; then
		# Each for the oldest system that Rust supports on it, which is what Info.plist asks for.
		unset MACOSX_DEPLOYMENT_TARGET
		targets=(aarch64-apple-darwin x86_64-apple-darwin)
		target_folder=${CARGO_TARGET_DIR:-target}
		# Separated by a character that is in no path: a space may be.
		flags=--remap-path-prefix=$top=/baleen$'\x1f'--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=/crates
		CARGO_ENCODED_RUSTFLAGS=$flags cargo build --profile dist --locked --target "${targets[0]}" --target "${targets[1]}"
	else
		# In a subshell: its settings are for these two programs alone.
		target_folder=$(
			# shellcheck source=packaging/macos/cross.sh
			. "$here/cross.sh"
			nice "$CARGO" build --profile dist "${cross[@]}" >&2
			echo "$CARGO_TARGET_DIR"
		)
		targets=(aarch64-apple-darwin x86_64-apple-darwin)
	fi
	for target in "${targets[@]}"; do
		executables+=("$target_folder/$target/dist/baleen")
	done
	size=$(wc -c < "${executables[0]}")
	[ "$size" -le 8000000 ] || die "the program for Apple silicon should have 8,000,000 bytes at most, and has $size: see profile.dist in Cargo.toml"
fi

say "Baleen.app"
mkdir -p "$app/Contents/MacOS" "$resources"/{bin,completions,man/man1}
$lipo -create -output "$app/Contents/MacOS/baleen" "${executables[@]}"
chmod 755 "$app/Contents/MacOS/baleen"
python3 "$here/check-plist.py" --fill "$app/Contents/Info.plist"
printf 'APPL????' > "$app/Contents/PkgInfo"
cp assets/AppIcon.icns LICENSE-MIT LICENSE-APACHE "$resources"
ln -s ../../MacOS/baleen "$resources/bin/baleen"
# The program prints the same manual and completions on every system, so this system's build prints them.
if $mac; then
	program=$app/Contents/MacOS/baleen
elif [ -n "${BALEEN:-}" ]; then
	program=$BALEEN
else
	cargo build --locked --quiet
	program=$(cargo metadata --locked --no-deps --format-version 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug/baleen
fi
"$program" man "$resources/man/man1" > /dev/null
"$program" completions bash > "$resources/completions/baleen.bash"
"$program" completions zsh > "$resources/completions/_baleen"
"$program" completions fish > "$resources/completions/baleen.fish"
chmod -R u=rwX,go=rX "$app"

say "the signature"
if $mac; then
	codesign --force --sign "${SIGN_AS:--}" ${SIGN_AS:+--options runtime --timestamp} "$app"
	codesign --verify --strict --deep --verbose=2 "$app"
else
	rcodesign sign ${P12_FILE:+--p12-file "$P12_FILE" --p12-password-file "${P12_PASSWORD_FILE:?names the file with the password}" --for-notarization} "$app" >&2
fi
python3 "$here/check-bundle.py" "$app"

say "the archive, the disk image, the bill of materials"
python3 "$here/tarball.py" "$dist/image" Baleen.app "$dist/Baleen.tar.gz"
ln -s /Applications "$dist/image/Applications"
if $mac; then
	# The indexer may still hold the volume ("Resource busy"), and releases it after a while.
	for try in 1 2 3 4 5; do
		hdiutil create -volname Baleen -srcfolder "$dist/image" -fs HFS+ -format UDZO -ov "$dist/Baleen.dmg" && break
		[ "$try" != 5 ] || die "hdiutil made no disk image in five tries"
		sleep 5
	done
	[ -z "${SIGN_AS:-}" ] || codesign --sign "$SIGN_AS" --timestamp "$dist/Baleen.dmg"
else
	# ISO 9660 with Rock Ridge keeps long names, modes and links, and macOS mounts it, for reading only.
	find "$dist/image" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	xorrisofs -quiet -D -l -V Baleen -no-pad -R -uid 0 -gid 0 -o "$dist/raw.iso" "$dist/image" 2> "$dist/xorriso.log" ||
		die "xorrisofs failed: $(cat "$dist/xorriso.log")"
	python3 "$here/udif.py" "$dist/raw.iso" "$dist/Baleen.dmg"
	rm "$dist/raw.iso" "$dist/xorriso.log"
fi
python3 "$here/sbom.py" "$dist/baleen.cdx.json"
python3 packaging/homebrew/cask.py --dmg "$dist/Baleen.dmg" --out "$dist/baleen.rb"
python3 packaging/homebrew/formula.py --out "$dist/baleen-cli.rb"
python3 packaging/homebrew/check-formula.py "$dist/baleen-cli.rb" --program "$program"
python3 "$here/check-dist.py" --write "$dist"
rm -r "$dist/image"
say "done"
ls -l "$dist" >&2

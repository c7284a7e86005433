#!/usr/bin/env bash
# Installs the tools of package.sh that come neither from Debian nor from Apple: from crates.io, in the tested versions,
# into the cache of this project. On a Mac, Apple's codesign signs, and one of them is enough.
#
#   packaging/macos/tools.sh        minutes at first, a moment afterwards
set -euo pipefail
root=${BALEEN_CACHE:-$HOME/.cache/baleen}/tools

command -v cargo > /dev/null || { echo "tools.sh: cargo is missing: https://rustup.rs installs it" >&2; exit 1; }
install() { # CRATE VERSION OPTIONS...
	local crate=$1 version=$2
	shift 2
	# Lists the installed ones, so that another version is replaced.
	cargo install --list --root "$root" | grep -qx "$crate v$version:" ||
		nice cargo install --quiet --locked --root "$root" "$crate@$version" "$@"
}

install cargo-cyclonedx 0.5.9
[ "$(uname)" = Darwin ] || install apple-codesign 0.29.0 --no-default-features

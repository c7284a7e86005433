#!/usr/bin/env bash
# Checks the code that only a Mac runs, on a Debian machine: type-checks and lints the whole crate for both kinds of
# Mac with warnings denied, then compiles and links its tests. No Apple SDK is needed and nothing is run.
#
#   packaging/macos/check.sh [OPTION OF CARGO...]       e.g. check.sh --features x
#   LINK=0 packaging/macos/check.sh                     lint only
#
# Its output goes to a folder of its own, macos/, inside CARGO_TARGET_DIR or target/.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)

say() { printf '\n== %s\n' "$*" >&2; }
die() { printf 'check.sh: %s\n' "$*" >&2; exit 1; }

# Nothing is installed here: that is for whoever owns the machine to decide.
packages=(rustc-web cargo-web rust-web-src libstd-rust-web-dev rust-web-clippy lld-22)
command -v dpkg-query > /dev/null || die "made for Debian; on a Mac run cargo clippy and cargo test themselves"
missing=()
for package in "${packages[@]}"; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)
	[ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] || die "these Debian packages are missing; install them with
    apt-get install --no-install-recommends ${missing[*]}"

# Debian's toolchain by its full path: rustup's, if there is one, comes first in PATH, and lacks the sources of the
# standard library, which Debian packages and which -Zbuild-std compiles for targets that Debian has no binaries of.
export CARGO=/usr/bin/cargo RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
export RUSTC_BOOTSTRAP=1    # lets a stable compiler take -Z options
# These would override, or come between, what is set below. Without the last one each target is compiled for the oldest
# system that Rust supports on it, which is what Info.plist asks for; check-symbols.py sees what became of it.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER MACOSX_DEPLOYMENT_TARGET

# A folder of its own: two compilers that share one throw out each other's work.
mkdir -p "${CARGO_TARGET_DIR:-$top/target}/macos"
CARGO_TARGET_DIR=$(cd "${CARGO_TARGET_DIR:-$top/target}/macos" && pwd)
export CARGO_TARGET_DIR
export SDKROOT=$CARGO_TARGET_DIR/stub-sdk       # where rustc looks instead of asking Xcode's xcrun

for target in AARCH64_APPLE_DARWIN X86_64_APPLE_DARWIN; do
	export CARGO_TARGET_${target}_LINKER=/usr/bin/ld64.lld-22
	export CARGO_TARGET_${target}_RUSTFLAGS=-Clinker-flavor=ld64.lld
done
# What is linked here is thrown away: no debug information, which takes longest to write, and no optimising. Nor is
# anything stripped, since rustc would call rust-objcopy for that, which Debian does not have. Cargo has dynamic
# libraries of dependencies stripped all the same (boa_engine is one besides), so something of that name is there.
tools=$CARGO_TARGET_DIR/tools
mkdir -p "$tools"
printf '#!/bin/sh\nexit 0\n' > "$tools/rust-objcopy"
chmod +x "$tools/rust-objcopy"
PATH=$tools:$PATH
settings=()
for setting in profile.{dev,test}.debug=0 profile.{dev,test}.strip=false profile.{dev,test}.opt-level=0 \
	profile.dev.package.{zlib-rs,flate2,sha2,boa_engine,boa_parser,boa_gc,regress}.opt-level=0; do
	settings+=(--config "$setting")
done
options=(--locked "${settings[@]}" "-Zbuild-std=std,panic_abort"
	--target aarch64-apple-darwin --target x86_64-apple-darwin)

cd "$top"
say "Info.plist"
python3 "$here/check-plist.py"

say "clippy, every target of the crate ($("$RUSTC" --version))"
nice /usr/bin/cargo-clippy clippy --all-targets "${options[@]}" "$@" -- -D warnings

if [ "${LINK:-1}" != 0 ]; then
	say "compile and link the tests (stub SDK)"
	python3 "$here/stub-sdk.py" "$SDKROOT"
	nice "$CARGO" test --no-run "${options[@]}" "$@"
	say "what the programs ask of the oldest macOS"
	programs=("$CARGO_TARGET_DIR"/{aarch64,x86_64}-apple-darwin/debug/baleen)
	python3 "$here/check-symbols.py" "${programs[@]}"
	python3 "$here/test-symbols.py" "${programs[@]}"
fi
say "good for aarch64-apple-darwin and x86_64-apple-darwin (built, never run)"

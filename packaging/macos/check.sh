#!/usr/bin/env bash
# Checks the code that only a Mac runs, on a Debian machine: lints the whole crate for Apple silicon with warnings denied,
# then compiles and links its tests for Apple silicon and the program for Intel, also with warnings denied. Intel needs no
# lints of its own: the only lines that it does not share are the list of TLS suites. No Apple SDK is needed and nothing is
# run.
#
#   packaging/macos/check.sh [OPTION OF CARGO...]       e.g. check.sh --features x
#   LINK=0 packaging/macos/check.sh                     lint only
#
# Its output goes to the folder macos/ inside CARGO_TARGET_DIR or target/.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)

say() { printf '\n== %s\n' "$*" >&2; }
die() { printf 'check.sh: %s\n' "$*" >&2; exit 1; }

# shellcheck source=packaging/macos/cross.sh
. "$here/cross.sh"
# The linked programs are only inspected, never run: no debug information, which is slowest to write, and no optimization.
settings=()
for setting in profile.{dev,test}.debug=0 profile.{dev,test}.opt-level=0 \
	profile.dev.package.{zlib-rs,flate2,sha2,boa_engine,boa_parser,boa_gc,boa_string,regress}.opt-level=0; do
	settings+=(--config "$setting")
done
options=("${common[@]}" "${settings[@]}")

cd "$top"
say "Info.plist"
python3 "$here/check-plist.py"

say "clippy, every target of the crate ($("$RUSTC" --version))"
nice /usr/bin/cargo-clippy clippy --all-targets --target aarch64-apple-darwin "${options[@]}" "$@" -- -D warnings

if [ "${LINK:-1}" != 0 ]; then
	say "compile and link the tests for Apple silicon (stub SDK)"
	nice "$CARGO" test --no-run --target aarch64-apple-darwin "${options[@]}" "$@"
	say "compile and link the program for Intel (stub SDK)"
	nice "$CARGO" build --target x86_64-apple-darwin -Zwarnings --config 'build.warnings="deny"' "${options[@]}" "$@"
	say "what the programs ask of the oldest macOS"
	programs=("$CARGO_TARGET_DIR"/{aarch64,x86_64}-apple-darwin/debug/baleen)
	python3 "$here/check-symbols.py" "${programs[@]}"
	python3 "$here/test_symbols.py" "${programs[@]}"
fi
say "good for aarch64-apple-darwin and x86_64-apple-darwin (built, never run)"

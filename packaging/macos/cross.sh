# Sourced by check.sh and package.sh: how to compile for a Mac on a Debian machine, with no Apple SDK. Takes $top, and
# gives $targets, $common (options for cargo), $cross (the same with both targets), and the environment that cargo needs.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the variables are shared with the script that sources this file

# Installs nothing: that is up to the owner of the machine.
cross_packages() {
	local packages=(rustc-web cargo-web rust-web-src libstd-rust-web-dev rust-web-clippy lld-22 llvm-22) missing=() package
	for package in "${packages[@]}"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)" = installed ] || missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] || die "these Debian packages are missing; install them with
    apt-get install --no-install-recommends ${missing[*]}"
}
command -v dpkg-query > /dev/null || die "made for Debian; on a Mac run cargo clippy and cargo test themselves"
cross_packages

# Debian's toolchain by its full path: rustup's, if there is one, comes first in PATH, and lacks the sources of the
# standard library, which Debian packages and which -Zbuild-std compiles for targets that Debian has no binaries of.
export CARGO=/usr/bin/cargo RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
export RUSTC_BOOTSTRAP=1    # lets a stable compiler take -Z options
# These would override, or come between, what is set below. Without the last one each target is compiled for the oldest
# system that Rust supports on it, which is what Info.plist asks for; the checks compare the two.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER MACOSX_DEPLOYMENT_TARGET

# A separate folder: two compilers that share one discard each other's work.
mkdir -p "${CARGO_TARGET_DIR:-$top/target}/macos"
CARGO_TARGET_DIR=$(cd "${CARGO_TARGET_DIR:-$top/target}/macos" && pwd)
export CARGO_TARGET_DIR
export SDKROOT=$CARGO_TARGET_DIR/stub-sdk       # where rustc looks instead of asking Xcode's xcrun

# Makes the source paths that the compiler writes into a program, for panic messages, the same everywhere. The sources must
# be in place by now to be found.
(cd "$top" && "$CARGO" fetch --locked --quiet)
flags=(-Clinker-flavor=ld64.lld "--remap-path-prefix=$top=/baleen" "--remap-path-prefix=$("$RUSTC" --print sysroot)/lib/rustlib/src/rust=/rust")
for sources in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
	flags+=("--remap-path-prefix=$sources=/crates")
done
# The linker strips (-S: debugging symbols, -x: local ones), since rustc would call rust-objcopy, which Debian does not
# have. Cargo still strips dynamic libraries of dependencies (boa_engine also builds one), so a program of that name is
# provided.
flags+=(-Clink-arg=-S -Clink-arg=-x)
tools=$CARGO_TARGET_DIR/tools
mkdir -p "$tools"
printf '#!/bin/sh\nexit 0\n' > "$tools/rust-objcopy"
chmod +x "$tools/rust-objcopy"
PATH=$tools:$PATH
separated=$(printf '%s\x1f' "${flags[@]}")
export CARGO_ENCODED_RUSTFLAGS=${separated%$'\x1f'}
for target in AARCH64_APPLE_DARWIN X86_64_APPLE_DARWIN; do
	export CARGO_TARGET_${target}_LINKER=/usr/bin/ld64.lld-22
done

targets=(aarch64-apple-darwin x86_64-apple-darwin)
common=(--locked "-Zbuild-std=std,panic_abort")
for profile in dev test release dist; do
	common+=(--config "profile.$profile.strip=false")
done
cross=("${common[@]}")
for target in "${targets[@]}"; do
	cross+=(--target "$target")
done

python3 "$top/packaging/macos/stub-sdk.py" "$SDKROOT"

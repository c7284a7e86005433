#!/usr/bin/env bash
# Fetches the Debian kernels that the tiny images are booted with, as FOLDER/VERSION, and prints their paths, a line
# each, in this order:
#
#   1. the one of this machine's own Debian, which Docker's image is made with
#   2. the newest that Debian has, from sid
#   3. the oldest that Debian's archive still serves, from bullseye
#
#   tests/e2e/kernels.sh FOLDER
#
# Without the first there is nothing to boot, and the script fails. The others come from suites that this machine does
# not use, and that may be gone one day: then it says so and goes on without. A 4.x kernel, such as Docker's own of
# 2016, can't be had this way: stretch and buster are no longer on Debian's mirrors.
#
# Packages are downloaded and unpacked, never installed. What is in FOLDER already is not fetched again, and no list of
# packages either; removing FOLDER is the way to get newer kernels.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../image/packages.sh
. "$here/../image/packages.sh"

[[ $# = 1 && $1 != -* ]] || die "usage: kernels.sh FOLDER"
for tool in apt-get apt-cache dpkg-deb; do
	command -v "$tool" > /dev/null || die "needs $tool (Debian: apt, dpkg)"
done
mkdir -p "$1"
rm -rf "$1"/.new.*      # of a run that was killed
folder=$(cd "$1" && pwd)
scratch=$(mktemp -d "$folder/.new.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
meta=linux-image-cloud-amd64
# The sandbox user of apt may not write into these folders.
apt=(-q=2 -o APT::Sandbox::User=root)

# The version of the kernel that the suite's own meta package stands for. Lists are read that are there already.
version() {     # [APT OPTION...]
	apt-cache "$@" depends --important "$meta" 2> /dev/null | sed -n 's/^ *Depends: linux-image-//p' | head -n 1
}

fetch() {       # VERSION [APT OPTION...]: makes FOLDER/VERSION, unless it is there
	local version=$1 package=linux-image-$1
	local -a found
	shift
	[ ! -e "$folder/$version" ] || return 0
	# From 7.x on the image's package is empty, and depends on one that holds the kernel.
	if [ -n "$(apt-cache "$@" pkgnames "linux-binary-$version" 2> /dev/null)" ]; then
		package=linux-binary-$version
	fi
	mkdir -p "$scratch/$version"
	(cd "$scratch/$version" && apt-get "${apt[@]}" "$@" download "$package" >&2) || return 1
	dpkg-deb -x "$scratch/$version"/*.deb "$scratch/$version" || return 1
	mapfile -t found < <(find "$scratch/$version" -type f -name 'vmlinuz*')
	[ ${#found[@]} = 1 ] || { say "$package should hold one vmlinuz, but holds ${#found[@]}"; return 1; }
	mv "${found[0]}" "$folder/$version"             # whole or not at all
}

# A kernel of another suite, by lists of packages of its own, so that this machine's stay as they are. The version that
# was found is kept in FOLDER/.SUITE, which is how a later run knows it without those lists.
of_suite() {    # SUITE
	local suite=$1 found mirror private
	found=$(cat "$folder/.$suite" 2> /dev/null) || true
	if [ -n "$found" ] && [ -e "$folder/$found" ]; then
		printf '%s\n' "$folder/$found"
		return
	fi
	# shellcheck disable=SC2016  # not the shell's variable, but apt's
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
		| head -n 1) || true
	mirror=${mirror%/}
	[ -n "$mirror" ] || { say "no kernel of $suite: apt-get indextargets names no mirror of Debian"; return; }

	private=$scratch/$suite
	mkdir -p "$private/lists/partial" "$private/cache/archives/partial"
	printf 'deb [arch=amd64 signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite" > "$private/sources.list"
	local -a options=(-o "Dir::Etc::sourcelist=$private/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o "Dir::State::lists=$private/lists" -o "Dir::Cache=$private/cache" -o APT::Architecture=amd64
		-o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false)
	if ! apt-get "${apt[@]}" "${options[@]}" -o APT::Update::Error-Mode=any update > "$private/said" 2>&1; then
		say "no kernel of $suite: its list of packages can't be had:"
		sed "s|$mirror|MIRROR|g" "$private/said" >&2
		return
	fi
	found=$(version "${options[@]}") || true
	[ -n "$found" ] || { say "no kernel of $suite: it has no package $meta"; return; }
	if ! fetch "$found" "${options[@]}"; then
		say "no kernel of $suite: $found can't be had"
		return
	fi
	printf '%s\n' "$found" > "$folder/.$suite"
	printf '%s\n' "$folder/$found"
}

own=$(kernel_package)
own=${own#linux-image-}
[ -n "$own" ] || die "no package $meta: run apt-get update"
[ -e "$folder/$own" ] || "$here/../image/build.sh" --kernel "$folder/$own"
{
	printf '%s\n' "$folder/$own"
	of_suite sid
	of_suite bullseye
} | awk '!seen[$0]++'

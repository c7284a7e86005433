# shellcheck shell=bash
# Debian's packages, downloaded and unpacked, never installed; sourced by scripts that make something of them.
#
# They are kept in $BALEEN_CACHE/debs (by default ~/.cache/baleen/debs); removing that folder is the way to get newer ones.

cache=${BALEEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/baleen}
mkdir -p "$cache/debs"

say() { printf '%s\n' "$*" >&2; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

deb() {         # PACKAGE: the path of its one file, which is downloaded if it is not there yet
	local -a found
	local new
	mapfile -t found < <(find "$cache/debs" -maxdepth 1 -name "$1_*.deb")
	if [ ${#found[@]} = 0 ]; then
		# Half a package must not be taken for one. The sandbox user of apt may not write here.
		new=$(mktemp -d "$cache/debs/.new.XXXXXX")
		(cd "$new" && apt-get -qq -o APT::Sandbox::User=root download "$1" >&2) \
			|| { rm -rf "$new"; die "no package $1: run apt-get update"; }
		mv "$new"/*.deb "$cache/debs/"
		rmdir "$new"
		mapfile -t found < <(find "$cache/debs" -maxdepth 1 -name "$1_*.deb")
	fi
	[ ${#found[@]} = 1 ] || die "several versions of $1 in $cache/debs: remove all but one"
	printf '%s\n' "${found[0]}"
}

unpack() {      # FOLDER PACKAGE...
	local to=$1 package
	shift
	for package in "$@"; do
		dpkg-deb -x "$(deb "$package")" "$to"
	done
}

kernel_package() {      # the package of the kernel for virtual machines, of the Debian in use
	local found
	found=$(find "$cache/debs" -maxdepth 1 -name 'linux-image-[0-9]*-cloud-amd64_*.deb' | sort -V | tail -n 1)
	if [ -n "$found" ]; then
		found=${found##*/}
		printf '%s\n' "${found%%_*}"
	else
		apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
	fi
}

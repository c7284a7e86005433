#!/usr/bin/env bash
# Makes an initrd.img like Moby's out of Debian's packages, about 200 MB unpacked, for tests and measurements on
# something of the real size and make. It is packed by GNU cpio and gzip, not by our own code. It cannot be booted: it
# has no kernel and no network (tests/e2e is for that).
#
#   tests/real-root/build.sh [--members 1|2|3] OUT.img
#
# Members, as Moby had them: 1 everything in one; 2 moby + containers; 3 moby + kernel + containers. Each is padded
# with zero bytes to a multiple of four, and etc/init.d/docker is in the first.
#
# Packages are downloaded and unpacked, never installed, and kept with the finished images in $BALEEN_REAL_ROOT (by
# default ~/.cache/baleen/real-root); removing that folder is the way to get newer packages. From the same packages
# come the same bytes. Making device nodes takes root; without it the script starts itself again under fakeroot.
set -euo pipefail
export LC_ALL=C     # sort's order goes into the image
umask 022           # so do the modes of new files

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
die() { printf 'build.sh: %s\n' "$*" >&2; exit 1; }
say() { printf '%s\n' "$*" >&2; }

members=1
if [ "${1:-}" = --members ]; then
	members=${2:-}
	shift 2 || true
fi
[[ $members = [123] && $# = 1 && $1 != -* ]] || die "usage: build.sh [--members 1|2|3] OUT.img"
out=$1

for tool in apt-get dpkg-deb cpio gzip python3; do
	command -v "$tool" > /dev/null || die "needs $tool (Debian: apt, dpkg, cpio, gzip, python3)"
done
if [ "$(id -u)" != 0 ]; then
	command -v fakeroot > /dev/null || die "needs root, or the package fakeroot, to make device nodes"
	exec fakeroot "${BASH_SOURCE[0]}" --members "$members" "$out"
fi

moby=(busybox-static openrc libeinfo1 librc1 libc6 libaudit1 libcap-ng0 libpam0g libpcre2-8-0 libselinux1)
containers=(docker.io containerd runc libcap2 libdevmapper1.02.1 libgcrypt20 libgpg-error0 liblz4-1 liblzma5
	libseccomp2 libsystemd0 libudev1 libzstd1)
work=${BALEEN_REAL_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/baleen/real-root}
mkdir -p "$work/debs"

# The one file of a package, downloaded if it is not there yet.
deb() {
	local -a found
	mapfile -t found < <(find "$work/debs" -name "$1_*.deb")
	if [ ${#found[@]} = 0 ]; then
		# The sandbox user of apt may not write into this folder.
		(cd "$work/debs" && apt-get -qq -o APT::Sandbox::User=root download "$1" >&2) \
			|| die "no package $1: run apt-get update"
		mapfile -t found < <(find "$work/debs" -name "$1_*.deb")
	fi
	[ ${#found[@]} = 1 ] || die "several versions of $1 in $work/debs: remove all but one"
	printf '%s\n' "${found[0]}"
}
debs=()
for package in "${moby[@]}" "${containers[@]}"; do
	debs+=("$(deb "$package")")
done

# What goes in decides the bytes that come out, so its digest is the name of the finished image.
key=$(cat "$here/build.sh" "$here/docker.openrc" "${debs[@]}" | sha256sum | cut -c 1-16)
image=$work/$key-$members.img

unpack() {      # FOLDER PACKAGE...: what the packages hold, without what no VM needs
	local to=$1 package
	shift
	for package in "$@"; do
		dpkg-deb -x "$(deb "$package")" "$to"
	done
	rm -rf "$to"/usr/share/{apparmor,bash-completion,bug,doc,docker.io,fish,initramfs-tools,lintian,locale,man,zsh} \
		"$to"/{lib,usr/lib}/systemd "$to"/usr/lib/x86_64-linux-gnu/gconv "$to"/etc/{apparmor.d,default,systemd}
}

make_moby() {   # FOLDER: the base system, with the script that is patched
	local root=$1 applet
	unpack "$root" "${moby[@]}"
	mkdir -p "$root"/{bin,dev,etc/{docker,init.d,runlevels/{sysinit,boot,default,shutdown}},lib64,mnt,proc,root,run,sbin,sys} \
		"$root"/{tmp,usr/{bin,sbin},var/{lib,log,tmp}}
	chmod 1777 "$root/tmp" "$root/var/tmp"
	chmod 700 "$root/root"

	for applet in $("$root/bin/busybox" --list); do
		[ -e "$root/bin/$applet" ] || [ -e "$root/sbin/$applet" ] || ln -s busybox "$root/bin/$applet"
	done
	cp "$root/bin/busybox" "$root/bin/bbsuid"       # as Alpine, Moby's base, calls it
	chmod 4111 "$root/bin/bbsuid"
	ln -sf ../bin/busybox "$root/sbin/init"
	ln -sf ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$root/lib64/ld-linux-x86-64.so.2"
	ln -sf ../run "$root/var/run"
	ln -sf /proc/mounts "$root/etc/mtab"

	install -m 755 "$here/docker.openrc" "$root/etc/init.d/docker"
	ln -s /etc/init.d/cgroups "$root/etc/runlevels/sysinit/cgroups"
	ln -s /etc/init.d/docker "$root/etc/runlevels/default/docker"
	printf 'moby\n' > "$root/etc/hostname"
	printf 'root:x:0:0:root:/root:/bin/sh\n' > "$root/etc/passwd"
	printf 'root:x:0:\ntty:x:5:\ndocker:x:101:\n' > "$root/etc/group"
	printf 'root:*:17000::::::\n' > "$root/etc/shadow"
	chmod 640 "$root/etc/shadow"
	# Two names of one file: newc writes the bytes with the last of them only.
	ln "$root/etc/hostname" "$root/etc/hostname.default"

	install -m 755 /dev/stdin "$root/init" <<-'END'
		#!/bin/sh
		# A root that can be pivoted away from: everything goes to a tmpfs, and the system starts there.
		mount -t tmpfs -o size=90% tmpfs /mnt
		cp -a / /mnt 2>/dev/null
		exec /bin/busybox switch_root /mnt /sbin/init
	END
	install -m 755 /dev/stdin "$root/usr/bin/mobyconfig" <<-'END'
		#!/bin/sh
		# The settings that the Mac side keeps, one file each.
		case "$1" in
		exists) [ -e "/Database/branch/master/ro/com.docker.driver.amd64-linux/$2" ] ;;
		get) cat "/Database/branch/master/ro/com.docker.driver.amd64-linux/$2" ;;
		*) exit 2 ;;
		esac
	END

	node() { mknod -m "$2" "$root/dev/$1" "${@:3}" || die "may not make device nodes here: try fakeroot $0"; }
	node console 600 c 5 1
	node null 666 c 1 3
	node zero 666 c 1 5
	node tty 666 c 5 0
	node urandom 444 c 1 9
	node sda 660 b 8 0
	node initctl 600 p
}

make_containers() {     # FOLDER: the Engine and what it runs
	unpack "$1" "${containers[@]}"
	# Debian's own script for docker would win over the one in the first member.
	rm -rf "$1"/etc/init.d
	# What the Engine does without brings the whole down to Moby's size.
	rm "$1"/usr/bin/{containerd-shim,containerd-shim-runc-v1,ctr,dnet} "$1"/usr/sbin/ovrouter
}

make_kernel() {         # FOLDER: nothing that loads, only the names and something that no compressor can shrink
	local modules=$1/lib/modules/4.9.13-moby
	mkdir -p "$modules/kernel/fs"
	python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(2017).randbytes(4 << 20))' \
		> "$modules/kernel/fs/overlay.ko"
	printf 'kernel/fs/overlay.ko:\n' > "$modules/modules.dep"
}

pack() {        # FOLDER...: one member of all of them on standard output, in one order, of one time and owner
	local folder
	for folder in "${@:2}"; do
		cp -a "$folder/." "$1/"
	done
	find "$1" -exec touch -h -d @1488326400 {} +
	(cd "$1" && find . -mindepth 1 -printf '%P\n' | sort | cpio -o -H newc --reproducible -R +0:+0 --quiet)
}

pad4() {        # FILE
	local size
	size=$(stat -c %s "$1")
	truncate -s $(((size + 3) / 4 * 4)) "$1"
}

if [ ! -e "$image" ]; then
	tree=$(mktemp -d "$work/tree.XXXXXX")
	trap 'rm -rf "$tree"' EXIT
	mkdir "$tree"/{moby,kernel,containers}
	make_moby "$tree/moby"
	make_containers "$tree/containers"
	case $members in
	1) plan=("moby containers") ;;
	2) plan=(moby containers) ;;
	3) make_kernel "$tree/kernel"; plan=(moby kernel containers) ;;
	esac
	for folders in "${plan[@]}"; do
		read -ra names <<< "$folders"
		pack "${names[@]/#/$tree/}" > "$tree/cpio"
		gzip -n -9 < "$tree/cpio" > "$tree/gzip"
		pad4 "$tree/gzip"
		say "$folders: $(cpio -t --quiet < "$tree/cpio" | wc -l) entries," \
			"$(stat -c %s "$tree/cpio") bytes, $(stat -c %s "$tree/gzip") compressed"
		cat "$tree/gzip" >> "$tree/image"
	done
	mv "$tree/image" "$image"
fi
cp --reflink=auto "$image" "$out"
say "$out: $(stat -c %s "$out") bytes, SHA-256 $(sha256sum < "$out" | cut -d ' ' -f 1)"

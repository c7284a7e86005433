#!/usr/bin/env bash
# Makes an initrd.img like Moby's out of Debian's packages, about 200 MB unpacked, and the kernel that boots it: a
# system with OpenRC and a Docker Engine, for tests and measurements on something of the real size and make. It is
# packed by GNU cpio and gzip, not by our own code.
#
#   tests/image/build.sh [--members 1|2|3] [--script FILE] [OUT.img]
#   tests/image/build.sh --kernel OUT
#
# Members, as Moby had them: 1 everything in one; 2 moby and kernel + containers; 3 moby + kernel + containers. Each is
# padded with zero bytes to a multiple of four, and etc/init.d/docker, which is FILE, is in the first.
#
# What is made is kept in $BALEEN_CACHE (by default ~/.cache/baleen) under the digest of what it is made from, which is all
# that happens without OUT.img. From the same packages come the same bytes. Making device nodes takes root; without it the script starts itself again under
# fakeroot.
set -euo pipefail
export LC_ALL=C     # sort's order goes into the image
umask 022           # so do the modes of new files

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=packages.sh
. "$here/packages.sh"
arguments=("$@")
members=1
script=$here/moby/etc/init.d/docker
kernel=
while [ $# -gt 0 ]; do
	case $1 in
	--members) members=$2 ;;
	--script) script=$2 ;;
	--kernel) kernel=$2 ;;
	*) break ;;
	esac
	shift 2 || break
done
out=${1:-}
[[ $members = [123] && $# -le 1 && $out != -* ]] \
	|| die "usage: build.sh [--members 1|2|3] [--script FILE] [OUT.img], or build.sh --kernel OUT"

for tool in apt-get dpkg-deb cpio gzip xz; do
	command -v "$tool" > /dev/null || die "needs $tool (Debian: apt, dpkg, cpio, gzip, xz-utils)"
done
# Who is root in a namespace of users alone may not make them.
node=$(mktemp -u "$cache/node.XXXXXX")
if ! mknod "$node" c 1 3 2> /dev/null; then
	[ -z "${FAKEROOTKEY:-}" ] || die "can't make device nodes, not even under fakeroot"
	command -v fakeroot > /dev/null || die "needs root, or the package fakeroot, to make device nodes"
	exec fakeroot "${BASH_SOURCE[0]}" "${arguments[@]}"
fi
rm "$node"

linux=$(kernel_package)
[ -n "$linux" ] || die "no package with a kernel: run apt-get update"
# dash is /bin/sh: busybox's own shell takes its applets for every name that it knows, whatever else is called so.
moby=(busybox-static dash openrc libeinfo1 librc1 libc6 libaudit1 libcap-ng0 libpam0g libpcre2-8-0 libselinux1)
containers=(docker.io containerd runc libcap2 libdevmapper1.02.1 libgcrypt20 libgpg-error0 liblz4-1 liblzma5
	libseccomp2 libsystemd0 libudev1 libzstd1)
release=${linux#linux-image-}

if [ -n "$kernel" ]; then
	dpkg-deb --fsys-tarfile "$(deb "$linux")" | tar -xO "./boot/vmlinuz-$release" > "$kernel.new"
	mv "$kernel.new" "$kernel"
	say "$kernel: Linux $release"
	exit 0
fi

debs=()
for package in "${moby[@]}" "${containers[@]}" "$linux"; do
	debs+=("$(deb "$package")")
done
# What goes in decides the bytes that come out, so its digest is the name of what is kept.
digest() { sha256sum | cut -c 1-16; }
key=$({
	printf '%s\n' "${debs[@]##*/}"
	cd "$here"
	find . -type f ! -path ./moby/etc/init.d/docker | sort | xargs sha256sum
} | digest)
kept=$cache/images/$key
image=$kept/$members-$(digest < "$script").img

make_moby() {           # FOLDER: the base system, with the script that is patched
	local root=$1 applet
	unpack "$root" "${moby[@]}"
	thin "$root"
	mkdir -p "$root"/{bin,dev,etc/{docker,init.d,runlevels/{sysinit,boot,default,shutdown}},lib64,mnt,proc,root,run,sbin,sys} \
		"$root"/{tmp,usr/{bin,sbin},var/{lib,log,tmp}}
	chmod 1777 "$root/tmp" "$root/var/tmp"
	chmod 700 "$root/root"
	cp -R "$here/moby/." "$root/"
	install -m 755 "$script" "$root/etc/init.d/docker"
	chmod 755 "$root"/{init,etc/init.d/*,sbin/start-stop-daemon,usr/{bin/{docker,dockerd,mobyconfig},sbin/aside},usr/share/udhcpc/default.script}

	for applet in $("$root/bin/busybox" --list); do
		[ -e "$root/bin/$applet" ] || [ -e "$root/sbin/$applet" ] || ln -s busybox "$root/bin/$applet"
	done
	cp "$root/bin/busybox" "$root/bin/bbsuid"       # as Alpine, Moby's base, calls it
	chmod 4111 "$root/bin/bbsuid"
	ln -sf ../bin/busybox "$root/sbin/init"
	ln -sf ../bin/busybox "$root/sbin/getty"
	ln -sf ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$root/lib64/ld-linux-x86-64.so.2"
	ln -sf ../run "$root/var/run"
	ln -sf /proc/mounts "$root/etc/mtab"

	enable() { ln -s "/etc/init.d/$2" "$root/etc/runlevels/$1/$2"; }
	for service in sysfs devfs modules cgroups; do
		enable sysinit "$service"
	done
	enable boot networking
	for service in database docker report; do
		enable default "$service"
	done
	printf 'moby\n' > "$root/etc/hostname"
	printf '127.0.0.1 localhost moby\n' > "$root/etc/hosts"
	printf 'root:x:0:0:root:/root:/bin/ash\n' > "$root/etc/passwd"
	printf 'root:x:0:\nuucp:x:14:\ntty:x:5:\ndocker:x:101:\n' > "$root/etc/group"
	# The console is root's, who has no password there.
	printf 'root::17000::::::\n' > "$root/etc/shadow"
	chmod 640 "$root/etc/shadow"
	: > "$root/etc/fstab"
	# Two names of one file: newc writes the bytes with the last of them only.
	ln "$root/etc/hostname" "$root/etc/hostname.default"

	node() { mknod -m "$2" "$root/dev/$1" "${@:3}"; }
	node console 600 c 5 1
	node null 666 c 1 3
	node zero 666 c 1 5
	node tty 666 c 5 0
	node urandom 444 c 1 9
	node sda 660 b 8 0
	node initctl 600 p
}

make_kernel() {         # FOLDER: what the kernel loads, in the order in which it can be loaded
	local root=$1 modules=/lib/modules/$release
	unpack "$tree/linux" "$linux"
	mkdir -p "$root$modules" "$root/etc"
	loaded=" "
	load() {        # MODULE, after those that it needs
		local file needed
		[[ $loaded != *" $1 "* ]] || return 0
		loaded+="$1 "
		file=$(find "$tree/linux$modules" -name "${1//_/[-_]}.ko*")
		if [ -z "$file" ]; then
			grep -q "/${1//_/[-_]}\.ko" "$tree/linux$modules/modules.builtin" || die "$release has no module $1"
			return 0
		fi
		case $file in
		*.xz) xz -dc "$file" ;;
		*) cat "$file" ;;
		esac > "$root$modules/$1.ko"
		for needed in $(tr '\0' '\n' < "$root$modules/$1.ko" | sed -n 's/^depends=//p' | tr ,- ' _'); do
			load "$needed"
		done
		printf '%s\n' "$modules/$1.ko" >> "$root/etc/modules"
	}
	for module in virtio_pci virtio_net overlay; do
		load "$module"
	done
}

make_containers() {     # FOLDER: the Engine and what it runs
	unpack "$1" "${containers[@]}"
	thin "$1"
	# Debian's own script for docker would win over the one in the first member.
	rm -rf "$1"/etc/init.d
	# What the Engine does without brings the whole down to Moby's size.
	rm "$1"/usr/bin/{containerd-shim,containerd-shim-runc-v1,ctr,dnet} "$1"/usr/sbin/ovrouter
	mkdir -p "$1/usr/libexec/docker"
	mv "$1/usr/bin/docker" "$1/usr/libexec/docker/docker"
}

thin() {        # FOLDER: without what no VM needs
	rm -rf "$1"/usr/share/{apparmor,bash-completion,bug,doc,docker.io,fish,initramfs-tools,lintian,locale,man,zsh} \
		"$1"/{lib,usr/lib}/systemd "$1"/usr/lib/x86_64-linux-gnu/gconv "$1"/etc/{apparmor.d,default,systemd}
}

member() {      # OUT PART...: one member of all of them, in one order, of one time and owner
	local out=$1 part root=$tree/root
	shift
	mkdir "$root"
	for part in "$@"; do
		mkdir "$tree/part"
		"make_$part" "$tree/part"
		cp -a "$tree/part/." "$root/"
		rm -rf "$tree/part"
	done
	find "$root" -exec touch -h -d @1488326400 {} +
	(cd "$root" && find . -mindepth 1 -printf '%P\n' | sort | cpio -o -H newc --reproducible -R +0:+0 --quiet) > "$tree/cpio"
	rm -rf "$root"
	gzip -n -9 < "$tree/cpio" > "$tree/gzip"
	truncate -s $((($(stat -c %s "$tree/gzip") + 3) / 4 * 4)) "$tree/gzip"
	say "$*: $(cpio -t --quiet < "$tree/cpio" | wc -l) entries," \
		"$(stat -c %s "$tree/cpio") bytes, $(stat -c %s "$tree/gzip") compressed"
	mv "$tree/gzip" "$out"
}

exec {lock}> "$cache/images.lock"
flock "$lock"
if [ ! -e "$image" ]; then
	# What a run left behind that was killed, and what was made from other things.
	rm -rf "$cache"/tree.*
	find "$cache/images" -mindepth 1 -maxdepth 1 ! -name "$key" -exec rm -rf {} + 2> /dev/null || true
	mkdir -p "$kept"
	tree=$(mktemp -d "$cache/tree.XXXXXX")
	trap 'rm -rf "$tree"' EXIT
	case $members in
	1) member "$tree/image" moby kernel containers ;;
	2) member "$tree/image" moby kernel ;;
	3) member "$tree/image" moby ;;
	esac
	# The others are the same for each script.
	[ "$members" != 3 ] || [ -e "$kept/kernel" ] || member "$kept/kernel" kernel
	[ "$members" = 1 ] || [ -e "$kept/containers" ] || member "$kept/containers" containers
	[ "$members" != 3 ] || cat "$kept/kernel" >> "$tree/image"
	[ "$members" = 1 ] || cat "$kept/containers" >> "$tree/image"
	mv "$tree/image" "$image"
fi
if [ -n "$out" ]; then
	cp --reflink=auto "$image" "$out"
	say "$out: $(stat -c %s "$out") bytes, SHA-256 $(sha256sum < "$out" | cut -d ' ' -f 1)"
fi

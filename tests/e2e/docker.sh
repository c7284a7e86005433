#!/bin/sh
# Contents/MacOS/Docker of the bundles of these tests. It does what Docker for Mac did with its hypervisor, with QEMU: it
# boots the VM from the bundle that it is in, and ends it when it is asked to quit.
#
# As with VPNKit, the Mac is 192.168.65.1 to the VM. Of the Mac's own ports the VM reaches those in $MAC_PORTS, and
# nothing else of the world: there is no route, and no name server. The Engine answers at 127.0.0.1:2375. The VM's console
# is the pseudo-terminal that tty leads to, what it prints goes to console-ring as well, and what the Mac side keeps for
# the VM is in the database, each where Docker for Mac had it. Beside that, and unlike there, is a shell in the VM, behind
# the socket $HOME/aside.

moby=${0%/*}/../Resources/moby
data=$HOME/Library/Containers/com.docker.docker/Data
driver=com.docker.driver.amd64-linux
mkdir -p "$data/$driver"

settings=
for key in proxy/http proxy/https proxy/exclude
do
	file=$data/database/$driver/$key
	[ ! -e "$file" ] || settings="$settings mobyconfig.$key=$(cat "$file")"
done
network=user,id=mac,ipv6=off,restrict=on,net=192.168.65.0/24,host=192.168.65.2,dhcpstart=192.168.65.15
network=$network,hostfwd=tcp:127.0.0.1:2375-:2376
for port in $MAC_PORTS
do
	network="$network,guestfwd=tcp:192.168.65.1:$port-cmd:busybox nc 127.0.0.1 $port"
done
# There are machines that have /dev/kvm and can't use it.
accelerator="tcg,thread=multi -cpu Nehalem,-spec-ctrl"
if [ -w /dev/kvm ] && grep -qE '^flags.* (vmx|svm) ' /proc/cpuinfo && [ ! -e /sys/module/kvm_pvm ]
then
	accelerator="kvm -cpu host"
fi

vm=
end=
trap 'end=yes; [ -z "$vm" ] || kill "$vm"' TERM INT
said=$data/$driver/said
rm -f "$said" "$HOME/aside"
mkfifo "$said"
# shellcheck disable=SC2086 # two options in one variable
qemu-system-x86_64 -accel $accelerator -M q35 -smp 1 -m 1024 -nodefaults -no-user-config -display none -no-reboot \
	-kernel "$moby/vmlinuz64" -initrd "$moby/initrd.img" \
	-append "console=ttyS0 quiet panic=-1 random.trust_cpu=1$settings" \
	-chardev "pty,id=tty,logfile=$data/$driver/console-ring,logappend=off" -serial chardev:tty \
	-serial "unix:$HOME/aside,server=on,wait=off" \
	-netdev "$network" -device virtio-net-pci,romfile=,netdev=mac < /dev/null > "$said" 2>&1 &
vm=$!
[ -z "$end" ] || kill "$vm"
# QEMU says which device it has taken: "char device redirected to /dev/pts/3 (label tty)".
while read -r line
do
	printf '%s\n' "$line"
	case $line in
	*"redirected to "*"(label tty)"*)
		line=${line#*redirected to }
		ln -sfn "${line% (label*}" "$data/$driver/tty"
		;;
	esac
done < "$said"
# A signal cuts short what waits, and there may come several.
while kill -0 "$vm" 2> /dev/null
do
	wait "$vm"
done

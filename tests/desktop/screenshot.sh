#!/usr/bin/env bash
# Takes a picture of a program's icon in the panel of a real desktop (Xfce's), with its menu open or with the
# notification that it shows.
#
#   tests/desktop/screenshot.sh [OPTION...] OUT.png PROGRAM [ARGUMENT...]
#
#   --click LABEL      first clicks on this entry of the menu, unseen; can be given several times
#   --until TEXT       waits, after the clicks, until the menu has TEXT in it
#   --submenu LABEL    opens this submenu as well
#   --notification     waits for a notification, and leaves the menu closed
#   --scale N          N pixels for each that the desktop asks for (2, for a sharp picture)
#
# Labels may be parts of what is written there. The program gets a message bus of its own (DBUS_SESSION_BUS_ADDRESS)
# and no screen; all else in its environment is the caller's, and what it prints goes to standard error.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
die() { printf 'screenshot.sh: %s\n' "$*" >&2; exit 1; }

clicks=() text='' submenu='' notification='' scale=2
while [[ ${1:-} = --* ]]; do
	case $1 in
		--click) clicks+=("${2:?}"); shift 2 ;;
		--until) text=${2:?}; shift 2 ;;
		--submenu) submenu=${2:?}; shift 2 ;;
		--notification) notification=yes; shift ;;
		--scale) scale=${2:?}; shift 2 ;;
		*) die "no option $1" ;;
	esac
done
[ $# -ge 2 ] || die "usage: screenshot.sh [OPTION...] OUT.png PROGRAM [ARGUMENT...]"
out=$1
shift

for tool in dbus-daemon Xvfb xfce4-panel xdotool import convert xsetroot gdbus; do
	command -v "$tool" > /dev/null || die "needs $tool. Debian: apt-get install --no-install-recommends dbus-daemon xvfb \
xfce4-panel xfce4-notifyd xdotool imagemagick x11-xserver-utils libglib2.0-bin fonts-dejavu-core"
done

work=$(mktemp -d)
started=() program=''
# The last that was started ends first.
finish() {
	local i
	for ((i = ${#started[@]} - 1; i >= 0; i--)); do
		kill "${started[i]}" 2> /dev/null || true
		wait "${started[i]}" 2> /dev/null || true
	done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# until_so WHAT COMMAND...: waits until COMMAND succeeds.
until_so() {
	local what=$1 problem='waited in vain until' i
	shift
	for ((i = 0; i < 300; i++)); do
		"$@" && return
		if [ -n "$program" ] && ! kill -0 "$program" 2> /dev/null; then
			problem='the program has ended before'
			break
		fi
		sleep 0.1
	done
	tail -n 20 "$work/log" >&2
	die "$problem $what"
}

# --- a screen, a bus, a panel

: > "$work/log"
Xvfb -displayfd 3 -noreset -nolisten tcp -screen 0 $((1000 * scale))x$((800 * scale))x24 -dpi 96 \
	3> "$work/display" 2>> "$work/log" &
started+=($!)
until_so "there is a screen" [ -s "$work/display" ]
DISPLAY=:$(cat "$work/display")

# On this bus nothing is started unasked.
mkdir "$work/run"
chmod 700 "$work/run"
cat > "$work/bus.conf" << END
<busconfig><type>session</type><listen>unix:dir=$work/run</listen>
<policy context="default"><allow send_destination="*"/><allow own="*"/><allow eavesdrop="true"/></policy></busconfig>
END

config=$work/config
mkdir -p "$config/xfce4/xfconf/xfce-perchannel-xml" "$config/gtk-3.0"
panel=$config/xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml
cp "$here/xfce4-panel.xml" "$panel"
# Notifications come up at the right, and so the icon is there too.
[ -z "$notification" ] || sed -i '/"plugin-3"/,/<\/property>/s/"true"/"false"/' "$panel"
cat > "$config/gtk-3.0/settings.ini" << END
[Settings]
gtk-font-name = DejaVu Sans 10
gtk-xft-antialias = 1
gtk-xft-hinting = 1
gtk-xft-hintstyle = hintslight
gtk-xft-rgba = none
gtk-enable-animations = 0
END
# desktop COMMAND...: runs what belongs to the desktop and not to the program.
desktop() { "${as_desktop[@]}" "$@"; }
as_desktop=(env -i PATH=/usr/bin:/bin HOME="$work" LANG=C.UTF-8 DISPLAY="$DISPLAY" XDG_RUNTIME_DIR="$work/run"
	XDG_CONFIG_HOME="$config" XDG_CACHE_HOME="$work/cache" XDG_DATA_HOME="$work/data" NO_AT_BRIDGE=1 GDK_SCALE="$scale")

"${as_desktop[@]}" dbus-daemon --config-file="$work/bus.conf" --nofork --print-address=1 > "$work/address" 2>> "$work/log" &
started+=($!)
until_so "there is a bus" [ -s "$work/address" ]
bus=DBUS_SESSION_BUS_ADDRESS=$(cat "$work/address")
as_desktop+=("$bus")

call() { desktop gdbus call --session "$@" 2>> "$work/log"; }
has() { call -d org.freedesktop.DBus -o / -m org.freedesktop.DBus.NameHasOwner "$1" | grep -q true; }

# serve NAME COMMAND...: starts what is then known by this name on the bus.
serve() {
	local name=$1
	shift
	"${as_desktop[@]}" "$@" >> "$work/log" 2>&1 &
	started+=($!)
	until_so "$name is on the bus" has "$name"
}

# command_of SERVICE: with what the bus would start it, if it were let to.
command_of() { sed -n 's/^Exec=//p' "/usr/share/dbus-1/services/$1.service"; }

desktop xsetroot -solid '#4f6d7a'
serve org.xfce.Xfconf "$(command_of org.xfce.Xfconf)"
[ -z "$notification" ] || serve org.freedesktop.Notifications "$(command_of org.xfce.xfce4-notifyd.Notifications)"
serve org.kde.StatusNotifierWatcher xfce4-panel --disable-wm-check

# --- what is on the screen, and in the menu

picture() { desktop import -silent -window root "$work/$1.ppm"; }

# still NAME: whether a moment goes by without a change; the picture is then in NAME.ppm.
still() {
	picture "$1"
	sleep 0.3
	picture later
	cmp -s "$work/$1.ppm" "$work/later.ppm"
}

# changed FROM TO: the smallest box around all that differs, as "width height left top".
changed() {
	convert "$work/$1.ppm" "$work/$2.ppm" -compose difference -composite -colorspace gray -threshold 0 \
		-format '%@' info: 2> /dev/null | tr 'x+' '  '
}

differs() { still "$2" && ! cmp -s "$work/$1.ppm" "$work/$2.ppm"; }

# hangs FROM NAME: whether something new hangs down from the panel, and all is still.
hangs() {
	local box
	differs "$1" "$2" || return
	read -ra box <<< "$(changed "$1" "$2")"
	[ $((box[1] + box[3])) -gt $((60 * scale)) ]
}

# Where the icon is on the bus: a name and the path of an object.
registered() {
	local items
	items=$(call -d org.kde.StatusNotifierWatcher -o /StatusNotifierWatcher -m org.freedesktop.DBus.Properties.Get \
		org.kde.StatusNotifierWatcher RegisteredStatusNotifierItems)
	[[ $items =~ \'([^\'/]+)(/[^\']*)\' ]] && item=("${BASH_REMATCH[@]:1}")
}

# layout DEPTH: the menu, as the bus has it. Sets `menu` and `layout`.
layout() {
	menu=$(call -d "${item[0]}" -o "${item[1]}" -m org.freedesktop.DBus.Properties.Get org.kde.StatusNotifierItem Menu)
	[[ $menu =~ \'(.*)\' ]] && menu=${BASH_REMATCH[1]}
	layout=$(call -d "${item[0]}" -o "$menu" -m com.canonical.dbusmenu.GetLayout -- 0 "$1" '[]')
}
has_text() { layout -1 && [[ $layout = *"$1"* ]]; }

# entry LABEL: finds it among the entries of the menu that the keyboard stops at. Sets `id` and `steps`, the number of
# times that the key Down is pressed to get there.
entry() {
	local line newline=$'\n'
	layout 1
	steps=0
	while read -r line; do
		[[ $line = *"'separator'"* || $line = *"'enabled': <false>"* || $line = *"'visible': <false>"* ]] && continue
		steps=$((steps + 1))
		if [[ $line = *"'label': <"*"$1"* ]]; then
			id=${line%%,*}
			return
		fi
	done < <(tail -n +2 <<< "${layout//'<('/$newline}")
	die "no entry $1 that can be chosen in $layout"
}

# --- the picture

until_so "the panel is still" still empty

env -u DISPLAY -u WAYLAND_DISPLAY "$bus" "$@" >&2 &
program=$!
started+=("$program")
until_so "the program has registered an icon" registered
until_so "the icon is in the panel" differs empty icon
read -ra icon <<< "$(changed empty icon)"

for label in ${clicks[@]+"${clicks[@]}"}; do
	entry "$label"
	call -d "${item[0]}" -o "$menu" -m com.canonical.dbusmenu.Event "$id" clicked '<0>' 0 > /dev/null
	until_so "all is still after the click" still icon
done

if [ -n "$text" ]; then
	until_so "the menu has $text in it" has_text "$text"
	until_so "the icon is still" still icon
fi

if [ -n "$notification" ]; then
	until_so "there is a notification" hangs empty end
	# It would be below the panel if there was a window manager to tell where that is.
	window=$(desktop xdotool search --onlyvisible --class xfce4-notifyd | tail -n 1) || die "the notification has gone"
	desktop xdotool windowmove "$window" x $((46 * scale))
	until_so "the notification is still" still end
else
	desktop xdotool mousemove $((icon[2] + icon[0] / 2)) $((icon[3] + icon[1] / 2)) click 3
	until_so "the menu is open" hangs empty end
	if [ -n "$submenu" ]; then
		entry "$submenu"
		cp "$work/end.ppm" "$work/menu.ppm"
		for ((i = 0; i < steps; i++)); do desktop xdotool key Down; done
		desktop xdotool key Right
		until_so "the submenu is open" differs menu end
	fi
fi

# All that came with the program, and a little around it.
read -ra box <<< "$(changed empty end)"
margin=$((24 * scale))
left=$((box[2] > margin ? box[2] - margin : 0))
width=$((box[2] + box[0] + margin - left))
convert "$work/end.ppm" -crop "${width}x$((box[1] + box[3] + margin))+$left+0" +repage -strip "$out"

#!/usr/bin/env bash
# Plays through an update of Docker with the real program, on a made-up Docker.app: the proxy is put in, an update undoes it,
# Baleen repairs it, and takes it out again to the last byte. Touches none of the user's files, unless --open is given.
#
#   packaging/macos/smoke.sh [--open] PROGRAM       a baleen, or a Baleen.app
#
# On a Mac the program is the menu-bar app, with its icon; a user must be logged in at the screen. Elsewhere it
# is `baleen watch`. --open also has the system open the app as the Finder does, with the user's own files, and checks
# that it starts: for a Mac without a user, such as CI's.
set -euo pipefail

die() { printf 'smoke.sh: %s\n' "$*" >&2; exit 1; }
open=no
if [ "${1:-}" = --open ]; then
	open=yes
	shift
fi
[ $# = 1 ] || die "which program? Give a baleen, or a Baleen.app"
baleen=$1
[ ! -d "$baleen" ] || baleen=$baleen/Contents/MacOS/baleen
[ -x "$baleen" ] || die "$baleen is no program"
mac=no
[ "$(uname -s)" != Darwin ] || mac=yes

# A short name: the path of a socket must fit into a hundred bytes.
folder=$(mktemp -d /tmp/baleen.XXXXXX)
export BALEEN_STATE_DIR=$folder/state BALEEN_CONFIG=$folder/config.toml BALEEN_DOCKER_APP=$folder/docker/Docker.app
# A relay would outlive this, and may have the port of the one that runs here.
export BALEEN_RELAY=off BALEEN_UPDATE_CHECK=off
log=$folder/state/baleen.log
running=
end() {
	status=$?
	[ -z "$running" ] || kill "$running" 2> /dev/null || true
	if [ "$status" != 0 ]; then
		printf 'smoke.sh: failed; the log has\n' >&2
		sed 's/^/    /' "$log" >&2 || true
	fi
	rm -rf "$folder"
}
trap end EXIT

# Waits until the log has a new line that contains this text.
seen=0
wait_for() {
	for _ in $(seq 300); do
		line=$(awk -v after="$seen" -v what="$1" 'NR > after && index($0, what) { print NR ": " $0; exit }' "$log" 2> /dev/null || true)
		if [ -n "$line" ]; then
			seen=${line%%:*}
			printf '    %s\n' "${line#*: }"
			return
		fi
		[ -z "$running" ] || kill -0 "$running" 2> /dev/null || die "it ended while \`$1\` was waited for"
		sleep 0.2
	done
	die "\`$1\` did not come within a minute"
}
digest() { openssl dgst -sha256 -r "$BALEEN_DOCKER_APP/Contents/Resources/moby/initrd.img" | cut -d ' ' -f 1; }
state() { { "$baleen" status --json || true; } | sed -n 's/.*"state": *"\([a-z-]*\)".*/\1/p'; }
is() { [ "$1" = "$2" ] || die "$3: expected $2, found $1"; }

"$baleen" --version
"$baleen" demo --keep "$folder/docker" > "$folder/demo"
is "$(grep -c '^   yes: ' "$folder/demo")" 4 "things that the demo says yes to"
stock=$(digest)
"$baleen" config set http_proxy http://proxy.corp.example:8080 > /dev/null
"$baleen" config set source manual > /dev/null
"$baleen" apply > /dev/null
is "$(state)" current "state after apply"

echo "it comes up, and finds the proxy in place"
if [ $mac = yes ]; then
	"$baleen" app > "$folder/out" 2>&1 &
else
	"$baleen" watch > "$folder/out" 2>&1 &
fi
running=$!
wait_for " starts, "
wait_for "INFO  current: "

echo "an update brings another Docker.app, and the proxy is put into it"
"$baleen" demo --keep "$folder/update" > /dev/null
rm -r "$BALEEN_DOCKER_APP"
mv "$folder/update/Docker.app" "$BALEEN_DOCKER_APP"
is "$(digest)" "$stock" "digest of the image that the update brought"
wait_for "INFO  wiped: "
wait_for "INFO  current: "
is "$(state)" current "state after the update"

echo "it ends when it is asked to"
kill -TERM "$running"
if wait "$running"; then
	running=
else
	ended=$?
	running=
	die "it ended with exit code $ended"
fi

echo "Docker's own image comes back, byte for byte"
"$baleen" restore > /dev/null
is "$(state)" off "state after restore"
is "$(digest)" "$stock" "digest of the restored image"

[ $open = yes ] || { echo "smoke.sh: all of it as expected"; exit 0; }
[ $mac = yes ] || die "--open needs a Mac"
[ -d "$1" ] || die "--open needs a Baleen.app"

echo "the system opens the app"
unset BALEEN_STATE_DIR BALEEN_CONFIG BALEEN_DOCKER_APP
log=$HOME/Library/Logs/Baleen/baleen.log
seen=0
[ ! -f "$log" ] || seen=$(wc -l < "$log")
open "$1"
wait_for " starts, as the app"
# The first check of Docker.app, with any result.
wait_for "INFO  "
running=$(sed -n 's/.*(process \([0-9]*\)).*/\1/p' "$HOME/Library/Application Support/Baleen/agent.lock")
# AppKit reports problems when the icon is made.
sleep 5
kill -0 "$running" || die "it did not stay; ~/Library/Logs/DiagnosticReports may say why"
ps -o pid=,rss=,time=,command= -p "$running"
kill -TERM "$running"
running=
wait_for "quitting"
echo "smoke.sh: all of it as expected"

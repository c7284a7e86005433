#!/usr/bin/env bash
# Makes the pictures of the README and of docs/ out of the program as it runs: the first question, the menu with its
# submenus, the notification of an update, the menus with the relay and with a Docker Desktop, and the page of a check.
#
#   tests/desktop/pictures.sh FOLDER [PROGRAM]
#
# PROGRAM is target/release/baleen where it is not named.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:?usage: pictures.sh FOLDER [PROGRAM]}
baleen=$(realpath "${2:-${CARGO_TARGET_DIR:-$here/../../target}/release/baleen}")
mkdir -p "$folder"
work=$(mktemp -d)
docker='' proxy=''
finish() {
	[ -z "$docker" ] || kill "$docker" 2> /dev/null || true
	[ -z "$proxy" ] || kill "$proxy" 2> /dev/null || true
	# It outlives the app that started it.
	"$baleen" relay stop > "$work/log" 2>&1 || true
	rm -rf "$work"
}
trap finish EXIT
unset http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY
export HOME=$work/home XDG_CONFIG_HOME=$work/home/.config BALEEN_STATE_DIR=$work/state BALEEN_CONFIG=$work/config.toml
export BALEEN_RELAY=off BALEEN_UPDATE_CHECK=off
export BALEEN_DOCKER_APP=$work/app/Docker.app
# A running Docker of that time keeps a console for its VM. Nobody opens it here, so it need not lead to one.
console=$HOME/Library/Containers/com.docker.docker/Data/com.docker.driver.amd64-linux/tty
mkdir -p "${console%/*}"
start() {
	"$BALEEN_DOCKER_APP/Contents/MacOS/Docker" &
	docker=$!
	sleep 1
	ln -sfn /dev/null "$console"
}
"$baleen" demo --keep "$work/app" > "$work/log"
"$baleen" config set http_proxy http://proxy.corp.example:8080 > "$work/log"
"$baleen" config set source manual > "$work/log"
start

# The first start, and what can be chosen before anything is switched on.
"$here/screenshot.sh" --notification "$folder/first-question.png" "$baleen" app
"$here/screenshot.sh" --submenu "Settings" "$folder/menu-settings.png" "$baleen" app

# Docker was started before the proxy is switched on, so it needs a restart then.
"$here/screenshot.sh" --click "Use Proxy" --until "Restart Docker" --submenu "Recent Activity" "$folder/menu.png" "$baleen" app
"$here/screenshot.sh" --until "Restart Docker" --submenu "Help" "$folder/menu-help.png" "$baleen" app

# The same Docker in a network that doesn't know the proxy. An empty list of hosts knows no name, and nothing else is asked.
: > "$work/hosts"
HOME=$work BALEEN_HOSTS_FILE=$work/hosts DOCKER_HOST=unix://$work/docker.sock "$baleen" doctor --html "$work/doctor.html" > "$work/log" || [ $? -eq 3 ]
"$here/page.sh" "$folder/doctor.png" "$work/doctor.html" 1100 900 light
"$here/page.sh" "$folder/doctor-dark.png" "$work/doctor.html" 1100 900 dark

# Docker is updated while Baleen runs.
"$baleen" demo --keep "$work/new" > "$work/log"
sed -i 's/1\.11\.1-beta13/1.12.0/' "$work/new/Docker.app/Contents/Info.plist"
printf '\0\0\0\0' >> "$work/new/Docker.app/Contents/Resources/moby/initrd.img"
kill "$docker"
start
(
	sleep 5
	mv "$BALEEN_DOCKER_APP" "$work/old"
	mv "$work/new/Docker.app" "$BALEEN_DOCKER_APP"
) &
"$here/screenshot.sh" --notification "$folder/update.png" "$baleen" app

# The same Docker behind the relay, which goes through a proxy that opens every tunnel.
python3 - << 'END' &
import socketserver
class Proxy(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
socketserver.TCPServer.allow_reuse_address = True
socketserver.TCPServer(("127.0.0.2", 8080), Proxy).serve_forever()
END
proxy=$!
echo "127.0.0.2 proxy.corp.example" > "$work/hosts"
export BALEEN_RELAY=auto BALEEN_HOSTS_FILE=$work/hosts
pull() {
	python3 - "$1" <<- 'END'
	import sys, urllib.request
	urllib.request.build_opener(urllib.request.ProxyHandler({"https": sys.argv[1]})).open("https://registry-1.docker.io")
	END
}
while sleep 0.3; do
	address=$("$baleen" relay --print-address local | head -n 1) || continue
	pull "$address" || true
done > "$work/log" 2>&1 &
pulls=$!
"$here/screenshot.sh" --until "through proxy.corp.example" --submenu "Proxy:" "$folder/menu-relay.png" "$baleen" app
kill "$pulls"
export BALEEN_RELAY=off

# A Docker Desktop that was started once, and does not run.
"$baleen" demo --docker desktop --keep "$work/desktop" > "$work/log"
kill "$docker"
docker=''
settings='Library/Group Containers/group.com.docker'
mkdir -p "$HOME/$settings"
cp "$work/desktop/home/$settings/settings-store.json" "$HOME/$settings/"
export BALEEN_DOCKER_APP=$work/desktop/Docker.app
"$baleen" apply > "$work/log"
"$here/screenshot.sh" --until "Docker 4.93.0" "$folder/menu-desktop.png" "$baleen" app

# shellcheck shell=bash
# What the shell of `tests/e2e/run --shell` starts with.

place=${BALEEN_DOCKER_APP%/*}
console=$HOME/Library/Containers/com.docker.docker/Data/com.docker.driver.amd64-linux/console-ring

docker-runs() {
	pgrep -f "^/bin/sh $BALEEN_DOCKER_APP/Contents/MacOS/Docker" > /dev/null
}

docker-open() {
	! docker-runs || { echo "Docker runs" >&2; return 1; }
	(setsid "$BALEEN_DOCKER_APP/Contents/MacOS/Docker" > "$HOME/docker.log" 2>&1 < /dev/null &)
	echo "The VM boots, which takes half a minute."
	sleep 1
	until docker version > /dev/null 2>&1; do
		docker-runs || { cat "$HOME/docker.log" >&2; return 1; }
		sleep 0.5
	done
}

docker-quit() {
	pkill -TERM -f "^/bin/sh $BALEEN_DOCKER_APP/Contents/MacOS/Docker" || echo "Docker does not run" >&2
	while docker-runs; do
		sleep 0.1
	done
}

# As Docker's own updater: it quits Docker, puts the new one in its place, and opens it.
docker-update() {
	[ -e "$place/../new" ] || { echo "Docker is up to date" >&2; return 1; }
	docker-quit
	mv "$BALEEN_DOCKER_APP" "$place/../old"
	mv "$place/../new" "$BALEEN_DOCKER_APP"
	docker-open
}

docker-console() {
	tail -n +1 -F "$console"
}

# In a namespace of a user's own, who is root there, the session's bus would not believe who this is.
baleen() {
	if [ -n "${BALEEN_E2E_UID:-}" ]; then
		unshare --user --map-user="$BALEEN_E2E_UID" baleen "$@"
	else
		command baleen "$@"
	fi
}

PS1='docker for mac $ '
cat <<-'END'
	A Docker for Mac whose VM QEMU runs, and a Mac whose proxy is 127.0.0.1:3128; the VM reaches nothing else.

	  docker-open, docker-quit     open it, quit it
	  docker pull registry.test:5443/hello:1
	                               what works behind the proxy, and does not without it
	  baleen app &                 the menu-bar app, in the panel of this desktop; or: baleen apply, status, restore
	  docker-update                a new Docker comes, with its own image
	  docker-console               what the VM prints
	  exit                         all of it is gone
END

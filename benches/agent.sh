#!/usr/bin/env bash
# Measures the agent: how soon it repairs an update, its system calls when idle, its memory, and the size of the program.
# Results go to standard output as the table of benches/README.md.
#
#   benches/agent.sh [IMAGE.img [SECONDS]]
#
# IMAGE.img stands in for Docker's (as tests/image/build.sh makes it; without it that of `baleen demo`), and the
# agent idles for SECONDS (300). Needs strace, python3, dbus-run-session.
set -euo pipefail
image=${1:+$(realpath "$1")} idle=${2:-300}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for tool in strace python3 dbus-run-session; do
	command -v "$tool" > /dev/null || { echo "agent.sh: $tool is missing" >&2; exit 1; }
done
cargo build --profile dist --quiet --manifest-path "$here/../Cargo.toml"
baleen=${CARGO_TARGET_DIR:-$here/../target}/dist/baleen
export BALEEN_RELAY=off    # it would be a process of its own
export BALEEN_UPDATE_CHECK=off
work=$(mktemp -d) trace=$(mktemp)    # the trace outside of the watched folder
pids=()
trap 'kill "${pids[@]}" 2> /dev/null || true; wait; rm -rf "$work" "$trace"' EXIT
unset http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY DBUS_SESSION_BUS_ADDRESS
export BALEEN_STATE_DIR=$work/state BALEEN_CONFIG=$work/config.toml BALEEN_DOCKER_APP=$work/demo/Docker.app
export XDG_RUNTIME_DIR=$work
"$baleen" demo --keep "$work/demo" > "$work/log"
target=$BALEEN_DOCKER_APP/Contents/Resources/moby/initrd.img
[ -n "$image" ] || { image=$work/demo.img; cp "$target" "$image"; }
"$baleen" config set http_proxy http://proxy.corp.example:8080 > "$work/log"
"$baleen" config set source manual > "$work/log"
cp "$image" "$target"

# The time of an apply by itself: the median of five.
apply=$(python3 - "$baleen" << 'PYTHON'
import statistics, subprocess, sys, time
def run(*arguments):
    start = time.monotonic()
    subprocess.run([sys.argv[1], *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start
times = []
for _ in range(5):
    times.append(run("apply"))
    run("restore")
print(statistics.median(times))
PYTHON
)
"$baleen" apply > "$work/log"

# Five updates by copy, each timed from its last write to the image that has the proxy in it.
"$baleen" watch --json > "$work/events" &
pids+=($!) watch=$!
sleep 4
repairs=$(python3 - "$image" "$target" "$work" << 'PYTHON'
import os, shutil, sys, time
image, target, work = sys.argv[1:]
size = os.path.getsize(image)
for _ in range(5):
    shutil.copyfile(image, work + "/new.img")
    os.rename(work + "/new.img", target)
    written = time.monotonic()
    while os.path.getsize(target) == size:
        time.sleep(0.001)
    print(f"{time.monotonic() - written:.3f}")
    time.sleep(3)
PYTHON
)

# Nothing happens: every system call of every thread.
strace -f -qq -o "$trace" -p "$watch" &
pids+=($!)
sleep "$idle"
kill "${pids[-1]}" 2> /dev/null || true
calls=$(grep -cv 'resumed\|restart_syscall\|+++\|---' "$trace" || true)
kill "$watch"
wait "$watch" || true

memory() { awk '/^VmRSS|^RssAnon/ { printf "%s %.1f MiB  ", $1, $2 / 1024 }' "/proc/$1/status"; }
# shellcheck disable=SC2016
dbus-run-session -- bash -c '"$1" app & echo $! > "$2/pid"; wait' - "$baleen" "$work" 2> "$work/log" &
pids+=($!)
sleep 5
app=$(cat "$work/pid")
held=$(memory "$app")
threads=$(find "/proc/$app/task" -mindepth 1 -maxdepth 1 | wc -l)
kill "$app"

python3 - "$apply" "$repairs" "$idle" "$calls" "$held" "$threads" "$(stat -c %s "$baleen")" "$(stat -c %s "$image")" << 'PYTHON'
import statistics, sys
apply, repairs, idle, calls, held, threads, program, image = sys.argv[1:]
apply, repairs = float(apply), [float(one) for one in repairs.split()]
allowed = 2 + 2 * apply
print(f"""Image: {image} bytes.

| what | measured | wanted |
|---|---|---|
| an apply by itself | {1000 * apply:.0f} ms | |
| last write of an update to the repaired image, worst of {len(repairs)} | {max(repairs):.3f} s (median {statistics.median(repairs):.3f} s) | quiet time and twice an apply: {allowed:.3f} s |
| system calls of all threads in {idle} s in which nothing happens | {calls} | none but the timer's |
| memory of the app, of it its own | {held}({threads} threads) | under 25 MiB |
| the program | {int(program) / 1e6:.2f} MB | under 8 MB |""")
if max(repairs) > allowed:
    sys.exit("an update is repaired too late")
PYTHON

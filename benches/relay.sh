#!/usr/bin/env bash
# benches/relay.sh PROGRAM: `baleen relay` beside a bare copy, tinyproxy and squid (those that are there), in one run.
# CALLS, MB and ROUNDS change the amount of work; PX names px, if it is to be measured; UPSTREAMS has a line ADDRESS AUTH USER PASSWORD for each
# further proxy to measure behind. It needs rustc, and a computer that does nothing else.
set -euo pipefail
program=${1:?the program to measure, for example target/dist/baleen}
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
rustc --edition 2024 -O -o "$folder/lab" "$here/relay/lab.rs"
ulimit -n 8192
BALEEN=$(cd "$(dirname "$program")" && pwd)/$(basename "$program") FOLDER=$folder "$folder/lab"

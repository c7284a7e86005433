#!/usr/bin/env bash
# Compares the whole program with the recipe of 2016 and with mere decompression, on one image in one run, and
# measures peak memory on a small and a large image. The figures are ratios, which don't depend on the
# machine. Results go to standard output as the tables of benches/README.md.
#
#   benches/compare.sh IMAGE.img [RUNS]
#
# IMAGE.img has one gzip member, as tests/image/build.sh makes it. Needs root (for the recipe's device nodes),
# hyperfine, libdeflate-tools, openssl, cpio, gzip, python3 and GNU time.
set -euo pipefail
image=$(realpath "$1") runs=${2:-7}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for tool in hyperfine libdeflate-gunzip openssl cpio gzip python3 /usr/bin/time; do
	command -v "$tool" > /dev/null || { echo "compare.sh: $tool is missing" >&2; exit 1; }
done
cargo build --profile dist --quiet --manifest-path "$here/../Cargo.toml"
baleen=${CARGO_TARGET_DIR:-$here/../target}/dist/baleen

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export BALEEN_STATE_DIR=$work/state BALEEN_DOCKER_APP=$work/demo/Docker.app
unset http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY
proxy=http://proxy.corp:8080
"$baleen" demo --keep "$work/demo" > "$work/log"
target=$BALEEN_DOCKER_APP/Contents/Resources/moby/initrd.img
cp "$image" "$target"

# Mere decompression refuses the zeros that pad a member.
member=$("$baleen" inspect --json "$image" | python3 -c 'import json,sys; print(json.load(sys.stdin)["members"][0]["bytes"])')
head -c "$member" "$image" > "$work/member.img"

median() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["results"][int(sys.argv[2])]["median"])' "$1" "$2"; }
ratio() { python3 -c 'import sys; print("%.3f" % (float(sys.argv[1]) / float(sys.argv[2])))' "$1" "$2"; }
ms() { python3 -c 'import sys; print("%.1f" % (1000 * float(sys.argv[1])))' "$1"; }
peak() { /usr/bin/time -f %M -o "$work/peak" "$@" > "$work/log"; python3 -c 'import sys; print("%.1f" % (int(open(sys.argv[1]).read()) / 1024))' "$work/peak"; }

# One run of everything, so that every ratio is of figures taken under the same conditions.
hyperfine -N --warmup 1 --runs "$runs" --export-json "$work/times.json" --style none \
	--prepare "$baleen restore" "$baleen apply --http-proxy $proxy" \
	--prepare "$baleen restore" "libdeflate-gunzip -kc $work/member.img" \
	--prepare "$baleen restore" "$baleen apply --http-proxy $proxy --method rebuild" \
	--prepare "$baleen restore" "$here/recipe.sh $image $work/recipe.img $proxy" \
	--prepare "$baleen apply --http-proxy http://other.corp:1" "$baleen apply --http-proxy $proxy" \
	--prepare "$baleen restore" "openssl dgst -sha256 $image" > "$work/log"
append=$(median "$work/times.json" 0) gunzip=$(median "$work/times.json" 1)
rebuild=$(median "$work/times.json" 2) recipe=$(median "$work/times.json" 3)
change=$(median "$work/times.json" 4) digest=$(median "$work/times.json" 5)

"$baleen" apply --http-proxy "$proxy" --method rebuild > "$work/log"
rebuilt=$(stat -c %s "$target")
gzip6=$(gunzip -c "$image" | gzip -6 | wc -c)
"$baleen" restore > "$work/log"
"$baleen" apply --http-proxy "$proxy" > "$work/log"
hyperfine -N --warmup 5 --runs 50 --export-json "$work/status.json" --style none \
	"$baleen status" "$baleen --version" > "$work/log"
status=$(median "$work/status.json" 0) start=$(median "$work/status.json" 1)
"$baleen" restore > "$work/log"

# A small and a large image of programs that don't compress, with the real script in them.
sized() { # MEGABYTES OUT
	local root=$work/sized
	mkdir -p "$root/etc/init.d"
	"$baleen" inspect "$image" --entry etc/init.d/docker > "$root/etc/init.d/docker"
	chmod 755 "$root/etc/init.d/docker"
	head -c "$1"M /dev/urandom > "$root/program"
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) > "$2"
	rm -rf "$root"
}
sized 30 "$work/small.img"
sized 1000 "$work/large.img"
peaks=()
for img in small large; do
	cp "$work/$img.img" "$target"
	peaks+=("$(peak "$baleen" apply --http-proxy "$proxy")")
	peaks+=("$(peak "$baleen" apply --http-proxy http://other.corp:1)")
	peaks+=("$(peak "$baleen" apply --http-proxy "$proxy" --method rebuild)")
	peaks+=("$(peak "$baleen" restore)")
done
hyperfine -N --warmup 5 --runs 50 --export-json "$work/large.json" --style none "$baleen status" > "$work/log"

cat << TABLE
Image: $(stat -c %s "$image") bytes, $(gunzip -c "$image" | wc -c) unpacked. $(nproc) cores. Medians of $runs runs.

| what | median | ratio | wanted |
|---|---|---|---|
| recipe of 2016 | $(ms "$recipe") ms | 1 | |
| \`libdeflate-gunzip -c IMAGE\` | $(ms "$gunzip") ms | | |
| apply, append | $(ms "$append") ms | $(ratio "$recipe" "$append") times as fast as the recipe | 20 or more |
| | | $(ratio "$append" "$gunzip") times the time of libdeflate-gunzip | 1.2 or less |
| \`openssl dgst -sha256 IMAGE\` | $(ms "$digest") ms | | |
| apply, another proxy | $(ms "$change") ms | $(ratio "$change" "$append") times the first apply | 0.25 or less |
| | | $(ratio "$change" "$digest") times the time of openssl | 2 or less |
| apply, rebuild | $(ms "$rebuild") ms | $(ratio "$recipe" "$rebuild") times as fast as the recipe | 3 or more |
| size of a rebuilt image | $rebuilt bytes | $(ratio "$rebuilt" "$gzip6") times that of \`gzip -6\` ($gzip6) | 1.02 or less |
| status | $(ms "$status") ms | $(python3 -c "print('%.1f' % (1000 * ($status - $start)))") ms more than \`baleen --version\` | under 5 ms |
| status, 1 GB image | $(ms "$(median "$work/large.json" 0)") ms | | under 5 ms |

| peak memory (MiB) | apply, append | another proxy | apply, rebuild | restore |
|---|---|---|---|---|
| 30 MB image | ${peaks[0]} | ${peaks[1]} | ${peaks[2]} | ${peaks[3]} |
| 1 GB image | ${peaks[4]} | ${peaks[5]} | ${peaks[6]} | ${peaks[7]} |
TABLE

#!/usr/bin/env bash
# What: 3cpio lists a gzip member of an initramfs and nothing behind it, with or without zeros between, and exits with 0;
# `--examine` calls all of the file one part. Uncompressed archives before it are listed one by one.
# Versions: threecpio 0.14.0 (crates.io), Python 3.8 or later. Seen: 2026-11-28.
# Surprising: the kernel's buffer format is any number of archives, each compressed or not, and the last file of a name
# counts; so what overrides a file (as a second image that a boot loader appends) can't be seen with the tool made for it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cargo install -q threecpio@=0.14.0 --locked --root "$tmp" 2> /dev/null
python3 - <<'PY'
import gzip

def entry(name, body=b"", mode=0o100644, links=1):
    fields = [1, mode, 0, 0, links, 0, len(body), 0, 0, 0, 0, len(name) + 1, 0]
    def pad(data):
        return data + b"\0" * (-len(data) % 4)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return pad(head) + pad(body)

def archive(name):
    return entry(name, b"hello\n") + entry("TRAILER!!!", mode=0)

one, two = archive("one"), archive("two")
packed = gzip.compress(one)
aligned = packed + b"\0" * (-len(packed) % 4)
for name, image in [
    ("together", packed + gzip.compress(two)),
    ("zeros", aligned + b"\0" * 512 + gzip.compress(two)),
    ("then-raw", aligned + two),
    ("raw-first", one + gzip.compress(two)),
]:
    open(name, "wb").write(image)
PY
seen=$(for image in together zeros then-raw raw-first; do
	parts=$(($(bin/3cpio --examine "$image" | wc -l) - 1))
	echo "$image: $(bin/3cpio --list "$image" | paste -sd ' '); parts: $parts"
done)
printf '%s\n' "$seen"
expected='together: one; parts: 1
zeros: one; parts: 1
then-raw: one; parts: 1
raw-first: one two; parts: 2'
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s\n' "$expected"; exit 1; } >&2

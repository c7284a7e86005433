#!/usr/bin/env bash
# What: pako and Node's zlib end at the zero bytes between two gzip members without an error: what follows is dropped. Without
# the zeros between them, both give all members.
# Versions: pako 3.0.3 (npm), the zlib of Node (20 and later); Python's gzip module as the other reader. Seen: 2026-11-28.
# Surprising: zero padding between members is ordinary (tape blocks, initramfs images, GNU gzip and Python read over it), and
# a decoder that checks sums and lengths would be expected to complain about data that it doesn't use.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund pako@3.0.3 > /dev/null
cat > try.mjs <<'JS'
import fs from "node:fs";
import zlib from "node:zlib";
import * as pako from "pako";
const one = zlib.gzipSync("one "), two = zlib.gzipSync("two");
for (const [name, bytes] of [["joined", Buffer.concat([one, two])], ["padded", Buffer.concat([one, Buffer.alloc(512), two])]]) {
  fs.writeFileSync(`${name}.gz`, bytes);
  const say = (who, read) => { try { console.log(name, who, JSON.stringify(read())); } catch (e) { console.log(name, who, "error", e.code ?? e); } };
  say("pako", () => Buffer.from((pako.ungzip ?? pako.default.ungzip)(bytes)).toString());
  say("node", () => zlib.gunzipSync(bytes).toString());
}
JS
seen=$(node try.mjs; for name in joined padded; do
	python3 -c 'import gzip, json, sys; print(sys.argv[1], "python", json.dumps(gzip.open(sys.argv[1] + ".gz").read().decode()))' "$name"; done)
printf '%s\n' "$seen"
expected='joined pako "one two"
joined node "one two"
padded pako "one "
padded node "one "
joined python "one two"
padded python "one two"'
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s\n' "$expected"; exit 1; } >&2

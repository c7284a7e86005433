#!/usr/bin/env bash
# What: pac-resolver finds the callers of dnsResolve(), isResolvable() and the like by name in the script's text, to make them
# wait. A look-up in an unnamed function is a syntax error; passed as an argument it gives a promise, which is always true.
# Versions: pac-resolver 9.0.2, quickjs-wasi 3.7.0 (npm). Seen: 2026-11-28.
# Surprising: both scripts are plain JavaScript that browsers run, and the second one answers, with the wrong proxy: a name
# that doesn't exist counts as resolvable.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund pac-resolver@9.0.2 quickjs-wasi@3.7.0 > /dev/null
cat > try.mjs <<'JS'
import { readFile } from "node:fs/promises";
import { QuickJS } from "quickjs-wasi";
import { createPacResolver } from "pac-resolver";
const wasm = await WebAssembly.compile(await readFile(new URL(import.meta.resolve("quickjs-wasi/quickjs.wasm"))));
const qjs = await QuickJS.create({ wasm });
const scripts = {
  "named function": `function known(h) { return isResolvable(h); }
    function FindProxyForURL(url, host) { return known("nosuch.invalid") ? "DIRECT" : "PROXY proxy.corp.example:3128"; }`,
  "unnamed function": `var known = function (h) { return isResolvable(h); };
    function FindProxyForURL(url, host) { return known("nosuch.invalid") ? "DIRECT" : "PROXY proxy.corp.example:3128"; }`,
  "as an argument": `function FindProxyForURL(url, host) {
      return ["nosuch.invalid"].some(isResolvable) ? "DIRECT" : "PROXY proxy.corp.example:3128"; }`,
};
for (const [name, script] of Object.entries(scripts)) {
  try {
    console.log(`${name}: ${await createPacResolver(qjs, script)("http://corp.example/")}`);
  } catch (error) {
    console.log(`${name}: error: ${error.message}`);
  }
}
process.exit(0);
JS
seen=$(timeout 120 node try.mjs)
expected="named function: PROXY proxy.corp.example:3128
unnamed function: error: expecting ';'
as an argument: DIRECT"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s\n' "$expected"; exit 1; } >&2

#!/usr/bin/env bash
# What: in pac-resolver, the evaluator behind npm's proxy-agent, dateRange() of a PAC script is false on every date.
# Versions: pac-resolver 9.0.2, quickjs-wasi 3.7.0 (npm). Seen: 2026-11-28.
# Surprising: weekdayRange() and timeRange() of the same package work, dateRange() is documented in its source with ten
# forms, and the call fails without an error: a script that changes its proxy on a date stays on the other branch for good.
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
for (const call of ["dateRange(2000, 2999)", 'dateRange("JAN", "DEC")', 'weekdayRange("SUN", "SAT")', "timeRange(0, 23)"]) {
  const find = createPacResolver(qjs, `function FindProxyForURL(url, host) { return ${call} ? "DIRECT" : "PROXY proxy.corp.example:3128"; }`);
  console.log(call, "is", (await find("http://corp.example/")) === "DIRECT");
}
JS
seen=$(timeout 120 node try.mjs)
expected='dateRange(2000, 2999) is false
dateRange("JAN", "DEC") is false
weekdayRange("SUN", "SAT") is true
timeRange(0, 23) is true'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s\n' "$expected"; exit 1; } >&2

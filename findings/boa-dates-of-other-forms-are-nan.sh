#!/usr/bin/env bash
# What: boa's Date.parse() reads ISO 8601 and "Tue, 01 Dec 2026 10:00:00 GMT" and gives NaN for the other forms that all
# browsers and Node read.
# Versions: boa_engine 0.22.0 (crates.io, with its feature annex-b), Node 20 or later. Seen: 2026-11-28.
# Surprising: ECMAScript leaves the other forms open, but scripts in use (PAC files with a date of expiry, for one) rely on
# them; nothing throws, and each comparison with NaN is false, so the script takes its other branch.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cat > seen.js <<'JS'
["2026-12-01T10:00:00Z", "Tue, 01 Dec 2026 10:00:00 GMT", "December 1, 2026 10:00:00", "2026/12/01", "12/01/2026", "1 Dec 2026",
 "2026-12-01 10:00", "Tue Dec 01 2026 10:00:00 GMT+0100"].map(function (text) { return text + ": " + (isNaN(Date.parse(text)) ? "NaN" : "a date"); }).join("\n")
JS
cargo init -q --vcs none --name seen
cargo add -q boa_engine@=0.22.0 --no-default-features --features annex-b
cat > src/main.rs <<'RS'
use boa_engine::{Context, Source};

fn main() {
    let value = Context::default().eval(Source::from_bytes(include_str!("../seen.js"))).expect("a result");
    println!("{}", value.as_string().expect("a string").to_std_string_escaped());
}
RS
boa=$(CARGO_TARGET_DIR=$tmp/target cargo run -q)
node=$(node -p "$(cat seen.js)")
printf 'boa\n%s\nNode\n%s\n' "$boa" "$node"
expected='2026-12-01T10:00:00Z: a date
Tue, 01 Dec 2026 10:00:00 GMT: a date
December 1, 2026 10:00:00: NaN
2026/12/01: NaN
12/01/2026: NaN
1 Dec 2026: NaN
2026-12-01 10:00: NaN
Tue Dec 01 2026 10:00:00 GMT+0100: a date'
[ "$boa" = "$expected" ] && ! grep -q NaN <<< "$node" || { echo "changed; boa gave:"; printf '%s\n' "$expected"; exit 1; } >&2

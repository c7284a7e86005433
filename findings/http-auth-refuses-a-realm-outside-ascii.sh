#!/usr/bin/env bash
# What: http-auth parses `Basic realm="corp"` and refuses `Basic realm="Zürich"`: with it all challenges of that field are lost, also
# an NTLM or Digest beside it that has ASCII only.
# Versions: http-auth 0.1.10 (crates.io). Seen: 2026-11-29.
# Surprising: RFC 9110 (section 5.6.4) lets a quoted string hold bytes from 0x80 on (obs-text), and RFC 7617 has the very
# parameter, charset="UTF-8", for servers that send such names; a proxy is set up with the name of a company or a town.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "seen"
version = "0.0.0"
edition = "2021"
[dependencies]
http-auth = "=0.1.10"
TOML
cat > src/main.rs <<'RS'
fn main() {
    for field in [
        "Basic realm=\"corp\"",
        "Basic realm=\"Z\u{fc}rich\", charset=\"UTF-8\"",
        "Digest realm=\"corp\", nonce=\"x\", Basic realm=\"Z\u{fc}rich\"",
    ] {
        match http_auth::parse_challenges(field) {
            Ok(all) => println!("{} of {field}", all.len()),
            Err(_) => println!("an error for {field}"),
        }
    }
}
RS
seen=$(cargo run -q 2> /dev/null)
printf '%s\n' "$seen"
expected='1 of Basic realm="corp"
an error for Basic realm="Zürich", charset="UTF-8"
an error for Digest realm="corp", nonce="x", Basic realm="Zürich"'
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s\n' "$expected"; exit 1; } >&2

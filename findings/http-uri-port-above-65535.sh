#!/usr/bin/env bash
# What: http::Uri accepts a port above 65535 and then says that there is no port: port_u16() and port() are None, while
# authority() still shows it.
# Version: http 1.5.0 (crates.io; what hyper, reqwest, axum and ureq parse with). Seen: 2026-11-28.
# Surprising: a parser that knows the type u16 would be expected to refuse the text. The usual `port_u16().unwrap_or(80)`
# quietly connects to port 80 instead, so a slip in an address ends at another service.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cargo init -q --vcs none --name seen
cargo add -q http@=1.5.0
cat > src/main.rs <<'RS'
fn main() {
    for text in ["http://corp.example:65535/", "http://corp.example:65536/", "http://corp.example:031280/", "http://corp.example:/"] {
        match text.parse::<http::Uri>() {
            Ok(uri) => println!("{text} {:?} {:?}", uri.port_u16(), uri.authority().map(|a| a.as_str())),
            Err(error) => println!("{text} {error}"),
        }
    }
}
RS
seen=$(CARGO_TARGET_DIR=$tmp/target cargo run -q)
printf '%s\n' "$seen"
expected='http://corp.example:65535/ Some(65535) Some("corp.example:65535")
http://corp.example:65536/ None Some("corp.example:65536")
http://corp.example:031280/ Some(31280) Some("corp.example:031280")
http://corp.example:/ None Some("corp.example:")'
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s\n' "$expected"; exit 1; } >&2

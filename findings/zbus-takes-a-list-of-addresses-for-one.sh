#!/usr/bin/env bash
# What: zbus reads a D-Bus address with two entries ("A;B") as one socket whose path contains the semicolon and all behind it.
# Version: zbus 5.19.0 (crates.io). Seen: 2026-11-28.
# Surprising: DBUS_SESSION_BUS_ADDRESS is defined as a list that is tried in order (D-Bus specification, "Server
# Addresses"), which libdbus and sd-bus do. A semicolon must be escaped in a path, so the text isn't ambiguous, and parsing
# it is no error: the program later reports a socket that doesn't exist.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cargo init -q --vcs none --name seen
cargo add -q zbus@=5.19.0
cat > src/main.rs <<'RS'
use zbus::address::transport::{Transport, Unix, UnixSocket};

fn main() {
    for text in ["unix:path=/run/a", "unix:path=/run/a;unix:path=/run/b"] {
        let address: zbus::Address = text.parse().expect("an address");
        let Transport::Unix(unix) = address.transport() else { panic!("{address:?}") };
        let UnixSocket::File(path) = Unix::path(unix) else { panic!("{unix:?}") };
        println!("{text} -> {}", path.display());
    }
}
RS
seen=$(CARGO_TARGET_DIR=$tmp/target cargo run -q)
expected='unix:path=/run/a -> /run/a
unix:path=/run/a;unix:path=/run/b -> /run/a;unix:path=/run/b'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s\n' "$expected"; exit 1; } >&2

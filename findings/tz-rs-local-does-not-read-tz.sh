#!/usr/bin/env bash
# What: tz-rs's TimeZone::local() reads /etc/localtime and never the variable TZ.
# Version: tz-rs 0.7.3 (crates.io); the C library's date as the other reader. Seen: 2026-11-28.
# Surprising: POSIX puts TZ first, and every program that asks the C library follows it. In a container on UTC, or for a
# user who sets TZ in a shell's start file, a program with this crate shows other times than all others, without an error.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cargo init -q --vcs none --name seen
cargo add -q tz-rs@=0.7.3
cat > src/main.rs <<'RS'
fn main() {
    let hours = |zone: &tz::TimeZone| zone.find_local_time_type(1_782_900_000).expect("a type").ut_offset() / 3600;
    let local = tz::TimeZone::local().expect("a zone");
    let named = tz::TimeZone::from_posix_tz(&std::env::var("TZ").expect("TZ")).expect("a zone");
    println!("differ: {}, by TZ: {}", hours(&local) != hours(&named), hours(&named));
}
RS
CARGO_TARGET_DIR=$tmp/target cargo build -q
# Two zones, so that the machine's own can be at most one of them.
seen=$(for zone in "<+05>-5" "<-07>7"; do TZ=$zone ./target/debug/seen; TZ=$zone date -d @1782900000 +"date: %z"; done)
printf '%s\n' "$seen"
expected='differ: true, by TZ: 5
date: +0500
differ: true, by TZ: -7
date: -0700'
[ "$seen" = "$expected" ] || { echo "changed; it was (where the machine is in neither zone):"; printf '%s\n' "$expected"; exit 1; } >&2

#!/usr/bin/env bash
# What: the plist crate leaves <![CDATA[...]]> out of a string without an error: the text before and after it is kept.
# Version: plist 1.10.3 (crates.io); Python's plistlib, on expat, as the other reader. Seen: 2026-11-28.
# Surprising: CDATA is plain XML, the natural way to put a script or a URL with "&" into a property list, and Apple's own
# parser and Python read it. Here a value silently loses its middle, or is empty.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cat > in.plist <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><array>
<string>plain &amp; simple</string>
<string>before <![CDATA[a && b]]> after</string>
<string><![CDATA[proxy.corp.example]]></string>
</array></plist>
XML
cargo init -q --vcs none --name seen
cargo add -q plist@=1.10.3
cat > src/main.rs <<'RS'
fn main() {
    let value = plist::Value::from_file("in.plist").expect("a property list");
    for string in value.as_array().expect("an array") {
        println!("{:?}", string.as_string().expect("a string"));
    }
}
RS
crate=$(CARGO_TARGET_DIR=$tmp/target cargo run -q)
python=$(python3 -c 'import plistlib
for text in plistlib.load(open("in.plist", "rb")): print("\"%s\"" % text)')
printf 'plist 1.10.3:\n%s\nplistlib:\n%s\n' "$crate" "$python"
expected='"plain & simple"
"before  after"
""'
other='"plain & simple"
"before a && b after"
"proxy.corp.example"'
[ "$crate" = "$expected" ] && [ "$python" = "$other" ] || { echo "changed" >&2; exit 1; }

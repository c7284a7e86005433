#!/usr/bin/env bash
# What: in ureq an entry of NO_PROXY that ends with a dot or a "*" is a prefix: `10.1.` and `10.1.*` match 10.1.2.3, and
# `intra` with a star any name that begins so. Networks such as 10.1.0.0/16 are not read.
# Version: ureq 3.5.2 (crates.io). Seen: 2026-11-28.
# Surprising: of about 40 readers that were compared hardly any reads a prefix, while the usual notation for networks is
# ignored without a word.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cargo init -q --vcs none --name seen
cargo add -q ureq@=3.5.2 --no-default-features
cat > src/main.rs <<'RS'
fn main() {
    for entry in ["10.1.", "10.1.*", "10.1.0.0/16", "10.1.2.3", "intra*"] {
        std::env::set_var("NO_PROXY", entry);
        let proxy = ureq::Proxy::try_from_env().expect("a proxy");
        for uri in ["http://10.1.2.3/", "http://intranet/"] {
            println!("{entry} {uri} direct: {}", proxy.is_no_proxy(&uri.parse().expect("a URI")));
        }
    }
}
RS
sed -i 's/edition = "2024"/edition = "2021"/' Cargo.toml
seen=$(env -u http_proxy -u https_proxy -u no_proxy -u HTTPS_PROXY -u ALL_PROXY -u all_proxy \
	HTTP_PROXY=http://proxy.corp.example:3128 CARGO_TARGET_DIR="$tmp/target" cargo run -q)
expected='10.1. http://10.1.2.3/ direct: true
10.1. http://intranet/ direct: false
10.1.* http://10.1.2.3/ direct: true
10.1.* http://intranet/ direct: false
10.1.0.0/16 http://10.1.2.3/ direct: false
10.1.0.0/16 http://intranet/ direct: false
10.1.2.3 http://10.1.2.3/ direct: true
10.1.2.3 http://intranet/ direct: false
intra* http://10.1.2.3/ direct: false
intra* http://intranet/ direct: true'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s\n' "$expected"; exit 1; } >&2

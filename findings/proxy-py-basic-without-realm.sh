#!/usr/bin/env bash
# What: proxy.py with --basic-auth asks for a login with "Proxy-Authenticate: Basic", without a realm.
# Version: proxy.py 2.4.10 (PyPI). Seen: 2026-11-28.
# Surprising: RFC 7617 says that a Basic challenge has a realm, so parsers that take the parameter as given (and keep
# passwords by realm) find no challenge at all in this answer of a widely used proxy.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill "${proxy:-}" 2> /dev/null || true; rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check proxy.py==2.4.10 > /dev/null
HOME=$tmp "$tmp/venv/bin/proxy" --hostname 127.0.0.1 --port 0 --port-file "$tmp/port" --num-workers 1 --num-acceptors 1 \
	--basic-auth user:secret > "$tmp/log" 2>&1 &
proxy=$!
for _ in $(seq 100); do [ -s "$tmp/port" ] && break; sleep 0.1; done
seen=$("$tmp/venv/bin/python" - "$(head -n 1 "$tmp/port")" <<'PY'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
s.settimeout(10)
s.sendall(b"CONNECT corp.example:443 HTTP/1.1\r\nHost: corp.example:443\r\n\r\n")
data = b""
while True:
    more = s.recv(65536)
    if not more: break
    data += more
head = data.split(b"\r\n\r\n")[0].decode().split("\r\n")
print(head[0])
print(*[line for line in head if line.lower().startswith("proxy-authenticate")], sep="\n")
PY
)
expected='HTTP/1.1 407 Proxy Authentication Required
Proxy-Authenticate: Basic'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s\n' "$expected"; exit 1; } >&2

#!/usr/bin/env bash
# What: asked for a tunnel to a port where nothing listens, pproxy and proxy-chain close the connection without one byte.
# Versions: pproxy 2.7.9 (PyPI), proxy-chain 3.0.1 (npm). Seen: 2026-11-28.
# Surprising: HTTP has 502 and 504 for this, and each client takes a close before an answer for a broken proxy, a SOCKS or a
# TLS port. A target that is down can't be told from a proxy that is.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check pproxy==2.7.9 > /dev/null
npm init -y > /dev/null
npm install --silent --no-audit --no-fund proxy-chain@3.0.1 > /dev/null
cat > chain.mjs <<'JS'
import * as chain from "proxy-chain";
const server = new chain.Server({ host: "127.0.0.1", port: Number(process.argv[2]) });
await server.listen();
JS
cat > ask.py <<'PY'
import os, socket, subprocess, sys, time
def free():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]
def ask(port, target):
    for _ in range(150):
        try:
            s = socket.create_connection(("127.0.0.1", port), 5)
            break
        except OSError:
            time.sleep(0.1)
    with s:
        s.settimeout(15)
        s.sendall(f"CONNECT 127.0.0.1:{target} HTTP/1.1\r\nHost: 127.0.0.1:{target}\r\n\r\n".encode())
        try:
            data = s.recv(4096)
        except ConnectionResetError:
            data = b""
        return data.split(b"\r\n")[0].decode() or "closed without a byte"
listening = socket.create_server(("127.0.0.1", 0))
for name in ("pproxy", "proxy-chain"):
    port = free()
    command = {"pproxy": [os.path.dirname(sys.executable) + "/pproxy", "-l", f"http://127.0.0.1:{port}"], "proxy-chain": ["node", "chain.mjs", str(port)]}[name]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as proxy:
        print(f"{name}, open port: {ask(port, listening.getsockname()[1])}")
        print(f"{name}, closed port: {ask(port, free())}", flush=True)
        proxy.kill()
PY
seen=$("$tmp/venv/bin/python" ask.py)
expected='pproxy, open port: HTTP/1.1 200 Connection established
pproxy, closed port: closed without a byte
proxy-chain, open port: HTTP/1.1 200 Connection Established
proxy-chain, closed port: closed without a byte'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s\n' "$expected"; exit 1; } >&2

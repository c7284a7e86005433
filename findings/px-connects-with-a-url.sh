#!/usr/bin/env bash
# What: px with --auth=NONE sends its parent "CONNECT http://HOST:PORT" where RFC 9112 (3.2.3) wants the bare HOST:PORT.
# Version: px-proxy 0.13.0 (PyPI). Seen: 2026-11-28.
# Surprising: px is the relay that people put in front of a company's proxy, and with any other --auth it asks correctly.
# Parents differ in what they make of the URL: some answer 500, some take it for a request to be forwarded in clear.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check px-proxy==0.13.0 > /dev/null
seen=$("$tmp/venv/bin/python" - "$tmp" <<'PY'
import socket, subprocess, sys, threading, time, os
tmp = sys.argv[1]
def parent(seen):
    server = socket.create_server(("127.0.0.1", 0))
    def serve():
        while True:
            peer, _ = server.accept()
            peer.settimeout(5)
            data = b""
            try:
                while b"\r\n\r\n" not in data:
                    more = peer.recv(65536)
                    if not more: break
                    data += more
                if data:
                    seen.append(data.split(b"\r\n")[0].decode())
                    peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    time.sleep(0.3)
            except OSError:
                pass
            peer.close()
    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]
def free():
    with socket.create_server(("127.0.0.1", 0)) as s: return s.getsockname()[1]
for auth in (["--auth=NONE"], []):
    seen = []
    port, to = free(), parent(seen)
    px = subprocess.Popen([tmp + "/venv/bin/px", f"--port={port}", f"--proxy=127.0.0.1:{to}", "--workers=1", "--threads=2", *auth],
                          cwd=tmp, env={**os.environ, "HOME": tmp}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(150):
            try:
                s = socket.create_connection(("127.0.0.1", port), 5); break
            except OSError:
                time.sleep(0.1)
        s.settimeout(10)
        s.sendall(b"CONNECT corp.example:443 HTTP/1.1\r\nHost: corp.example:443\r\n\r\n")
        try: s.recv(4096)
        except OSError: pass
        s.close()
    finally:
        px.terminate(); px.wait(10)
    print(" ".join(auth) or "default", "->", seen[0] if seen else "nothing")
PY
)
expected='--auth=NONE -> CONNECT http://corp.example:443 HTTP/1.1
default -> CONNECT corp.example:443 HTTP/1.1'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s\n' "$expected"; exit 1; } >&2

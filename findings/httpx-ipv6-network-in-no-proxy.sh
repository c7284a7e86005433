#!/usr/bin/env bash
# What: one IPv6 network in NO_PROXY makes httpx refuse every request, to whatever host, before it connects.
# Version: httpx 0.28.1 (PyPI). Seen: 2026-11-28.
# Surprising: `fd00::/8` is an ordinary entry that curl, Go and Ruby read. A reader that doesn't know networks would be
# expected to skip it, as httpx does with `10.0.0.0/8`. Here the entry becomes a URL whose port is "/8", and building
# the client itself fails, so one line in a company's environment stops each program that uses httpx.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check httpx==0.28.1 > /dev/null
cat > "$tmp/try.py" <<'PY'
import httpx, os
for entry in ("10.0.0.0/8", "fd00::1", "fd00::/8", "[fd00::1]"):
    os.environ.update(HTTP_PROXY="http://127.0.0.1:9", NO_PROXY=entry)
    try:
        httpx.Client().close()
        print(entry, "accepted")
    except Exception as error:
        print(entry, type(error).__name__)
PY
seen=$(env -u http_proxy -u https_proxy -u no_proxy -u HTTPS_PROXY -u ALL_PROXY -u all_proxy "$tmp/venv/bin/python" "$tmp/try.py")
expected='10.0.0.0/8 accepted
fd00::1 accepted
fd00::/8 InvalidURL
[fd00::1] InvalidURL'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed: expected"; printf '%s\n' "$expected"; exit 1; } >&2

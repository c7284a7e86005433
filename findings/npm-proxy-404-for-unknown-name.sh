#!/usr/bin/env bash
# What: npm's `proxy` answers a CONNECT to a name that doesn't resolve with 404 Not Found, and one to a closed port with 500.
# Version: proxy 4.1.0 (npm). Seen: 2026-11-28.
# Surprising: 502 or 504 is what RFC 9110 gives a gateway for this; a 404 to CONNECT is what plain web servers say, so a
# client that uses it to tell a web server from a proxy takes this proxy for a web server whenever a name has a slip.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund proxy@4.1.0 > /dev/null
cat > try.mjs <<'JS'
import http from "node:http";
import net from "node:net";
import { createProxy } from "proxy";
const server = createProxy(http.createServer());
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const closed = net.createServer();
await new Promise((done) => closed.listen(0, "127.0.0.1", done));
const port = closed.address().port;
await new Promise((done) => closed.close(done));
for (const [what, target] of [["unknown name", "nosuch.invalid:443"], ["closed port", `127.0.0.1:${port}`]]) {
  const request = http.request({ host: "127.0.0.1", port: server.address().port, method: "CONNECT", path: target });
  request.end();
  const status = await new Promise((done) => {
    request.on("connect", (answer) => done(answer.statusCode));
    request.on("response", (answer) => done(answer.statusCode));
    request.on("error", (error) => done(error.code));
  });
  console.log(`${what}: ${status}`);
}
process.exit(0);
JS
seen=$(timeout 60 node try.mjs)
expected='unknown name: 404
closed port: 500'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s\n' "$expected"; exit 1; } >&2

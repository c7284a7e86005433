#!/usr/bin/env bash
# What: for global-agent an entry `.corp.example` in NO_PROXY also matches notcorp.example: the dot becomes a "*" in front of
# the text. A plain `corp.example` matches that one name and nothing below it.
# Version: global-agent 4.1.6 (npm). Seen: 2026-11-28.
# Surprising: the dot is what people write to be sure that whole labels match; of about 40 readers of NO_PROXY that were
# compared this is the only one in which the dotted form takes a neighbor's name along.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund global-agent@4.1.6 > /dev/null
cat > try.cjs <<'JS'
const http = require("node:http");
const { bootstrap } = require("global-agent");
const proxy = http.createServer((_, answer) => answer.end("through the proxy"));
proxy.listen(0, "127.0.0.1", async () => {
  bootstrap();
  global.GLOBAL_AGENT.HTTP_PROXY = `http://127.0.0.1:${proxy.address().port}`;
  for (const entry of [".corp.example", "corp.example"]) {
    global.GLOBAL_AGENT.NO_PROXY = entry;
    for (const host of ["www.corp.example", "corp.example", "notcorp.example"]) {
      // None of these names resolves, so what goes direct ends as an error of the look-up.
      const way = await new Promise((done) => {
        http.get(`http://${host}/`, (answer) => { answer.resume(); done("proxied"); })
          .on("error", (error) => done(error.syscall === "getaddrinfo" ? "direct" : String(error)));
      });
      console.log(`${entry}: ${host} is ${way}`);
    }
  }
  process.exit(0);
});
JS
seen=$(env -u GLOBAL_AGENT_HTTP_PROXY -u GLOBAL_AGENT_NO_PROXY timeout 60 node try.cjs)
expected='.corp.example: www.corp.example is direct
.corp.example: corp.example is direct
.corp.example: notcorp.example is direct
corp.example: www.corp.example is proxied
corp.example: corp.example is direct
corp.example: notcorp.example is proxied'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s\n' "$expected"; exit 1; } >&2

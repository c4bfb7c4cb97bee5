#!/usr/bin/env bash
# Starts `goc demo`, waits for its first incident and looks at it in a real browser: both screens, both languages, three
# sizes, axe, acknowledge; then a drill, a plan, a sign-in and an outage by hand. Needs bin/goc and web/ui/node_modules. Screenshots go to $OUT.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-$(mktemp -d)}
port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
data=$(mktemp -d)
bin/goc demo --listen "127.0.0.1:$port" --data "$data" --seed 7 >"$data/story.txt" 2>&1 &
goc=$!
trap 'kill $goc 2>/dev/null || true; wait $goc 2>/dev/null || true; rm -rf "$data"' EXIT
for _ in $(seq 1 200); do
  curl -sf "http://127.0.0.1:$port/readyz" >/dev/null && break
  kill -0 $goc 2>/dev/null || { cat "$data/story.txt"; exit 1; }
  sleep 0.1
done
node web/ui/e2e/screens.mjs "http://127.0.0.1:$port" "$out" || { cat "$data/story.txt"; exit 1; }
kill $goc && wait $goc || true
# The acts start servers of their own: a drill, a plan, a sign-in and an outage, done by hand in the browser.
node web/ui/e2e/acts.mjs bin/goc "$out" "$port"
# The gate's screens, on a server of their own with people who may and may not.
node web/ui/e2e/gate.mjs bin/goc "$out" "$port"
# What devices share, on a fleet of its own.
node web/ui/e2e/fleet.mjs bin/goc "$out" "$port"
# A store's devices: their readings, why one is degraded, its changes of state.
node web/ui/e2e/devices.mjs bin/goc "$out" "$port"
echo "screenshots in $out"

#!/usr/bin/env bash
# Prints the figures of docs/benchmarks.md. Nothing here asserts a time: compare runs on one machine, side by side.
set -euo pipefail
cd "$(dirname "$0")/.."
go build -trimpath -o bin/goc ./cmd/goc
echo "== commits, gate, heartbeats, what the affected share, rules, suspects, a day replayed, 1,000 alerts a second, the recording"
go test -run '^$' -bench . -skip GateAtRate -benchtime "${BENCHTIME:-1s}" ./storage/... ./changes/... ./collectors/... ./alertrules/... ./incidents/... ./cmd/goc
echo "== the gate with every rule on, 5,000 checks a second for ten seconds; load $(cut -d' ' -f1 /proc/loadavg)"
go test -run '^$' -bench GateAtRate -benchtime 50000x ./cmd/goc
echo "== the fleet beside Prometheus, a million devices through an operator's day, an hour's worth of their beats: a quarter of an hour; load $(cut -d' ' -f1 /proc/loadavg)"
GOC_BIN="$PWD/bin/goc" go test -timeout 1h -run '^$' -bench 'BesidePrometheus|Million$|AnHour' -benchtime 1x ./cmd/goc
if [ -x "${CHROMIUM:-/usr/bin/chromium}" ] && [ -d web/ui/node_modules ]; then
  echo "== the demo: ten faults, ten minutes"
  node scripts/measure-demo.mjs bin/goc "${FAULTS:-10}" "${SPEED:-3}" "${SEED:-1}" "${MINUTES:-10}"
else
  echo "the demo is not measured: it needs Chromium and 'make ui'" >&2
fi

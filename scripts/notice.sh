#!/usr/bin/env bash
# Writes NOTICE: what the binary bundles, with the licence of each. `--check` only compares.
set -euo pipefail
cd "$(dirname "$0")/.."

licence() { # of the module in folder $1
  local f
  f=$(find "$1" -maxdepth 1 -iname 'licen[sc]e*' -o -maxdepth 1 -iname 'copying*' | sort | head -n 1)
  [ -n "$f" ] || { echo "unknown"; return; }
  if grep -q "Apache License" "$f"; then echo "Apache-2.0"
  elif grep -q "Eclipse Distribution License" "$f"; then echo "EPL-2.0 or BSD-3-Clause"
  elif grep -q "Mozilla Public License" "$f"; then echo "MPL-2.0"
  elif grep -qi "Permission is hereby granted, free of charge" "$f"; then echo "MIT"
  elif grep -qi "Permission to use, copy, modify, and/\?o\?r\? \?distribute" "$f"; then echo "ISC"
  elif grep -q "Redistribution and use" "$f"; then
    if grep -qi "neither the name" "$f"; then echo "BSD-3-Clause"; else echo "BSD-2-Clause"; fi
  else echo "unknown"; fi
}

write() {
  cat <<'HEAD'
GOC
Copyright the GOC authors. Licensed under the Apache License 2.0, see LICENSE.

The binary bundles these works, each under its own licence. Made by scripts/notice.sh.

Go modules:
HEAD
  go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/goc | sort -u | while read -r path version dir; do
    [ -n "$path" ] && printf '  %s %s (%s)\n' "$path" "$version" "$(licence "$dir")"
  done
  cat <<'TAIL'

In the browser's bundle (web/ui/dist):
  svelte 5.57.3 (MIT)
  uplot 1.6.32 (MIT)

The Go standard library and runtime (BSD-3-Clause); SQLite within github.com/mattn/go-sqlite3 (public domain).
TAIL
}

if [ "${1:-}" = --check ]; then
  diff <(write) NOTICE || { echo "NOTICE is not true: run scripts/notice.sh"; exit 1; }
else
  write >NOTICE.new && mv NOTICE.new NOTICE
fi

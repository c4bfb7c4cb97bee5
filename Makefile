# Two commands are the promise: `make demo` shows the whole product alive, `make test` proves it.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
GO ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: demo build test test-go test-ui test-e2e bench ui lint

demo:            ## the embedded world and everything that watches it, at http://127.0.0.1:8420
	$(GO) run ./cmd/goc demo

build:           ## bin/goc
	$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/goc ./cmd/goc

test: lint test-ui test-go test-e2e ## everything that CI runs

test-go:         ## all Go tests, against real PostgreSQL, Prometheus, Alertmanager, node_exporter
	$(GO) test -timeout 20m ./...

test-ui:         ## the bundle is what the source builds; types, lint, units, size budgets
	cd web/ui
	npm ci --no-audit --no-fund
	npm run check
	npm run lint
	npm test
	before=$$(mktemp -d)
	cp -r dist "$$before"
	npm run build
	diff -rq "$$before/dist" dist || { echo "web/ui/dist is not what the source builds: run 'make ui' and commit it"; exit 1; }
	npm run budget

test-e2e: build  ## the demo in a real browser: both screens, both languages, three sizes
	scripts/e2e.sh

bench:           ## prints the figures of docs/benchmarks.md
	scripts/bench.sh

ui:              ## builds web/ui/dist, which is committed
	cd web/ui
	npm ci --no-audit --no-fund
	npm run build

lint:            ## gofumpt, vet, staticcheck, NOTICE
	test -z "$$($(GO) tool gofumpt -l $$(git ls-files '*.go'))" || { $(GO) tool gofumpt -l $$(git ls-files '*.go'); echo "run 'go tool gofumpt -w' on these"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	scripts/notice.sh --check

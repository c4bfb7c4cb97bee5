// Package alertrules evaluates Prometheus rule files, unmodified, with Prometheus' own rules engine, and hands the
// alerts on. It brings the rules that ship with the product, `goc rules check` and `goc rules test`.
//
// It and collectors/metrics are the only rooms that import Prometheus' packages.
package alertrules

// Package metrics brings numbers in: it scrapes targets into an embedded Prometheus store, or asks a remote
// Prometheus-compatible one, answers PromQL over either, and samples the catalog's indicators.
//
// It and alertrules are the only rooms that import Prometheus' packages. What others need of it is ops.Querier,
// Subscribe and Handler.
package metrics

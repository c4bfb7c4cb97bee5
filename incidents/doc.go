// Package incidents turns alerts into incidents: people's work, with a clock, a severity, suspects and a timeline.
//
// The rules stand in the pure engine (goc/incidents/engine) and its ranking (goc/incidents/suspects); this package keeps
// their state on disk, runs their time, and answers for them.
package incidents

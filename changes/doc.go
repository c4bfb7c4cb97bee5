// Package changes is the record of changes and the gate: what went out where and when, whether the next may, and whether
// the last did well.
//
// Moves of a change are in transition.go, the gate's decision in decide.go, both pure; windows in changes/window, verdicts
// in changes/bake. The Service holds everything in memory, decides under its lock, appends to the journal before it lets
// go, and answers once that is on disk.
package changes

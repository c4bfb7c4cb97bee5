// Package bake watches what changed after it went out and says whether it is well: healthy, unhealthy or no_data.
//
// Verdict is pure. Bakes keeps the samples and the bakes under way and calls it when one is over; it has no clock, so the
// live service and `goc replay` drive it alike.
package bake

import (
	"time"

	"goc/ops"
)

// Bake is one time after something went out, during which it is watched.
type Bake struct {
	ChangeID string
	Stage    int // counts from 1; 0 is the change as a whole
	Service  string
	Scope    ops.Scope // where it went; its stores, cities and regions are the treated places
	Units    []string  // the instances that have it
	Not      []string  // units and stores that are no fair comparison: replaced, or treated by another stage
	From, To time.Time // from when it was out, and when the bake ends
}

// Outcome is how a bake ended.
type Outcome struct {
	ChangeID string
	Stage    int
	At       time.Time
	Verdict  ops.Verdict
	Score    float64 // how far the worst indicator is from what is usual, in multiples of what would still count as usual
	Reasons  []ops.Reason
	Certain  bool // unhealthy, and waiting for the end of the bake would not change that
}

package drills

import (
	"math"
	"time"

	"goc/ops"
)

// The legs of 1-5-10, their targets in seconds and their weights in the score.
var legs = [...]struct {
	name   string
	target float64
	weight float64
}{{"detect", 60, 30}, {"locate", 300, 35}, {"recover", 600, 35}}

// newLegs are the three legs, none reached.
func newLegs() []ops.DrillLeg {
	out := make([]ops.DrillLeg, len(legs))
	for i, l := range legs {
		out[i] = ops.DrillLeg{Name: l.name, TargetS: l.target}
	}
	return out
}

// score is 0 to 100: detection counts 30, location 35, recovery 35. A leg within its target gives all of its points; after
// that they fall in a straight line to none at three times the target. A leg that was not reached gives none.
func score(of []ops.DrillLeg) int {
	sum := 0.0
	for i, l := range legs {
		if i < len(of) && of[i].Seconds != nil {
			sum += l.weight * min(1, max(0, (3*l.target-*of[i].Seconds)/(2*l.target)))
		}
	}
	return int(math.Round(sum))
}

// reach sets a leg to the time from injection to at, never below zero.
func reach(leg *ops.DrillLeg, injected, at time.Time, text string) {
	s := max(0, at.Sub(injected).Seconds())
	leg.Seconds, leg.Met, leg.Text = &s, s <= leg.TargetS, text
}

// miss makes a leg not reached.
func miss(leg *ops.DrillLeg, text string) { leg.Seconds, leg.Met, leg.Text = nil, false, text }

package bake

import (
	"math"
	"slices"
	"time"

	"goc/ops"
)

// Evidence is what was seen of one indicator of one service during a bake.
type Evidence struct {
	Service   string
	Indicator string
	Direction string // ops.GoodHigher, GoodLower, GoodSteady

	// Those that have what went out, and those that have not, one entry per series.
	Treated, Untreated []Unit

	// Means are the indicator's means over all series, one step of time apart, oldest first, NaN where there are none;
	// First is the first step of the bake, Bake how many it takes as a whole. Empty when there is no history.
	Means []float64
	Step  time.Duration
	First int
	Bake  int
}

// Unit is one series: its values in as long a time before the change as the bake is (at least 30 minutes), and during the bake.
type Unit struct{ Before, During []float64 }

// leastBefore is how far back a unit's own level is looked for.
const leastBefore = 30 * time.Minute

// take puts a series on its side.
func (e *Evidence) take(r *ring, side int, k Bake, now time.Time) {
	if side == neither {
		return
	}
	back := max(leastBefore, k.To.Sub(k.From))
	u := Unit{Before: r.between(k.From.Add(-back), k.From), During: r.between(k.From, now)}
	if len(u.During) == 0 {
		return
	}
	if side == treated {
		e.Treated = append(e.Treated, u)
	} else {
		e.Untreated = append(e.Untreated, u)
	}
}

// The comparison of treated with untreated.
const (
	minSamples  = 8     // on each side
	minPeers    = 4     // untreated units from which the usual spread between units is taken
	chance      = 0.01  // of calling a healthy change unhealthy, over all its indicators
	largeEffect = 0.474 // Cliff's delta from which an effect counts as large (Romano et al. 2006)
	beyondDoubt = 2     // the score from which a bake under way is ended as unhealthy before its time,
	looks       = 100   // and how many such looks share one chance of being wrong
	minSlower   = 0.2   // a latency or error indicator that is higher by less than this part of its level is let be
	spreads     = 3     // how many usual spreads still count as usual
)

// contrast is how treated and untreated differ.
type contrast struct {
	test      RankSum
	treated   float64 // mean; of each unit's own movement when own is set, in parts of its level when relative is
	untreated float64
	own       bool    // each unit was measured against its own level before
	relative  bool    // in parts of that level
	usual     float64 // the difference that would still be usual
	n, m      int     // samples
	drift     float64 // the part of what the treated moved by that had begun before the change, taken off
	some      outliers
}

// size is how far the treated are from the untreated, in the indicator's unit.
func (c contrast) size() float64 { return c.treated - c.untreated }

// compare measures treated against untreated at the same time. It returns false when there are too few samples on either
// side. Units that were there before are measured against their own level, so that a store that always sells less
// is no evidence, and in parts of it, so that a large store weighs no more than a small one; a unit that is new has no
// level, and then, unless most units have one, values are compared as they are.
func compare(e Evidence) (contrast, bool) {
	treated, untreated := selling(e.Treated, e.Direction), selling(e.Untreated, e.Direction)
	treated, untreated, own := levelled(treated, untreated)
	a, b := newGauges(treated, own), newGauges(untreated, own)
	c := contrast{own: own, n: a.samples, m: b.samples}
	if c.n < minSamples || c.m < minSamples {
		return c, false
	}
	base := 1.0
	if c.relative = own && relate(a, b); !c.relative {
		base = unrelated(b, own)
	}
	p := newPeers(b, math.Max(worthwhile(e.Direction)*math.Abs(base), 1e-9))
	c.untreated = mean(b.changes())
	var unsure float64
	c.drift, unsure = p.drift(a, mean(a.changes())-c.untreated)
	a.shift(-c.drift)
	c.treated = mean(a.changes())
	c.test = MannWhitney(a.blocks(), b.blocks())
	c.usual = p.usual(a, unsure)
	c.some = p.outliers(a, sign(e.Direction))
	return c, true
}

// unrelated is what a worthwhile difference is a part of when units are not measured in parts of their own levels.
func unrelated(b gauges, own bool) float64 {
	v := b.blocks()
	if own {
		v = make([]float64, len(b.units))
		for i, g := range b.units {
			v[i] = g.level
		}
	}
	return median(v)
}

// worthwhile is the part of the level below which a difference is nothing that a person would act upon, however sure it
// is: with samples every second a millisecond more can be certain and still be nobody's concern.
func worthwhile(direction string) float64 {
	if direction == ops.GoodLower {
		return minSlower
	}
	return minRelative
}

// selling leaves out the units that have had no traffic, neither before nor since: of an indicator that is good when it is
// high, all zeros say that nobody was there.
func selling(units []Unit, direction string) []Unit {
	if direction != ops.GoodHigher {
		return units
	}
	return slices.DeleteFunc(slices.Clone(units), func(u Unit) bool {
		return len(u.Before) >= minBefore && still(u.Before) && still(u.During)
	})
}

// still says whether all values are zero.
func still(v []float64) bool { return !slices.ContainsFunc(v, func(x float64) bool { return x != 0 }) }

// levelled leaves out the units without a level of their own from before, where at least half of them on each side have
// one. Otherwise all stay, to be compared as they are.
func levelled(treated, untreated []Unit) (a, b []Unit, own bool) {
	fresh := func(u Unit) bool { return len(u.Before) < minBefore }
	a = slices.DeleteFunc(slices.Clone(treated), fresh)
	b = slices.DeleteFunc(slices.Clone(untreated), fresh)
	if len(a) > 0 && len(b) > 0 && 2*len(a) >= len(treated) && 2*len(b) >= len(untreated) {
		return a, b, true
	}
	return treated, untreated, false
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

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
	minBefore   = 5     // values before, from which a unit's own level is taken
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
	treated   float64 // mean
	untreated float64 // mean
	own       bool    // each unit was measured against its own level before
	usual     float64 // the difference that would still be usual
	n, m      int     // samples
}

// size is how far the treated are from the untreated, in the indicator's unit.
func (c contrast) size() float64 { return c.treated - c.untreated }

// compare measures treated against untreated at the same time. It returns false when there are too few samples on either
// side. Units that were there before are measured against their own level, so that a store that always sells less
// is no evidence; a unit that is new has none, and then values are compared as they are.
func compare(e Evidence) (contrast, bool) {
	own := levelled(e.Treated) && levelled(e.Untreated)
	a, _ := pool(e.Treated, own)
	b, meansB := pool(e.Untreated, own)
	if len(a) < minSamples || len(b) < minSamples {
		return contrast{}, false
	}
	c := contrast{test: MannWhitney(a, b), treated: mean(a), untreated: mean(b), own: own, n: len(a), m: len(b)}
	c.usual = spreads * spread(b, meansB, len(e.Treated))
	base := 0.0
	if own {
		base = median(levels(e.Untreated))
	} else {
		base = median(slices.Clone(b))
	}
	c.usual = math.Max(c.usual, math.Max(worthwhile(e.Direction)*math.Abs(base), 1e-9))
	return c, true
}

// worthwhile is the part of the level below which a difference is nothing that a person would act upon, however sure it
// is: with samples every second a millisecond more can be certain and still be nobody's concern.
func worthwhile(direction string) float64 {
	if direction == ops.GoodLower {
		return minSlower
	}
	return minRelative
}

// levelled says whether each unit has a level of its own from before.
func levelled(units []Unit) bool {
	for _, u := range units {
		if len(u.Before) < minBefore {
			return false
		}
	}
	return true
}

func levels(units []Unit) []float64 {
	out := make([]float64, len(units))
	for i, u := range units {
		out[i] = median(slices.Clone(u.Before))
	}
	return out
}

// pool puts the values of all units together, less their own levels when own is set, and gives each unit's mean.
func pool(units []Unit, own bool) (values, means []float64) {
	for _, u := range units {
		level := 0.0
		if own {
			level = median(slices.Clone(u.Before))
		}
		sum := 0.0
		for _, v := range u.During {
			values = append(values, v-level)
			sum += v - level
		}
		means = append(means, sum/float64(len(u.During)))
	}
	return values, means
}

// spread is how far the mean of as many units as are treated is usually from that of all: from the untreated units' means
// where there are enough of them, otherwise from the untreated samples. Robust: the median deviation, as a standard deviation.
func spread(samples, means []float64, treated int) float64 {
	v := means
	if len(means) < minPeers {
		v = samples
	}
	center := median(slices.Clone(v))
	off := make([]float64, len(v))
	for i, x := range v {
		off[i] = math.Abs(x - center)
	}
	s := 1.4826 * median(off)
	if len(means) >= minPeers {
		s /= math.Sqrt(float64(treated))
	}
	return s
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

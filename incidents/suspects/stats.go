package suspects

import (
	"math"
	"strings"
	"time"

	"goc/incidents/series"
	"goc/ops"
)

// sums is a running mean and variance.
type sums struct {
	n       float64
	sum, sq float64
}

func (s *sums) add(points []series.Point) {
	for _, p := range points {
		s.n++
		s.sum += p.Value
		s.sq += p.Value * p.Value
	}
}

// join adds what another has seen.
func (s *sums) join(o sums) {
	s.n, s.sum, s.sq = s.n+o.n, s.sum+o.sum, s.sq+o.sq
}

func (s sums) mean() float64 {
	if s.n == 0 {
		return 0
	}
	return s.sum / s.n
}

func (s sums) variance() float64 {
	if s.n < 2 {
		return 0
	}
	return max(0, (s.sq-s.sum*s.sum/s.n)/(s.n-1))
}

// meaningful is the difference in a ratio that people would act on.
const meaningful = 0.05

// comparison is one indicator of treated units or stores against untreated ones over the same time, and both before.
type comparison struct {
	view                                               string // who saw it: "by frontend", "calling cart", "in its stores"
	indicator                                          string
	direction                                          string
	treated, untreated, treatedBefore, untreatedBefore sums
	who                                                map[string]*sums // treated units or stores that were seen
	others                                             map[string]bool
	byStore                                            bool // stores are compared, not units of a service
}

// level turns an indicator's value into a scale on which equal steps matter equally and more is worse.
func level(indicator, direction string, v float64) float64 {
	switch {
	case strings.HasSuffix(indicator, "_ratio") && direction == ops.GoodHigher:
		return -v / meaningful
	case direction == ops.GoodLower && strings.HasPrefix(indicator, "error_") && v <= 1:
		return v / meaningful
	case direction == ops.GoodLower:
		return math.Log(max(v, 1e-9)) / math.Ln2 // doubling counts as one
	case direction == ops.GoodHigher:
		return -math.Log(max(v, 1e-3)) / math.Log(1.25)
	}
	return v
}

// excess is by how many meaningful steps the treated are worse than the untreated; where the treated were seen before,
// both are measured against themselves, so that a store that is always slow is not held against a change.
func (c *comparison) excess() float64 {
	if c.direction == ops.GoodSteady {
		return c.departure()
	}
	at := func(s sums) float64 { return level(c.indicator, c.direction, s.mean()) }
	e := at(c.treated) - at(c.untreated)
	if c.treatedBefore.n >= 2 && c.untreatedBefore.n >= 2 {
		e -= at(c.treatedBefore) - at(c.untreatedBefore)
	}
	if c.lasting() && e > 0 {
		e *= c.felt()
	}
	return e
}

// consistent is the share of the treated units or stores that are themselves worse than the untreated: a change that
// treated two stores does not answer for what ails only one of them.
func (c *comparison) consistent() float64 {
	if c.direction == ops.GoodSteady || len(c.who) == 0 {
		return 1
	}
	rest, quarter := level(c.indicator, c.direction, c.untreated.mean()), (level(c.indicator, c.direction, c.treated.mean())-level(c.indicator, c.direction, c.untreated.mean()))/4
	worse := 0
	for _, s := range c.who {
		if level(c.indicator, c.direction, s.mean())-rest >= quarter {
			worse++
		}
	}
	return float64(worse) / float64(len(c.who))
}

// departure is, for an indicator with no good direction, how far the treated left their own course in its noise.
func (c *comparison) departure() float64 {
	if c.treatedBefore.n < 3 || c.untreatedBefore.n < 3 {
		return 0
	}
	noise := 3*math.Sqrt(c.treatedBefore.variance()) + 0.1*math.Abs(c.treatedBefore.mean()) + 1e-9
	own := math.Abs(c.treated.mean()-c.treatedBefore.mean()) / noise
	rest := math.Abs(c.untreated.mean()-c.untreatedBefore.mean()) / (3*math.Sqrt(c.untreatedBefore.variance()) + 0.1*math.Abs(c.untreatedBefore.mean()) + 1e-9)
	return own - rest
}

// lasting says whether the indicator is a duration.
func (c *comparison) lasting() bool {
	return c.direction == ops.GoodLower && strings.HasPrefix(c.indicator, "latency_")
}

// outcome says whether the indicator counts what succeeds or fails; others, such as traffic and latency, also move by themselves.
func (c *comparison) outcome() bool {
	return strings.HasSuffix(c.indicator, "_ratio") || strings.HasPrefix(c.indicator, "error_")
}

// felt is how much of a slow-down people would feel: milliseconds twice over are nothing, half a second is.
func (c *comparison) felt() float64 {
	more := c.treated.mean() - c.untreated.mean()
	if strings.HasSuffix(c.indicator, "_ms") {
		more /= 1000
	}
	return max(0, more) / (max(0, more) + 0.1)
}

// difference is between treated and untreated, less what it was before where that is known.
func (c *comparison) difference() float64 {
	d := c.treated.mean() - c.untreated.mean()
	if c.treatedBefore.n >= 2 && c.untreatedBefore.n >= 2 {
		d -= c.treatedBefore.mean() - c.untreatedBefore.mean()
	}
	return d
}

// certainty is how sure the difference is, 0 to 1: by its size against the noise, and by the number of samples.
func (c *comparison) certainty() float64 {
	vt, vu := c.treated.variance(), c.untreated.variance()
	if c.treated.n < 2 {
		vt = vu
	}
	floor := 0.005
	if !strings.HasSuffix(c.indicator, "_ratio") {
		floor = 0.05*math.Abs(c.untreated.mean()) + 1e-6
	}
	z := math.Abs(c.difference()) / math.Sqrt(vt/c.treated.n+vu/c.untreated.n+floor*floor)
	return min(1, z/3) * c.treated.n / (c.treated.n + 0.5)
}

// suffering is by how many meaningful steps the untreated got worse themselves.
func (c *comparison) suffering() float64 {
	if c.untreated.n == 0 || c.untreatedBefore.n == 0 || c.direction == ops.GoodSteady {
		return 0
	}
	return level(c.indicator, c.direction, c.untreated.mean()) - level(c.indicator, c.direction, c.untreatedBefore.mean())
}

// window is the time over which treated and untreated are compared.
type window struct{ before, from, to time.Time }

// windowOf starts a little before the onset, or when the change's first target was ready if that was later: a gap that
// was there long before the onset did not make it. An onset that no signal showed is known less exactly.
func windowOf(k Case, ch *ops.Change, x exposure, now time.Time) window {
	for _, end := range []time.Time{k.Until, undone(ch)} { // what came after the end says nothing
		if !end.IsZero() && end.Before(now) {
			now = end
		}
	}
	slack := 2 * time.Minute
	if k.OnsetBy > 0 {
		slack = k.OnsetBy
	}
	from := k.Onset.Add(-slack)
	if x.first.After(from) {
		from = x.first
	}
	return window{before: from.Add(-15 * time.Minute), from: from, to: now.Add(time.Millisecond)}
}

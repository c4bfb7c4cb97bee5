package suspects

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"goc/ops"
)

// shift is how a service's own indicators moved at the onset: what breaks through a service shows there.
type shift struct {
	worse     float64 // 0 to 1: how surely some indicator got worse
	calm      float64 // 0 to 1: how surely none did
	service   string
	indicator string
	view      string
	before    float64
	after     float64

	units, unwell int // units that were seen, and those of them that got worse
}

// recent bounds what counts as now in a shift: of a trouble that grows, the beginning says little.
const recent = 5 * time.Minute

// shiftOf compares a service's indicators, for each of its callers, since the onset with before it.
func shiftOf(service string, k Case, w World, now time.Time) shift {
	out := shift{service: service}
	if w.Samples == nil {
		return out
	}
	win := calmAndSince(k, now)
	groups, order, units := map[[2]string]*comparison{}, []*comparison(nil), map[string]float64{}
	for _, s := range w.Samples.OfService(service) {
		good := direction(w, service, s.Indicator)
		if good != ops.GoodHigher && good != ops.GoodLower {
			continue
		}
		id := [2]string{s.Caller, s.Indicator}
		c := groups[id]
		if c == nil {
			c = &comparison{view: "by " + cmp.Or(s.Caller, "all callers"), indicator: s.Indicator, direction: good}
			groups[id], order = c, append(order, c)
		}
		one := comparison{indicator: s.Indicator, direction: good}
		one.treated.add(s.Between(win.from, win.to))
		one.untreated.add(s.Between(win.before, win.calm))
		c.treated.join(one.treated)
		c.untreated.join(one.untreated)
		if s.Unit != "" && one.treated.n > 0 && one.untreated.n >= 3 {
			units[s.Unit] = max(units[s.Unit], one.steps())
		}
	}
	out.judge(order)
	for _, z := range units {
		if out.units++; z > 2.5 {
			out.unwell++
		}
	}
	return out
}

// spell is the calm time before the onset and the time that counts as now.
type spell struct{ before, calm, from, to time.Time }

func calmAndSince(k Case, now time.Time) spell {
	if !k.Until.IsZero() && k.Until.Before(now) {
		now = k.Until
	}
	slack := 2 * time.Minute
	if k.OnsetBy > 0 {
		slack = k.OnsetBy
	}
	calm := k.Onset.Add(-slack)
	return spell{before: calm.Add(-15 * time.Minute), calm: calm, from: maxTime(k.Onset, now.Add(-recent)), to: now.Add(time.Millisecond)}
}

// judge says how surely the worst of the indicators got worse, or none did. Two steps of noise are nothing, five are sure.
func (s *shift) judge(all []*comparison) {
	most := math.Inf(-1)
	for _, c := range all {
		if c.treated.n < 2 || c.untreated.n < 3 {
			continue
		}
		z := c.steps()
		s.calm = max(s.calm, c.treated.n/(c.treated.n+3)*min(1, 1-z/2))
		if z > most {
			most = z
			s.indicator, s.view, s.before, s.after = c.indicator, c.view, c.untreated.mean(), c.treated.mean()
		}
	}
	if s.worse = max(0, min(1, (most-2)/3)); most >= 2 {
		s.calm = 0
	}
}

// steps is how far the treated side is on the bad side of the other, in the noise of the two means.
func (c *comparison) steps() float64 {
	floor := 0.003
	if !c.outcome() {
		floor = 0.05*math.Abs(c.untreated.mean()) + 1e-9
	}
	d := c.treated.mean() - c.untreated.mean()
	if c.direction == ops.GoodHigher {
		d = -d
	}
	v := c.untreated.variance()
	return d / math.Sqrt(v/c.untreated.n+v/c.treated.n+floor*floor)
}

// shiftTerm speaks for a change to a service below the symptom's that shows the trouble itself, and against one that does not.
func (s shift) shiftTerm(weight float64) ops.Evidence {
	if weight == 0 {
		return ops.Evidence{}
	}
	how := "got worse itself"
	if weight < 0 {
		how = "is itself as it was"
	}
	return ops.Evidence{
		Term: "own", Weight: weight,
		Text: fmt.Sprintf("%s %s: %s %s was %s and is %s", s.service, how, s.indicator, s.view, show(s.indicator, s.before), show(s.indicator, s.after)),
		Args: map[string]any{"service": s.service, "indicator": s.indicator, "view": s.view, "before": s.before, "after": s.after},
	}
}

// partialTerm speaks against a change that reached all units of its service where few of them got worse.
func (s shift) partialTerm(weight float64) ops.Evidence {
	if weight == 0 {
		return ops.Evidence{}
	}
	return ops.Evidence{
		Term: "partial", Weight: weight,
		Text: fmt.Sprintf("%d of the %d units of %s got worse, and it reached all of them", s.unwell, s.units, s.service),
		Args: map[string]any{"service": s.service, "unwell": s.unwell, "units": s.units},
	}
}

// deeperTerm speaks against a change where a service that its own calls got worse as well: the trouble is nearer there.
func (s shift) deeperTerm(service string, weight float64) ops.Evidence {
	if weight == 0 {
		return ops.Evidence{}
	}
	return ops.Evidence{
		Term: "deeper", Weight: weight,
		Text: fmt.Sprintf("%s, which %s calls, got worse as well: %s %s was %s and is %s", s.service, service, s.indicator, s.view, show(s.indicator, s.before), show(s.indicator, s.after)),
		Args: map[string]any{"service": s.service, "caller": service, "indicator": s.indicator, "view": s.view, "before": s.before, "after": s.after},
	}
}

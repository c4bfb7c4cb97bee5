package suspects

import (
	"cmp"
	"fmt"
	"math"
	"strings"
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

	losses []loss // of every indicator that was seen before and after
}

// loss is by how much an indicator got worse in its own unit, for the caller for whom that was most.
type loss struct {
	indicator string
	by        float64
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
		s.rose(c)
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

// rose notes by how much an indicator got worse.
func (s *shift) rose(c *comparison) {
	by := max(0, c.treated.mean()-c.untreated.mean())
	if c.direction == ops.GoodHigher {
		by = max(0, c.untreated.mean()-c.treated.mean())
	}
	for i := range s.losses {
		if s.losses[i].indicator == c.indicator {
			s.losses[i].by = max(s.losses[i].by, by)
			return
		}
	}
	s.losses = append(s.losses, loss{c.indicator, by})
}

// maxCalls is how often one call to a service may call another: so many times what the other lost may show in it.
const maxCalls = 4

// share is how much of what another service shows this one can answer for, 0 to 1, when it stands below it: a callee
// that is 3 ms slower does not make its caller a second slower. 1 where the two have no indicator in common, or the other
// shows nothing that is sure. part is the part of the calls that went to what was changed.
func (s *shift) share(of *shift, part float64) float64 {
	if of.worse < 0.5 {
		return 1
	}
	best, known := 0.0, false
	for _, mine := range s.losses {
		for _, its := range of.losses {
			if mine.indicator != its.indicator || !its.tells() {
				continue
			}
			best, known = max(best, maxCalls*mine.by/(max(part, 0.05)*its.by)), true
		}
	}
	if !known {
		return 1
	}
	return min(1, best)
}

// tells says whether a loss is large enough to be explained: a hundredth of a ratio, a tenth of a second.
func (l loss) tells() bool {
	c := comparison{indicator: l.indicator, direction: ops.GoodLower}
	switch {
	case c.outcome():
		return l.by >= 0.01
	case c.lasting():
		return seconds(l.indicator, l.by) >= 0.1
	}
	return false
}

// seconds is a duration's value in seconds.
func seconds(indicator string, v float64) float64 {
	if strings.HasSuffix(indicator, "_ms") {
		return v / 1000
	}
	return v
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
func (s shift) shiftTerm(weight, share float64) ops.Evidence {
	if weight == 0 {
		return ops.Evidence{}
	}
	how, little := "got worse itself", weight < 0 && share < 1 && s.worse > 0
	switch {
	case little:
		how = "got worse by far too little"
	case weight < 0:
		how = "is itself as it was"
	}
	return ops.Evidence{
		Term: "own", Weight: weight,
		Text: fmt.Sprintf("%s %s: %s %s was %s and is %s", s.service, how, s.indicator, s.view, show(s.indicator, s.before), show(s.indicator, s.after)),
		Args: map[string]any{"service": s.service, "indicator": s.indicator, "view": s.view, "before": s.before, "after": s.after, "little": little},
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

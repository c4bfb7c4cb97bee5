package suspects

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"goc/incidents/series"
	"goc/ops"
)

// gaps compare what the change has treated with what it has not, at the same time and for each pair of caller and
// callee by itself: the worst pair counts, because a fault often shows to one caller only.
func (m *measured) gaps(k Case, c *candidate, w World, now time.Time) {
	pairs := m.comparisons(k, c, w, now)
	if len(pairs) == 0 {
		return
	}
	worst, strength, weight := worstPair(pairs, w.Weights)
	if worst != nil {
		e, suffer := worst.excess(), max(0, worst.suffering())
		own := e / (e + suffer) // the share that the change can answer for
		m.local, m.worst, m.gap = strength*own, worst, weight*own
	} else {
		m.most = mostSeen(pairs)
		n := m.most.treated.n
		m.gap = -w.Weights.NoGap * n / (n + 2)
	}
	if m.suffered = sufferer(pairs); m.suffered != nil {
		m.suffer = -w.Weights.Suffer * math.Tanh(m.suffered.suffering())
	}
}

// worstPair is the pair with the greatest weight, nil when no pair shows a gap worth naming.
func worstPair(pairs []*comparison, w Weights) (worst *comparison, strength, weight float64) {
	for _, p := range pairs {
		e := p.excess()
		if e <= 0 {
			continue
		}
		s, bound := math.Tanh(e)*p.certainty()*p.consistent(), w.GapLatency
		if p.outcome() {
			bound = w.Gap
		}
		if s >= 0.1 && s*bound > weight {
			worst, strength, weight = p, min(1, s*bound/max(w.Gap, 1e-9)), s*bound
		}
	}
	return worst, strength, weight
}

// mostSeen is the pair that says most where none shows a gap.
func mostSeen(pairs []*comparison) *comparison {
	return slices.MaxFunc(pairs, func(a, b *comparison) int {
		if a.outcome() != b.outcome() {
			return map[bool]int{true: 1, false: -1}[a.outcome()]
		}
		return cmp.Compare(a.treated.n, b.treated.n)
	})
}

// sufferer is the pair whose untreated side got worse most, nil when none did.
func sufferer(pairs []*comparison) *comparison {
	var worst *comparison
	for _, p := range pairs {
		if p.outcome() && (worst == nil || p.suffering() > worst.suffering()) {
			worst = p
		}
	}
	if worst == nil || worst.suffering() < 0.2 {
		return nil
	}
	return worst
}

// gapTerm says what the comparison of treated and untreated came to.
func (m *measured) gapTerm() ops.Evidence {
	switch {
	case m.worst != nil:
		return m.worst.evidence(m.gap)
	case m.most != nil:
		e := m.most.evidence(m.gap)
		e.Text = "what it treated is no worse than the rest: " + e.Text
		return e
	}
	return ops.Evidence{}
}

// sufferTerm speaks against the change when those that it did not treat got worse as well.
func (m *measured) sufferTerm() ops.Evidence {
	p := m.suffered
	if p == nil {
		return ops.Evidence{}
	}
	before, after := p.untreatedBefore.mean(), p.untreated.mean()
	return ops.Evidence{
		Term: "untreated", Weight: m.suffer,
		Text: fmt.Sprintf("%s %s also got worse where it did not go: from %s to %s", p.indicator, p.view, show(p.indicator, before), show(p.indicator, after)),
		Args: map[string]any{"indicator": p.indicator, "view": p.view, "before": before, "after": after},
	}
}

func (p *comparison) evidence(weight float64) ops.Evidence {
	t, u := p.treated.mean(), p.untreated.mean()
	return ops.Evidence{
		Term: "gap", Weight: weight,
		Text: fmt.Sprintf("%s %s is %s on the %d it treated and %s on the %d others", p.indicator, p.view, show(p.indicator, t), len(p.who), show(p.indicator, u), len(p.others)),
		Args: map[string]any{"indicator": p.indicator, "view": p.view, "treated": t, "untreated": u, "treated_n": len(p.who), "untreated_n": len(p.others), "samples": p.treated.n},
	}
}

// show writes a value as people read it.
func show(indicator string, v float64) string {
	switch {
	case strings.HasSuffix(indicator, "_ratio"):
		return fmt.Sprintf("%.1f %%", 100*v)
	case strings.HasSuffix(indicator, "_seconds"):
		return fmt.Sprintf("%.0f ms", 1000*v)
	}
	return fmt.Sprintf("%.4g", v)
}

// comparisons makes one comparison for each pair and indicator in which both sides were seen.
func (m *measured) comparisons(k Case, c *candidate, w World, now time.Time) []*comparison {
	x := m.exposure
	g := grouping{w: w, win: windowOf(k, c.Change, x, now), x: x, pairs: map[string]*comparison{}}
	if len(x.units) > 0 && c.distance >= 0 {
		for _, s := range w.Samples.OfService(c.Service) {
			if s.Unit != "" {
				g.take(s, s.Unit, x.units, "by "+cmp.Or(s.Caller, "all callers"))
			}
		}
		for _, s := range w.Samples.OfCaller(c.Service) {
			if s.CallerUnit != "" {
				g.take(s, s.CallerUnit, x.units, "calling "+s.Service)
			}
		}
	}
	if len(x.stores) > 0 {
		for _, name := range servicesOf(k, c) {
			for _, s := range w.Samples.OfService(name) {
				if s.Store != "" {
					g.take(s, s.Store, x.stores, "of "+name+" for "+cmp.Or(s.Caller, "all callers")+" by store").byStore = true
				}
			}
		}
	}
	for _, p := range g.pairs {
		m.treated += p.treated.n
		m.untreated += p.untreated.n
		m.untreatedBefore += p.untreatedBefore.n
	}
	return g.both()
}

// servicesOf lists the services whose stores tell: those that show the symptom, and the change's own when they depend on it.
func servicesOf(k Case, c *candidate) []string {
	out := slices.Clone(k.Services)
	if c.distance >= 0 && !slices.Contains(out, c.Service) {
		out = append(out, c.Service)
	}
	return out
}

// grouping collects series into comparisons.
type grouping struct {
	w     World
	win   window
	x     exposure
	pairs map[string]*comparison
	order []string
}

func (g *grouping) take(s *series.Series, name string, treated map[string]time.Time, view string) *comparison {
	id := view + "/" + s.Indicator
	p := g.pairs[id]
	if p == nil {
		p = &comparison{view: view, indicator: s.Indicator, direction: direction(g.w, s.Service, s.Indicator), who: map[string]*sums{}, others: map[string]bool{}}
		g.pairs[id], g.order = p, append(g.order, id)
	}
	ready, is := treated[name]
	switch {
	case !is:
		g.untreated(p, s, name)
	case ready.IsZero(): // its stage goes on: neither one nor the other
	default:
		from := g.win.from
		if ready.After(from) {
			from = ready
		}
		if points := s.Between(from, g.win.to); len(points) > 0 {
			p.treated.add(points)
			if p.who[name] == nil {
				p.who[name] = &sums{}
			}
			p.who[name].add(points)
		}
		if until := ready.Add(-settle); until.After(g.win.before) {
			p.treatedBefore.add(s.Between(g.win.before, minTime(until, g.win.from)))
		}
	}
	return p
}

func (g *grouping) untreated(p *comparison, s *series.Series, name string) {
	if points := s.Between(g.win.from, g.win.to); len(points) > 0 {
		p.untreated.add(points)
		p.others[name] = true
	}
	p.untreatedBefore.add(s.Between(g.win.before, g.win.from))
}

// both lists the comparisons with samples on either side.
func (g *grouping) both() []*comparison {
	var out []*comparison
	for _, id := range g.order {
		if p := g.pairs[id]; p.treated.n > 0 && p.untreated.n > 0 {
			out = append(out, p)
		}
	}
	return out
}

func direction(w World, service, indicator string) string {
	if w.Direction != nil {
		return w.Direction(service, indicator)
	}
	return ops.DirectionOf(indicator)
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

package suspects

import (
	"fmt"
	"time"

	"goc/ops"
)

// measured is what the samples say of one change.
type measured struct {
	exposure exposure
	local    float64 // how suspicious its own units are, 0 to 1

	gap      float64     // weight of the worst pair, or of all that show no gap
	worst    *comparison // nil when none shows a gap
	most     *comparison // where none does, the one that says most
	suffer   float64
	suffered *comparison // whose untreated side got worse as well

	treated, untreated, untreatedBefore float64 // samples that were seen of each

	silence              silence
	own, partial, deeper float64
	share                float64 // of the symptom that its service can answer for
	move                 *move

	explained float64
	by        *candidate // explains the gap
}

// measurable says whether there may be samples that tell what the change treated from what it did not.
func (b *batch) measurable(c *candidate) bool {
	facts := b.x.facts[c.slot]
	if facts.flags&flagTreats == 0 {
		return false
	}
	return b.stores || c.distance >= 0 && b.sampled[facts.service-1]
}

// treats says whether the change named units or stores that it treated.
func (p *profile) treats() bool {
	if p.named != nil || len(p.areas) > 0 || len(p.Stages) == 0 && len(p.Scope.Unit) > 0 {
		return true
	}
	for i := range p.Stages {
		if st := &p.Stages[i]; !st.StartedAt.IsZero() && len(st.Units)+len(st.Scope.Unit) > 0 {
			return true
		}
	}
	return false
}

// measure takes the terms that come from samples.
func (b *batch) measure(k Case, s *symptom, c *candidate) {
	m := &measured{exposure: b.x.exposureOf(c.profile, b.now)}
	c.measured = m
	if m.exposure.first.IsZero() {
		return
	}
	if !c.misses(s) { // indicators of services say nothing of a dark store
		m.gaps(k, c, b.w, b.now)
	}
	if c.distance >= 0 && len(m.exposure.units) > 0 {
		m.silences(k, c.Service, b.replacedIn(c.Service), b.w, b.now)
	}
}

// shiftTerms takes the terms that go by how services moved at the onset, wherever the change went.
func (b *batch) shiftTerms(k Case, c *candidate) {
	facts := b.x.facts[c.slot]
	if c.distance < 0 || !b.anySampled {
		return
	}
	mv := b.moveOf(facts.service-1, c.Service, k)
	if !mv.known {
		return
	}
	m, w := c.measured, b.w.Weights
	if m == nil {
		m = &measured{}
		c.measured = m
	}
	m.move = mv
	if n := float64(mv.own.units); facts.reach == reachEvery && n >= 2 && mv.own.unwell > 0 {
		m.partial = -w.Partial * max(0, 1-2*float64(mv.own.unwell)/n) * n / (n + 1)
	}
	if c.distance > 0 { // that the symptom's own service shows it is no news
		m.own, m.share = b.ownTerm(k, m, mv)
	}
	m.deeper = -w.Deeper * mv.below.worse * mv.below.share(&mv.own, 1) * (1 - m.local)
}

// ownTerm is how much the service's own indicators speak for a change below the symptom, and the share of the symptom
// that they can answer for. Few units that are worse, or say nothing, do not show in all of them; a few stores show in
// proportion.
func (b *batch) ownTerm(k Case, m *measured, mv *move) (weight, share float64) {
	w, calm := b.w.Weights, mv.own.calm
	share = 1
	if symptom, known := b.shiftOf(b.services[0], k); known {
		share = mv.own.share(&symptom, m.part())
		calm = max(calm, (1-share)*symptom.worse)
	}
	weight = w.Own*mv.own.worse*share - w.OwnCalm*calm
	if m.unitGap() || m.silence.weight > 0 {
		return max(0, weight), 1
	}
	return weight, share
}

// unitGap says whether units of the change's own service are worse than its others.
func (m *measured) unitGap() bool { return m.gap > 0 && m.worst != nil && !m.worst.byStore }

// part is the part of the stores that the change treated, where that is by what it was compared; else 1.
func (m *measured) part() float64 {
	p := m.worst
	if p == nil || !p.byStore {
		return 1
	}
	return float64(len(p.who)) / float64(len(p.who)+len(p.others))
}

// move is how a service and those that it calls moved at the onset.
type move struct {
	known      bool
	own, below shift // below is that of the callee that got worse most surely
}

// moveOf is the move of a service, worked out once for all changes of it and all cases that end at the same time.
func (b *batch) moveOf(number uint32, service string, k Case) *move {
	if until := nanos(k.Until); b.moves == nil || b.movesUntil != until {
		b.moves, b.movesUntil, b.shifts = make([]*move, len(b.distance)), until, map[string]shift{}
	}
	if mv := b.moves[number]; mv != nil {
		return mv
	}
	mv := &move{}
	b.moves[number] = mv
	mv.own, mv.known = b.shiftOf(service, k)
	if b.w.Graph == nil {
		return mv
	}
	for _, name := range b.w.Graph.Callees(service) {
		if s, known := b.shiftOf(name, k); known && s.worse > mv.below.worse && name != service {
			mv.below, mv.known = s, true
		}
	}
	return mv
}

// shiftOf is the shift of a service, worked out once; false where nothing is measured.
func (b *batch) shiftOf(service string, k Case) (shift, bool) {
	if b.w.Samples == nil || len(b.w.Samples.OfService(service)) == 0 {
		return shift{}, false
	}
	s, known := b.shifts[service]
	if !known {
		s = shiftOf(service, k, b.w, b.now)
		b.shifts[service] = s
	}
	return s, true
}

// replacedIn is which units of a service changes replaced, and since when.
func (b *batch) replacedIn(service string) map[string]time.Time {
	if out, known := b.replaced[service]; known {
		return out
	}
	out := map[string]time.Time{}
	if id, known := b.x.names[byService].find(service); known && b.x.lists[key{byService, id}] != nil {
		for _, of := range b.x.lists[key{byService, id}].of {
			for _, e := range of {
				b.x.slots[e.slot].replaces(out)
			}
		}
	}
	if b.replaced == nil {
		b.replaced = map[string]map[string]time.Time{}
	}
	b.replaced[service] = out
	return out
}

// replaces adds the units that the change replaced.
func (p *profile) replaces(out map[string]time.Time) {
	for i := range p.Stages {
		st := &p.Stages[i]
		for _, u := range st.Replaces {
			if old, known := out[u]; !st.StartedAt.IsZero() && (!known || st.StartedAt.Before(old)) {
				out[u] = st.StartedAt.Time
			}
		}
	}
}

// misses says whether the change went to certain stores, and none of them is among those that the symptom names.
func (p *profile) misses(s *symptom) bool {
	return p.exposed.size() > 0 && s.affected > 0 && p.exposed.common(&s.stores) == 0
}

// evidence is every term of a candidate with its sentence.
func (b *batch) evidence(k Case, s *symptom, c *candidate) []ops.Evidence {
	w, ch, facts := b.w.Weights, c.Change, b.x.facts[c.slot]
	list := append(make([]ops.Evidence, 0, 12),
		b.once(said{term: "prior", kind: ch.Kind, a: riskOf(ch)}, func() ops.Evidence { return priorTerm(ch, b.w) }),
		conductTerm(ch, w),
		bakedTerm(c.bakedBy(b.onset), w),
		undoneTerm(ch, k, w),
		b.once(said{term: "time", frame: b.number, a: int(c.slot)}, func() ops.Evidence {
			moved, stage, _ := lastBefore(ch, k.Onset.Add(Skew+k.OnsetBy))
			return timeTerm(ch, k, moved, stage, w)
		}))
	if facts.service > 0 && s.class == ofService {
		list = append(list, b.once(said{term: "distance", frame: b.number, a: int(facts.service)}, func() ops.Evidence { return distanceTerm(k, ch.Service, b.below, b.w) }))
	} else {
		list = append(list, b.x.placeTerm(c.profile, s, w))
	}
	spread := b.x.spread(c.slot, s, b.w)
	list = append(list, b.once(said{term: "fit", kind: ch.Kind, a: s.class}, func() ops.Evidence { return fitTerm(k, ch, w) }))
	if spread.known {
		list = append(list, b.once(said{term: "spatial", a: spread.hit, b: spread.affected, c: spread.reached}, func() ops.Evidence { return spatialTerm(spread, w) }))
	}
	list = append(list, measuredTerms(c)...)
	list = append(list, b.missing(k, s, c)...)
	out := list[:0]
	for _, e := range list {
		if e.Text != "" {
			out = append(out, e)
		}
	}
	return out
}

// measuredTerms are the terms that come from samples.
func measuredTerms(c *candidate) []ops.Evidence {
	m := c.measured
	if m == nil {
		m = &measured{}
	}
	var out []ops.Evidence
	out = append(out, m.gapTerm(), m.sufferTerm(), m.silence.term())
	if m.move != nil {
		out = append(out, m.move.own.shiftTerm(m.own, m.share), m.move.own.partialTerm(m.partial), m.move.below.deeperTerm(c.Service, m.deeper))
	}
	if m.by != nil {
		out = append(out, ops.Evidence{
			Term: "explained", Weight: m.explained,
			Text: fmt.Sprintf("%s, which %s depends on, has the suspicious %s, which would make the same gap", m.by.Service, c.Service, m.by.ID),
			Args: map[string]any{"service": m.by.Service, "caller": c.Service, "change_id": m.by.ID},
		})
	}
	return out
}

// explainAway takes back part of a gap that shows on a service when a suspicious change below it would make the same gap.
func explainAway(cands []candidate, w World) {
	var suspicious []*candidate
	for i := range cands {
		if c := &cands[i]; c.measured != nil && c.measured.local >= 0.5 && c.Service != "" {
			suspicious = append(suspicious, c)
		}
	}
	if len(suspicious) == 0 || w.Graph == nil {
		return
	}
	below := map[string]map[string]int{}
	for i := range cands {
		c := &cands[i]
		if c.measured == nil || c.measured.worst == nil || c.Service == "" {
			continue
		}
		if below[c.Service] == nil {
			below[c.Service] = w.Graph.Below(c.Service)
		}
		if by, share := explainer(c, suspicious, below[c.Service]); by != nil {
			m := c.measured
			m.by, m.explained = by, -w.Weights.ExplainedAway*by.measured.local*share*m.gap
			c.evident += m.explained
		}
	}
}

// explainer is the most suspicious change below c that reached what c reached, and the part of it that it reached.
func explainer(c *candidate, suspicious []*candidate, below map[string]int) (by *candidate, share float64) {
	for _, d := range suspicious {
		if below[d.Service] == 0 || d == c || by != nil && d.measured.local <= by.measured.local {
			continue
		}
		if part := d.measured.exposure.share(c.measured.exposure); part > 0 {
			by, share = d, part
		}
	}
	return by, share
}

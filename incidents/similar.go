package incidents

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// How much each thing that two incidents share counts, and how much it takes to be listed. Together they are 1.
const (
	weighClass     = 0.10
	weighService   = 0.35 // a caller or callee counts half
	weighPlace     = 0.15 // the same city or network counts half
	weighAlerts    = 0.15
	weighFault     = 0.15
	weighSigns     = 0.10
	similarEnough  = 0.39 // the same service alone is enough; the same place and alerts are
	maxSimilar     = 5
	maxSimilarRead = 2_000 // events of a past incident that are read for what helped
)

// traits are what one incident is compared by.
type traits struct {
	symptom  engine.Symptom
	stores   []string
	cities   []string
	networks []string
	alerts   []string
	fault    string // the kind of change that did it, or that is the first suspect; "" when probably none did
	named    bool   // people said so
	signs    []string
}

// Similar lists past incidents that resemble one, the most similar first, and what helped then. Drills resemble only drills.
func (s *Service) Similar(ctx context.Context, id string) ([]ops.Similar, error) {
	inc, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	out := s.resembling(inc)
	for i := range out {
		if out[i].Helped, err = s.whatHelped(ctx, out[i].Incident); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// resembling compares inc with every incident in memory that is over, and keeps the most similar.
func (s *Service) resembling(inc ops.Incident) []ops.Similar {
	cat := s.catalog.Load()
	s.pub.RLock()
	now := traitsOf(inc, s.symptoms[inc.ID], cat)
	s.pub.RUnlock()
	type candidate struct {
		*past
		traits *traits
		score  float64
	}
	var found []candidate
	for _, p := range s.remember.all() {
		if p.id == inc.ID || p.drill != (inc.Drill != nil) || p.detected.After(inc.DetectedAt.Time) {
			continue
		}
		then := s.traitsOf(p, cat)
		if score, _ := compare(now, then, cat, false); score >= similarEnough {
			found = append(found, candidate{p, then, score})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(number(b.id), number(a.id)))
	})
	out := []ops.Similar{}
	for _, p := range found[:min(len(found), maxSimilar)] {
		_, reasons := compare(now, p.traits, cat, true)
		out = append(out, s.similar(p.id, p.score, reasons))
	}
	return out
}

// similar is a past incident as it is shown beside another.
func (s *Service) similar(id string, score float64, reasons []string) ops.Similar {
	s.pub.RLock()
	defer s.pub.RUnlock()
	p := s.shown[id]
	sim := ops.Similar{Incident: id, Title: p.Title, Severity: p.Severity, Score: score, Reasons: reasons, Cause: p.Cause, OnsetAt: p.OnsetAt}
	if !p.RecoveredAt.IsZero() {
		sim.RecoveredS = p.RecoveredAt.Sub(p.OnsetAt.Time).Seconds()
	}
	return sim
}

// memory lists the incidents that are over, merged ones left out.
type memory struct {
	mu   sync.Mutex
	over map[string]*past
}

// past is an incident that is over. What it is compared by is read off it when that is first asked for.
type past struct {
	id       string
	detected time.Time
	drill    bool
	read     atomic.Pointer[reading]
}

// reading is what an incident is compared by, as one catalog explains it.
type reading struct {
	*traits
	cat *ops.Catalog
}

// note takes in how an incident now is.
func (m *memory) note(inc ops.Incident) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.over, inc.ID)
	if !inc.State.Active() && inc.Merged == "" {
		m.over[inc.ID] = &past{id: inc.ID, detected: inc.DetectedAt.Time, drill: inc.Drill != nil}
	}
}

func (m *memory) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.over, id)
}

func (m *memory) all() []*past {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.over))
}

// traitsOf is what a past incident is compared by.
func (s *Service) traitsOf(p *past, cat *ops.Catalog) *traits {
	if r := p.read.Load(); r != nil && r.cat == cat {
		return r.traits
	}
	s.pub.RLock()
	inc, sym := s.shown[p.id], s.symptoms[p.id]
	s.pub.RUnlock()
	t := traitsOf(inc, sym, cat)
	p.read.Store(&reading{t, cat})
	return t
}

// traitsOf reads off an incident what it is compared by.
func traitsOf(inc ops.Incident, sym engine.Symptom, cat *ops.Catalog) *traits {
	t := &traits{symptom: sym, stores: slices.Clone(inc.Scope.Store), cities: slices.Clone(inc.Scope.City)}
	for _, id := range inc.Scope.Store {
		if st, ok := cat.Store(id); ok {
			t.cities, t.networks = append(t.cities, st.City), append(t.networks, st.Network)
		}
	}
	for _, a := range inc.Alerts {
		if name := a.Name(); !slices.Contains(t.alerts, name) {
			t.alerts = append(t.alerts, name)
		}
	}
	for _, sign := range inc.Signs {
		t.signs = append(t.signs, sign.Indicator)
	}
	t.fault, t.named = faultOf(inc), inc.Cause != nil
	for _, list := range []*[]string{&t.stores, &t.cities, &t.networks, &t.alerts, &t.signs} {
		*list = set(*list)
	}
	return t
}

// faultOf is the kind of the change that did it, or of one that is more likely than none; "" when no change did it.
func faultOf(inc ops.Incident) string {
	switch {
	case inc.Cause != nil && inc.Cause.ChangeID != "":
		return inc.Fault
	case inc.Cause == nil && len(inc.Suspects) > 0 && inc.Suspects[0].Probability > inc.NoChange && inc.Suspects[0].Verdict != "rejected":
		return string(inc.Suspects[0].Kind)
	}
	return ""
}

// verbOf says how sure it is that a change did it.
func verbOf(named bool) string {
	if named {
		return "did"
	}
	return "probably did"
}

// set sorts words and drops doubles and empty ones.
func set(words []string) []string {
	slices.Sort(words)
	return slices.DeleteFunc(slices.Compact(words), func(w string) bool { return w == "" })
}

// compare says how much two incidents have in common, 0 to 1, and, where it is asked, what.
func compare(now, then *traits, cat *ops.Catalog, say bool) (score float64, reasons []string) {
	add := func(weight float64, format string, facts ...any) {
		if score += weight; say {
			reasons = append(reasons, fmt.Sprintf(format, facts...))
		}
	}
	a, b := now.symptom, then.symptom
	switch {
	case a.Service == "" || b.Service == "":
	case a.Service == b.Service:
		add(weighService, "it was the same service, %s", a.Service)
	case slices.Contains(cat.Callers(b.Service), a.Service):
		add(weighService/2, "it was %s, which %s calls", b.Service, a.Service)
	case slices.Contains(cat.Callers(a.Service), b.Service):
		add(weighService/2, "it was %s, which calls %s", b.Service, a.Service)
	}
	if a.Class == b.Class && a.Class != "" && a.Class != "other" {
		score += weighClass // alone it says too little for a sentence
	}
	comparePlaces(now, then, add)
	if part := overlap(now.alerts, then.alerts); part > 0 {
		add(weighAlerts*part, "the same alerts fired: %s", shared{now.alerts, then.alerts})
	}
	if now.fault != "" && now.fault == then.fault {
		add(weighFault, "a %s %s it then, and a %s %s it now", then.fault, verbOf(then.named), now.fault, verbOf(now.named))
	}
	if part := overlap(now.signs, then.signs); part > 0 {
		add(weighSigns*part, "the same indicators departed: %s", shared{now.signs, then.signs})
	}
	return score, reasons
}

func comparePlaces(now, then *traits, add func(float64, string, ...any)) {
	if len(now.stores)+len(now.cities)+len(then.stores)+len(then.cities) == 0 {
		if now.symptom.Class == "service" && then.symptom.Class == "service" {
			add(weighPlace/2, "neither was bound to a place")
		}
		return
	}
	if part := overlap(now.stores, then.stores); part > 0 {
		add(weighPlace*(0.5+0.5*part), "it was in the same stores: %s", shared{now.stores, then.stores})
		return
	}
	if len(now.networks) == 1 && slices.Equal(now.networks, then.networks) {
		add(weighPlace/2, "the stores hang on the same network, %s", now.networks[0])
		return
	}
	if part := overlap(now.cities, then.cities); part > 0 {
		add(weighPlace/2*part, "it was in the same city: %s", shared{now.cities, then.cities})
	}
}

// shared is what two sorted lists have in common, listed only when somebody reads it.
type shared struct{ a, b []string }

// String lists the first few.
func (s shared) String() string {
	var both []string
	for _, w := range s.a {
		if _, found := slices.BinarySearch(s.b, w); found {
			both = append(both, w)
		}
	}
	return few(english, both)
}

// overlap is how large a part of two sorted lists is in both, 0 to 1.
func overlap(a, b []string) float64 {
	n, all := 0, len(a)+len(b)
	for len(a) > 0 && len(b) > 0 {
		switch c := strings.Compare(a[0], b[0]); {
		case c < 0:
			a = a[1:]
		case c > 0:
			b = b[1:]
		default:
			n, a, b = n+1, a[1:], b[1:]
		}
	}
	return float64(n) / float64(max(1, all-n))
}

// whatHelped lists what put a past incident right: plans that ran and verified, changes that were rolled back, and what
// people wrote when they mitigated or resolved it.
func (s *Service) whatHelped(ctx context.Context, id string) ([]string, error) {
	inc, err := s.Get(ctx, id)
	if err != nil {
		return []string{}, nil // it left the memory meanwhile
	}
	st := story{inc: inc, now: s.now(), changes: s.changesOf(inc)}
	read := 0
	err = s.eachEvent(ctx, id, func(ev ops.Event) bool {
		if strings.HasPrefix(ev.Name, "incident.alert") {
			return read < maxTimeline
		}
		read++
		st.hear(ev)
		return read < maxSimilarRead
	})
	helped := []string{}
	for _, r := range st.runs {
		if r.State == ops.RunSucceeded {
			helped = append(helped, fmt.Sprintf("plan %s (%s) was run, and it was verified that it worked", r.Plan, r.ID))
		}
	}
	for _, c := range st.rolledBack() {
		helped = append(helped, st.nameOf(c.ID, english)+" was rolled back")
	}
	for _, note := range []string{st.helped, st.ended} {
		if note != "" && !slices.Contains(helped, note) {
			helped = append(helped, note)
		}
	}
	return helped, err
}

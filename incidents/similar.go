package incidents

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"goc/incidents/engine"
	"goc/ops"
)

// How much each thing that two incidents share counts, and how much it takes to be listed. Together they are 1.
const (
	weighClass     = 0.10
	weighService   = 0.30 // a caller or callee counts half
	weighPlace     = 0.15 // the same city or network counts half
	weighAlerts    = 0.20
	weighFault     = 0.15
	weighSigns     = 0.10
	similarEnough  = 0.35
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

// resembling compares inc with every incident in memory that was over when it was detected, or is over now.
func (s *Service) resembling(inc ops.Incident) []ops.Similar {
	past, symptoms := s.past(inc)
	cat := s.catalog.Load()
	now := traitsOf(inc, symptoms[0], cat)
	out := []ops.Similar{}
	for i, p := range past {
		score, reasons := compare(now, traitsOf(p, symptoms[i+1], cat), cat)
		if score < similarEnough {
			continue
		}
		sim := ops.Similar{Incident: p.ID, Title: p.Title, Severity: p.Severity, Score: score, Reasons: reasons, Cause: p.Cause, OnsetAt: p.OnsetAt}
		if !p.RecoveredAt.IsZero() {
			sim.RecoveredS = p.RecoveredAt.Sub(p.OnsetAt.Time).Seconds()
		}
		out = append(out, sim)
	}
	slices.SortFunc(out, func(a, b ops.Similar) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(number(b.Incident), number(a.Incident)))
	})
	return out[:min(len(out), maxSimilar)]
}

// past lists the incidents that inc may be compared with, and the symptoms of inc and of each of them.
func (s *Service) past(inc ops.Incident) ([]ops.Incident, []engine.Symptom) {
	s.pub.RLock()
	defer s.pub.RUnlock()
	symptoms := []engine.Symptom{s.symptoms[inc.ID]}
	var out []ops.Incident
	for id, p := range s.shown {
		if id == inc.ID || p.State.Active() || p.Merged != "" || (p.Drill == nil) != (inc.Drill == nil) || p.DetectedAt.After(inc.DetectedAt.Time) {
			continue
		}
		out, symptoms = append(out, p), append(symptoms, s.symptoms[id])
	}
	return out, symptoms
}

// traitsOf reads off an incident what it is compared by.
func traitsOf(inc ops.Incident, sym engine.Symptom, cat *ops.Catalog) traits {
	t := traits{symptom: sym, stores: slices.Clone(inc.Scope.Store), cities: slices.Clone(inc.Scope.City)}
	for _, id := range inc.Scope.Store {
		if st, ok := cat.Store(id); ok {
			t.cities, t.networks = append(t.cities, st.City), append(t.networks, st.Network)
		}
	}
	for _, a := range inc.Alerts {
		t.alerts = append(t.alerts, a.Name())
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

// compare says how much two incidents have in common, 0 to 1, and what.
func compare(now, then traits, cat *ops.Catalog) (score float64, reasons []string) {
	add := func(weight float64, format string, facts ...any) {
		score += weight
		reasons = append(reasons, fmt.Sprintf(format, facts...))
	}
	a, b := now.symptom, then.symptom
	switch sa, _ := cat.Service(a.Service); {
	case a.Service == "" || b.Service == "":
	case a.Service == b.Service:
		add(weighService, "it was the same service, %s", a.Service)
	case slices.Contains(sa.Calls, b.Service):
		add(weighService/2, "it was %s, which %s calls", b.Service, a.Service)
	case slices.Contains(cat.Callers(a.Service), b.Service):
		add(weighService/2, "it was %s, which calls %s", b.Service, a.Service)
	}
	if a.Class == b.Class && a.Class != "" && a.Class != "other" {
		score += weighClass // alone it says too little for a sentence
	}
	comparePlaces(now, then, add)
	if same := both(now.alerts, then.alerts); len(same) > 0 {
		add(weighAlerts*overlap(now.alerts, then.alerts), "the same alerts fired: %s", few(english, same))
	}
	if now.fault != "" && now.fault == then.fault {
		add(weighFault, "a %s %s it then, and a %s %s it now", then.fault, verbOf(then.named), now.fault, verbOf(now.named))
	}
	if same := both(now.signs, then.signs); len(same) > 0 {
		add(weighSigns*overlap(now.signs, then.signs), "the same indicators departed: %s", few(english, same))
	}
	return score, reasons
}

func comparePlaces(now, then traits, add func(float64, string, ...any)) {
	stores, cities, networks := both(now.stores, then.stores), both(now.cities, then.cities), both(now.networks, then.networks)
	switch {
	case len(stores) > 0:
		add(weighPlace*(0.5+0.5*overlap(now.stores, then.stores)), "it was in the same stores: %s", few(english, stores))
	case len(now.stores)+len(then.stores) == 0 && len(now.cities)+len(then.cities) == 0:
		if now.symptom.Class == "service" && then.symptom.Class == "service" {
			add(weighPlace/2, "neither was bound to a place")
		}
	case len(networks) == 1 && len(now.networks) == 1 && len(then.networks) == 1:
		add(weighPlace/2, "the stores hang on the same network, %s", networks[0])
	case len(cities) > 0:
		add(weighPlace/2*overlap(now.cities, then.cities), "it was in the same city: %s", few(english, cities))
	}
}

// both lists what is in two sorted lists, overlap how large a part of all that is.
func both(a, b []string) (out []string) {
	for _, w := range a {
		if _, found := slices.BinarySearch(b, w); found {
			out = append(out, w)
		}
	}
	return out
}

func overlap(a, b []string) float64 {
	n := len(both(a, b))
	return float64(n) / float64(max(1, len(a)+len(b)-n))
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

package plans

import (
	"cmp"
	"slices"

	"goc/ops"
)

// For names the plans that fit an incident, best first: of those whose scope overlaps, a plan fits by the kind of the
// first suspect ("none" when there is none, or none is likelier), by an alert's name, or, last, by naming neither.
func (s *Service) For(inc ops.Incident) []string {
	type fit struct {
		name  string
		score int
	}
	var fits []fit
	kind := likelyKind(inc)
	for _, p := range s.config.Load().Plans {
		score, ok := suits(p, kind, inc)
		if ok && s.o.Overlap(p.Scope, inc.Scope) {
			fits = append(fits, fit{p.Name, score})
		}
	}
	slices.SortStableFunc(fits, func(a, b fit) int { return cmp.Compare(b.score, a.score) })
	out := make([]string, len(fits))
	for i, f := range fits {
		out[i] = f.name
	}
	return out
}

// suits scores a plan against what an incident shows: 4 for the kind of change, 2 for an alert, and up to 1 for a plan
// that says where it belongs. A plan that names kinds or alerts must meet one of them.
func suits(p ops.Plan, kind string, inc ops.Incident) (score int, ok bool) {
	ok = len(p.ChangeKinds) == 0 && len(p.Alerts) == 0
	if slices.Contains(p.ChangeKinds, kind) {
		score, ok = score+4, true
	}
	if slices.ContainsFunc(inc.Alerts, func(a ops.IncidentAlert) bool { return slices.Contains(p.Alerts, a.Name()) }) {
		score, ok = score+2, true
	}
	if !p.Scope.Empty() {
		score++
	}
	return score, ok
}

// likelyKind is the kind of the change that probably did it, "none" when it was probably no change.
func likelyKind(inc ops.Incident) string {
	s, ok := suspect(inc)
	if !ok || s.Verdict != "confirmed" && inc.NoChange > s.Probability {
		return "none"
	}
	return string(s.Kind)
}

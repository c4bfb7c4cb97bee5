package suspects

import (
	"cmp"
	"math"
	"slices"
	"time"

	"goc/ops"
)

// pairwise is the ranking by circumstance written plainly: for every change, whether it has anything to do with the
// case, and if so every term. It is what RankAll must come to, and what it is measured against.
func pairwise(k Case, changes []*ops.Change, went map[string]went, w World) Ranking {
	below := map[string]int{}
	for _, s := range k.Services {
		for name, d := range w.Graph.Below(s) {
			if old, ok := below[name]; !ok || d < old {
				below[name] = d
			}
		}
	}
	type pair struct {
		c     *ops.Change
		score float64
		moved time.Time
	}
	var list []pair
	for _, c := range changes {
		moved, _, ok := lastBefore(c, k.Onset.Add(Skew+k.OnsetBy))
		if !ok || k.Onset.Sub(moved) > factsOf(c.Kind).lookback || !plainlyRelated(k, c, below, w) {
			continue
		}
		list = append(list, pair{c, plainScore(k, c, moved, below, went[c.ID], w), moved})
	}
	slices.SortFunc(list, func(a, b pair) int {
		return cmp.Or(cmp.Compare(b.score, a.score), b.moved.Compare(a.moved), cmp.Compare(a.c.ID, b.c.ID))
	})
	list = list[:min(len(list), MaxCandidates)]
	slices.SortFunc(list, func(a, b pair) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.c.ID, b.c.ID)) })
	sum := 1.0
	for _, p := range list {
		sum += math.Exp(p.score / w.Weights.Temper)
	}
	known := 1 - w.Weights.Unknown
	out := Ranking{NoChange: w.Weights.Unknown + known/sum, Weighed: len(list), Suspects: []ops.Suspect{}}
	for i, p := range list[:min(len(list), maxSuspects)] {
		out.Suspects = append(out.Suspects, ops.Suspect{ChangeID: p.c.ID, Rank: i + 1, Probability: known * math.Exp(p.score/w.Weights.Temper) / sum, Score: round(p.score)})
	}
	return out
}

// plainlyRelated says whether a change touches a service or a place of the case, or could touch anything.
func plainlyRelated(k Case, c *ops.Change, below map[string]int, w World) bool {
	touched := c.Touched()
	for _, s := range touched.Service {
		if _, ok := below[s]; ok {
			return true
		}
		for _, callee := range w.Graph.Callees(s) {
			if slices.Contains(k.Services, callee) {
				return true
			}
		}
	}
	switch {
	case len(touched.Store) > wideStores && len(k.Stores) == 0:
		return true
	case len(touched.Store) > 0:
		return meet(touched.Store, k.Stores)
	case len(touched.City) > 0:
		return meet(touched.City, k.Place.City) || slices.ContainsFunc(k.Stores, func(id string) bool {
			st, ok := w.Catalog.Store(id)
			return ok && slices.Contains(touched.City, st.City)
		})
	}
	return len(touched.Service) == 0
}

func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(v string) bool { return slices.Contains(b, v) })
}

// plainScore is the sum of the terms.
func plainScore(k Case, c *ops.Change, moved time.Time, below map[string]int, to went, w World) float64 {
	facts := factsOf(c.Kind)
	score := w.Weights.Base + facts.prior
	switch c.Risk {
	case "high":
		score += w.Weights.RiskHigh
	case "low":
		score -= w.Weights.RiskHigh
	}
	if n := w.Priors[c.Kind]; n.Confirmed+n.Rejected > 0 {
		score += max(-maxLearned, min(maxLearned, 0.5*math.Log(float64(n.Confirmed+1)/float64(n.Rejected+1))))
	}
	if c.Overridden || c.Unapproved {
		score += w.Weights.Override
	} else if stage, _ := hastyStage(c); stage > 0 {
		score += w.Weights.SkippedBake
	}
	baked := 0
	for _, st := range c.Stages {
		if st.Verdict == ops.Healthy && !st.FinishedAt.IsZero() && !st.FinishedAt.Add(time.Duration(st.Bake)).After(k.Onset) {
			baked++
		}
	}
	score -= w.Weights.Baked * float64(min(baked, 2))
	if end := undone(c); !end.IsZero() && !end.After(k.Onset.Add(-k.OnsetBy)) {
		score -= w.Weights.Undone
	}
	eighths := float64(max(0, k.Onset.Sub(moved))) / (float64(facts.tau) / 8)
	score += w.Weights.Decay * (0.5 - min(4.5, math.Log(1+eighths)))
	fit := facts.place
	switch {
	case len(k.Services) > 0:
		fit = facts.service
	case len(k.Place.Kind)+len(k.Place.Device)+len(k.Place.Model)+len(k.Place.Firmware) > 0:
		fit = facts.device
	}
	return score + plainDistance(k, c, below, w) + fit*w.Weights.Fit + plainSpatial(k, c, to, w)
}

func plainDistance(k Case, c *ops.Change, below map[string]int, w World) float64 {
	if c.Service == "" || len(k.Services) == 0 {
		return plainPlace(k, c, w)
	}
	if d, ok := below[c.Service]; ok && d == 0 {
		return w.Weights.AtService
	} else if ok {
		return max(0, w.Weights.BelowService-w.Weights.PerCall*float64(d-1))
	}
	for _, s := range k.Services {
		if w.Graph.Distance(c.Service, s) > 0 {
			return w.Weights.AboveService
		}
	}
	return w.Weights.Unrelated
}

func plainPlace(k Case, c *ops.Change, w World) float64 {
	touched, symptom := c.Touched(), k.Place
	symptom.Store = k.Stores
	if w.Catalog != nil {
		touched, symptom = w.Catalog.Expand(touched), w.Catalog.Expand(symptom)
	}
	score := unplaced
	for _, key := range placeKeys {
		a, b := *touched.Key(key), *symptom.Key(key)
		if len(a) == 0 || len(b) == 0 {
			continue
		}
		if !meet(a, b) {
			return w.Weights.Unrelated
		}
		if key != "city" && key != "region" || len(symptom.Store) == 0 {
			score = w.Weights.SamePlace
		}
	}
	return score
}

func plainSpatial(k Case, c *ops.Change, to went, w World) float64 {
	affected := len(k.Stores)
	if affected == 0 || w.Catalog == nil {
		return 0
	}
	others := max(0, len(w.Catalog.Stores)-affected)
	if len(to.stores) == 0 {
		if to.units > 0 || len(c.Stages) > 0 || c.StartedAt.IsZero() {
			return 0
		}
		return spatialWeight(affected, affected, others, others, w.Weights.Spatial)
	}
	hit := 0
	for _, s := range k.Stores {
		if slices.Contains(to.stores, s) {
			hit++
		}
	}
	return spatialWeight(hit, affected, max(0, min(others, len(to.stores)-hit)), others, w.Weights.Spatial)
}

// went is the stores to which a change went, and how many units it names.
type went struct {
	stores []string
	units  int
}

// plainWent works that out for all changes, once for all cases: the ranking pair by pair need not be slower than it is.
func plainWent(changes []*ops.Change, cat *ops.Catalog) map[string]went {
	out := map[string]went{}
	for _, c := range changes {
		stores, units := plainStores(c, cat)
		out[c.ID] = went{stores, units}
	}
	return out
}

func plainStores(c *ops.Change, cat *ops.Catalog) (stores []string, units int) {
	take := func(s ops.Scope) {
		units += len(s.Unit)
		named := s.Store
		if len(named) == 0 && len(s.City)+len(s.Region) > 0 {
			named = cat.StoresIn(s)
		}
		for _, id := range named {
			if !slices.Contains(stores, id) {
				stores = append(stores, id)
			}
		}
	}
	for _, st := range c.Stages {
		if !st.StartedAt.IsZero() {
			take(st.Scope)
		}
	}
	if len(c.Stages) == 0 && !c.StartedAt.IsZero() {
		take(c.Scope)
	}
	return stores, units
}

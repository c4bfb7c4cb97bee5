package suspects_test

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"goc/incidents/suspects"
	"goc/ops"
)

// sound checks what must hold of every ranking.
func sound(t *testing.T, r suspects.Ranking) {
	t.Helper()
	sum, rejected := r.NoChange, 0
	for i, s := range r.Suspects {
		sum += s.Probability
		weights := 0.0
		for _, e := range append(slices.Clone(s.Reasons), s.Against...) {
			if weights += e.Weight; e.Text == "" || math.IsNaN(e.Weight) || math.IsInf(e.Weight, 0) {
				t.Errorf("%s has evidence without a sentence or a weight: %+v", s.ChangeID, e)
			}
		}
		if math.Abs(weights-s.Score) > 0.01 { // each is rounded
			t.Errorf("%s has the score %v and its evidence makes %v", s.ChangeID, s.Score, weights)
		}
		if s.Verdict == "rejected" {
			rejected++
		} else if rejected > 0 || s.Rank != i+1 || s.Probability < 0 || s.Probability > 1 {
			t.Errorf("place %d: %s has rank %d, probability %v, after %d that were rejected", i+1, s.ChangeID, s.Rank, s.Probability, rejected)
		}
	}
	if shown := len(r.Suspects) - rejected; math.IsNaN(sum) || sum > 1+1e-9 || r.Weighed == shown && math.Abs(sum-1) > 1e-9 {
		t.Errorf("the probabilities of %d of %d and of no change make %v", shown, r.Weighed, sum)
	}
}

// alike compares rankings; probabilities may differ in their last digits, because they were summed up in another order.
func alike(want, got suspects.Ranking) string {
	return cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9))
}

func TestTheOrderInWhichChangesComeDoesNotMatter(t *testing.T) {
	for seed := range uint64(300) {
		d := draw(seed)
		r := suspects.Rank(d.k, d.changes, d.w, d.now)
		sound(t, r)
		other := append(slices.Clone(d.changes), d.changes...) // and some were recorded twice
		d.rng.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
		if diff := cmp.Diff(r, suspects.Rank(d.k, other, d.w, d.now)); diff != "" {
			t.Fatalf("seed %d, in another order (-want +got):\n%s", seed, diff)
		}
	}
}

func TestManyCasesAtOnceRankAsOneByOne(t *testing.T) {
	for seed := range uint64(60) {
		d := draw(seed)
		x := suspects.NewIndex()
		for _, c := range d.changes {
			x.Put(*c)
		}
		var cases []suspects.Case
		for range 30 {
			d.incident()
			if d.k.Rejected[d.k.Confirmed] = d.one(5); len(d.changes) > 0 {
				d.k.Rejected[d.changes[d.rng.IntN(len(d.changes))].ID] = d.one(3)
			}
			cases = append(cases, d.k)
		}
		for i, got := range x.RankAll(cases, d.w, d.now) {
			sound(t, got)
			if diff := alike(x.Rank(cases[i], d.w, d.now), got); diff != "" {
				t.Fatalf("seed %d, case %d (-one +many):\n%s", seed, i, diff)
			}
		}
	}
}

func TestTheIndexRanksAsTheList(t *testing.T) {
	for seed := range uint64(300) {
		d := draw(seed)
		x := suspects.NewIndex()
		for _, c := range d.changes {
			x.Put(ops.Change{ID: c.ID, Kind: ops.KindOther, Service: "elsewhere"}) // an older version
			x.Put(*c)
		}
		got := x.Rank(d.k, d.w, d.now)
		var found []*ops.Change
		for _, c := range d.changes {
			if related(d.k, *c, d.w) {
				found = append(found, c)
			}
		}
		if diff := alike(suspects.Rank(d.k, found, d.w, d.now), got); diff != "" {
			t.Fatalf("seed %d (-list +index):\n%s", seed, diff)
		}
	}
}

// related says in plain words which changes an index finds for a case: of the services that show the symptom, of all
// that these depend on and of those that call them; of its stores; of their cities, where no store is named; and what
// names neither a service nor a place.
func related(k suspects.Case, c ops.Change, w suspects.World) bool {
	touched := c.Touched()
	if c.ID == k.Confirmed || k.Rejected[c.ID] {
		return true
	}
	for _, s := range touched.Service {
		for _, symptom := range k.Services {
			if w.Graph.Distance(symptom, s) >= 0 || w.Graph.Distance(s, symptom) == 1 {
				return true
			}
		}
	}
	if len(touched.Store) > 0 {
		return meets(touched.Store, k.Stores)
	}
	cities := slices.Clone(k.Place.City)
	for _, id := range k.Stores {
		if w.Catalog != nil {
			if st, ok := w.Catalog.Store(id); ok {
				cities = append(cities, st.City)
			}
		}
	}
	if len(touched.City) > 0 {
		return meets(touched.City, cities)
	}
	return len(touched.Service) == 0
}

func meets(a, b []string) bool {
	return slices.ContainsFunc(a, func(v string) bool { return slices.Contains(b, v) })
}

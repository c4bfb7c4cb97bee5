package suspects

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"goc/incidents/series"
	"goc/ops"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// chain is a world of services in layers and stores in cities, with the changes of a day.
type chain struct {
	w       World
	x       *Index
	changes []*ops.Change
	rng     *rand.Rand
	stores  int
}

func newChain(services, stores, changes int) *chain {
	c := &chain{rng: rand.New(rand.NewPCG(1, 2)), x: NewIndex(), stores: stores}
	cat := &ops.Catalog{}
	for i := range stores {
		cat.Stores = append(cat.Stores, ops.Store{ID: fmt.Sprint("S-", i), City: fmt.Sprint("C-", i%50), Region: fmt.Sprint("R-", i%5)})
	}
	if err := cat.Index(); err != nil {
		panic(err)
	}
	var calls [][2]string
	for i := range services {
		for _, callee := range []int{2*i + 1, 2*i + 2} {
			if callee < services {
				calls = append(calls, [2]string{fmt.Sprint("svc-", i), fmt.Sprint("svc-", callee)})
			}
		}
	}
	c.w = World{Graph: NewGraph(calls), Catalog: cat, Weights: DefaultWeights(), Samples: series.New(0, 0, 0)}
	for i := range changes {
		ch := c.change(i, services, noon.Add(-24*time.Hour*time.Duration(changes-i)/time.Duration(changes)))
		c.changes = append(c.changes, &ch)
		c.x.Put(ch)
	}
	return c
}

// change draws a change: two of three to a service; most to one store, some to a city, some to twenty stores, and some
// everywhere; some in two stages.
func (c *chain) change(i, services int, at time.Time) ops.Change {
	ch := ops.Change{ID: fmt.Sprint("CHG-", i), Kind: ops.ChangeKinds[i%len(ops.ChangeKinds)], Status: ops.ChangeStarted, CreatedAt: ops.At(at), StartedAt: ops.At(at), Risk: []string{"low", "", "high"}[i%3]}
	if i%3 > 0 {
		ch.Service = fmt.Sprint("svc-", c.rng.IntN(services))
	}
	switch n := c.rng.IntN(20); {
	case n < 14:
		ch.Scope.Store = []string{c.store()}
	case n < 16:
		ch.Scope.City = []string{fmt.Sprint("C-", c.rng.IntN(50))}
	case n < 18:
		for range 20 {
			ch.Scope.Store = append(ch.Scope.Store, c.store())
		}
	}
	if c.rng.IntN(5) == 0 {
		ch.Bake = ops.Duration(time.Hour)
		ch.Stages = []ops.Stage{
			{Scope: ops.Scope{Store: []string{c.store()}}, StartedAt: ch.StartedAt, FinishedAt: ch.StartedAt, Verdict: ops.Healthy, Bake: ops.Duration(time.Minute)},
			{Scope: ops.Scope{Store: []string{c.store()}}, StartedAt: ops.At(at.Add(time.Minute))},
		}
	}
	return ch
}

func (c *chain) store() string { return fmt.Sprint("S-", c.rng.IntN(c.stores)) }

// alerts are cases of one alert each: a service in a store, an eighth of them a whole store.
func (c *chain) alerts(n, services int) []Case {
	out := make([]Case, n)
	for i := range out {
		out[i] = Case{Onset: noon, Stores: []string{c.store()}}
		if i%8 > 0 {
			out[i].Services = []string{fmt.Sprint("svc-", c.rng.IntN(services))}
		}
	}
	return out
}

// differ says how two rankings differ in what counts, "" when they do not.
func differ(plain, got Ranking) string {
	if len(plain.Suspects) != len(got.Suspects) || plain.Weighed != got.Weighed || math.Abs(plain.NoChange-got.NoChange) > 1e-9 {
		return fmt.Sprintf("plainly %d of %d, no change %v; got %d of %d, no change %v", len(plain.Suspects), plain.Weighed, plain.NoChange, len(got.Suspects), got.Weighed, got.NoChange)
	}
	for i, p := range plain.Suspects {
		if g := got.Suspects[i]; p.ChangeID != g.ChangeID || math.Abs(p.Probability-g.Probability) > 1e-9 || math.Abs(p.Score-g.Score) > 0.0011 {
			return fmt.Sprintf("place %d: plainly %s %v (%v), got %s %v (%v)", i+1, p.ChangeID, p.Probability, p.Score, g.ChangeID, g.Probability, g.Score)
		}
	}
	return ""
}

func TestTheMatrixComesToTheSameAsPairByPair(t *testing.T) {
	c := newChain(30, 200, 4000) // more candidates than the bound
	cases := c.alerts(150, 30)
	for i := range cases {
		switch i % 10 {
		case 0:
			cases[i].Stores = nil
		case 1:
			cases[i].Stores = []string{"S-1", "S-2", "S-3", "nowhere"}
		case 2:
			cases[i].Place.City, cases[i].OnsetBy = []string{"C-7"}, 20*time.Second
		}
	}
	full, went := 0, plainWent(c.changes, c.w.Catalog)
	for i, got := range c.x.RankAll(cases, c.w, noon.Add(time.Minute)) {
		if diff := differ(pairwise(cases[i], c.changes, went, c.w), got); diff != "" {
			t.Fatalf("case %d %+v: %s", i, cases[i], diff)
		}
		if got.Weighed == MaxCandidates {
			full++
		}
	}
	if full == 0 || full == len(cases) {
		t.Errorf("%d of %d cases reach the bound of candidates, want some", full, len(cases))
	}
}

// BenchmarkBatchOf10kAlertsAgainst100kChanges ranks 10,000 alerts at once, and, in the same run, a sample of them pair
// by pair, which is taken times as many as there are. The results are compared.
func BenchmarkBatchOf10kAlertsAgainst100kChanges(b *testing.B) {
	const alerts, sample = 10_000, 100
	c := newChain(200, 5_000, 100_000)
	cases := c.alerts(alerts, 200)
	var got []Ranking
	for b.Loop() {
		got = c.x.RankAll(cases, c.w, noon.Add(time.Minute))
	}
	matrix := b.Elapsed() / time.Duration(b.N)
	went := plainWent(c.changes, c.w.Catalog)
	start := time.Now()
	var plain []Ranking
	for _, k := range cases[:sample] {
		plain = append(plain, pairwise(k, c.changes, went, c.w))
	}
	pairs := time.Since(start) * alerts / sample
	for i := range plain {
		if diff := differ(plain[i], got[i]); diff != "" {
			b.Fatalf("case %d: %s", i, diff)
		}
	}
	b.ReportMetric(matrix.Seconds(), "matrix-s")
	b.ReportMetric(pairs.Seconds(), "pairwise-s")
	b.ReportMetric(float64(pairs)/float64(matrix), "times-faster")
	b.Logf("%d alerts at once in %v; %d of them pair by pair in %v, which makes %v for all", alerts, matrix.Round(time.Millisecond), sample, (pairs * sample / alerts).Round(time.Millisecond), pairs.Round(time.Second))
}

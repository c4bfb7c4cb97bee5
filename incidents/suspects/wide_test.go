package suspects

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"goc/ops"
)

func storeNames(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("S-%04d", i)
	}
	return out
}

func TestAChangeThatNamesManyStoresIsKeptShortAndGivenBackWhole(t *testing.T) {
	x := NewIndex()
	c := ops.Change{ID: "c", Kind: ops.KindPrice, StartedAt: ops.At(noon.Add(-time.Minute)), Scope: ops.Scope{Store: storeNames(3000)}}
	c.Stages = []ops.Stage{{Scope: ops.Scope{Store: storeNames(100)}, StartedAt: c.StartedAt}, {Scope: ops.Scope{Store: []string{"S-9999"}}, StartedAt: c.StartedAt}}
	x.Put(c)
	if kept := x.slots[0].Change; len(kept.Scope.Store)+len(kept.Stages[0].Scope.Store) > 0 || len(x.slots[0].keys) != 1 {
		t.Errorf("it is kept with its lists, under %d keys", len(x.slots[0].keys))
	}
	if len(c.Scope.Store) != 3000 || len(c.Stages[0].Scope.Store) != 100 {
		t.Error("the caller's change was changed")
	}
	if got, _ := x.Change("c"); !slices.Equal(got.Scope.Store, c.Scope.Store) || !slices.Equal(got.Stages[0].Scope.Store, c.Stages[0].Scope.Store) || len(got.Stages[1].Scope.Store) != 1 {
		t.Errorf("it is given back with %d and %d stores", len(got.Scope.Store), len(got.Stages[0].Scope.Store))
	}
	if e := x.exposureOf(&x.slots[0], noon); len(e.stores) != 101 {
		t.Errorf("it treated %d stores, want 101", len(e.stores))
	}
	for store, want := range map[string]int{"S-0099": 1, "S-0100": 0, "S-9999": 1} {
		if r := x.Rank(Case{Onset: noon, Stores: []string{store}}, World{Weights: DefaultWeights()}, noon); len(r.Suspects) != want {
			t.Errorf("in %s it is a suspect %d times, want %d", store, len(r.Suspects), want)
		}
	}
}

// BenchmarkBytesPerChange prints what the index holds for a change, by how many of 5,000 stores it names; each names
// others. The least of it is the change as it was recorded.
func BenchmarkBytesPerChange(b *testing.B) {
	all := storeNames(5000)
	for _, n := range []int{1, 32, 500, 5000} {
		b.Run(fmt.Sprintf("%d-stores", n), func(b *testing.B) {
			const changes = 2000
			for b.Loop() {
				rng := rand.New(rand.NewPCG(3, uint64(n)))
				x, before := NewIndex(), heap()
				for i := range changes {
					list := make([]string, n)
					from := rng.IntN(len(all))
					for j := range list {
						list[j] = all[(from+j*7)%len(all)]
					}
					x.Put(ops.Change{ID: fmt.Sprint("CHG-", i), Kind: ops.KindPrice, StartedAt: ops.At(noon.Add(time.Duration(i) * time.Second)), Scope: ops.Scope{Store: list}})
				}
				b.ReportMetric(float64(heap()-before)/changes, "B/change")
				runtime.KeepAlive(x)
			}
		})
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

package bake

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"goc/ops"
)

// Bakes keeps the samples that bakes need and the bakes under way. It may be used by several goroutines.
type Bakes struct {
	mu     sync.Mutex
	memory *memory
	under  map[place]*Bake
	looked map[place]time.Time
}

type place struct {
	change string
	stage  int
}

// lookEvery is how often a bake under way is looked at for something clearly wrong: thirty times, but not more often than
// once a minute, for each look reads weeks of history.
func lookEvery(k *Bake) time.Duration { return max(time.Minute, k.To.Sub(k.From)/30) }

// New returns an empty Bakes. The catalog says which way an indicator is good, and which stores a city has.
func New(catalog *ops.Catalog) *Bakes {
	return &Bakes{memory: newMemory(catalog), under: map[place]*Bake{}, looked: map[place]time.Time{}}
}

// Reload takes a new catalog; what is remembered stays.
func (b *Bakes) Reload(catalog *ops.Catalog) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.memory.catalog = catalog
}

// Begin starts a bake; one of the same change and stage is replaced.
func (b *Bakes) Begin(k Bake) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.under[place{k.ChangeID, k.Stage}] = &k
}

// Cancel ends a bake without a verdict.
func (b *Bakes) Cancel(change string, stage int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.under, place{change, stage})
	delete(b.looked, place{change, stage})
}

// Observe takes samples in.
func (b *Bakes) Observe(samples []ops.Sample) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range samples {
		b.memory.add(s)
	}
}

// Size is how many series are kept, and how many values of them and of the histories.
func (b *Bakes) Size() (series, values int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.memory.series {
		values += len(r.values)
	}
	for _, h := range b.memory.histories {
		values += len(h.days) * minutes
	}
	return len(b.memory.series), values
}

// Next is when the first bake under way ends; zero when there is none.
func (b *Bakes) Next() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	var next time.Time
	for _, k := range b.under {
		if next.IsZero() || k.To.Before(next) {
			next = k.To
		}
	}
	return next
}

// Step returns the bakes that are over at now, each once; and those still under way that are clearly unhealthy already.
// Samples are taken in while it computes.
func (b *Bakes) Step(now time.Time) []Outcome {
	var out []Outcome
	for _, d := range b.due(now) {
		o := Verdict(*d.bake, d.evidence, now)
		if over := !now.Before(d.bake.To); (over || o.Certain) && b.end(d.bake) {
			out = append(out, o)
		}
	}
	return out
}

// due is a bake to look at, with what was seen of it.
type due struct {
	bake     *Bake
	evidence []Evidence
}

// due lists the bakes that are over or have not been looked at for a while, in order of their changes.
func (b *Bakes) due(now time.Time) []due {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []due
	for p, k := range b.under {
		if now.Before(k.To) && now.Sub(b.looked[p]) < lookEvery(k) {
			continue
		}
		b.looked[p] = now
		list = append(list, due{k, b.memory.evidence(*k, now)})
	}
	slices.SortFunc(list, func(x, y due) int {
		return cmp.Or(x.bake.To.Compare(y.bake.To), cmp.Compare(x.bake.ChangeID, y.bake.ChangeID), x.bake.Stage-y.bake.Stage)
	})
	return list
}

// end takes a bake off; false when it was cancelled or begun anew meanwhile.
func (b *Bakes) end(k *Bake) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := place{k.ChangeID, k.Stage}
	if b.under[p] != k {
		return false
	}
	delete(b.under, p)
	delete(b.looked, p)
	return true
}

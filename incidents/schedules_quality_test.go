package incidents_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// grouping counts how faults came out as incidents.
type grouping struct {
	faults, whole, alone int // told of by some alert; in one incident at their end; and that incident has no other fault's alerts
	incidents, mixed     int // that had alerts at the end of some fault; with alerts of several faults
}

func (g grouping) log(t *testing.T, what string) {
	t.Logf("%-9s %4d faults: %5.1f %% in exactly one incident, %5.1f %% in one of their own; %4d incidents, %4.1f %% of them mix causes", what, g.faults,
		100*float64(g.whole)/float64(max(1, g.faults)), 100*float64(g.alone)/float64(max(1, g.faults)), g.incidents, 100*float64(g.mixed)/float64(max(1, g.incidents)))
}

// TestFaultsBecomeOneIncidentEach lets faults happen in each of 300 random chains, with indicators and with changes of which
// some are guilty, and holds the incidents against the truth: two to four faults within half an hour, then as many within
// three minutes, where each may be taken for part of another.
func TestFaultsBecomeOneIncidentEach(t *testing.T) {
	n := uint64(300)
	if testing.Short() {
		n = 30
	}
	for _, within := range []time.Duration{length, 3 * time.Minute} {
		all, kinds := grouping{}, map[string]*grouping{}
		for seed := range n {
			measure(seed, within, &all, kinds, t)
		}
		all.log(t, within.String())
		for _, k := range slices.Sorted(maps.Keys(kinds)) {
			kinds[k].log(t, k)
		}
		if float64(all.whole) < 0.8*float64(all.faults) || float64(all.mixed) > 0.2*float64(all.incidents) {
			t.Errorf("%+v: grouping became worse", all)
		}
	}
}

// measure runs one world without people, and looks at each fault just before it ends.
func measure(seed uint64, within time.Duration, all *grouping, kinds map[string]*grouping, t *testing.T) {
	defer func() {
		if b, ok := recover().(broken); ok {
			t.Errorf("seed %d: %s", seed, string(b))
		}
	}()
	r := rand.New(rand.NewPCG(seed, 2))
	w := makeUp(1_000_000+seed, true, 2+r.IntN(3), within)
	s := newSchedule(engine.Config{}, w.cat, false)
	ending := slices.Clone(w.faults)
	slices.SortFunc(ending, func(a, b *fault) int { return int(a.end - b.end) })
	seen, mixed := map[string]bool{}, map[string]bool{}
	for _, h := range w.plan {
		for len(ending) > 0 && ending[0].end <= h.at {
			f := ending[0]
			ending = ending[1:]
			s.judge(f, w.faults, all, seen, mixed, t, seed)
			if kinds[f.kind] == nil {
				kinds[f.kind] = &grouping{}
			}
			s.judge(f, w.faults, kinds[f.kind], nil, nil, nil, seed)
		}
		for s.now.Add(10 * time.Second).Before(midnight.Add(h.at)) {
			s.now = s.now.Add(10 * time.Second)
			s.step(engine.Tick{})
		}
		s.now = maxAt(s.now, midnight.Add(h.at))
		s.step(h.in)
	}
	all.incidents += len(seen)
	all.mixed += len(mixed)
}

// judge says in how many incidents a fault's alerts are, and whether others' are there as well. Alerts that two faults
// would raise alike belong to neither.
func (s *schedule) judge(f *fault, faults []*fault, g *grouping, seen, mixed map[string]bool, t *testing.T, seed uint64) {
	in, of := map[string]bool{}, map[string]map[*fault]bool{}
	for _, a := range s.alerts {
		var owner *fault
		n := 0
		for _, o := range faults {
			if o.alerts[a.Fingerprint] {
				owner = o
				n++
			}
		}
		if a.Status != ops.Firing || n != 1 {
			continue
		}
		if owner == f {
			in[a.Incident] = true
		}
		if of[a.Incident] == nil {
			of[a.Incident] = map[*fault]bool{}
		}
		of[a.Incident][owner] = true
	}
	if len(in) == 0 {
		return
	}
	g.faults++
	shared := false
	for inc := range in {
		if shared = shared || len(of[inc]) > 1; seen != nil {
			seen[inc] = true
			if len(of[inc]) > 1 {
				mixed[inc] = true
			}
		}
	}
	if len(in) == 1 {
		g.whole++
		if !shared {
			g.alone++
		}
	}
	if t != nil && testing.Verbose() && (len(in) > 1 || shared) {
		t.Logf("seed %d: %s at %s in %s", seed, f.kind, f.start, strings.Join(slices.Sorted(maps.Keys(in)), ", "))
		for id, a := range s.alerts {
			if f.alerts[a.Fingerprint] && a.Status == ops.Firing {
				t.Logf("    %s %v: %s", id, a.Labels, a.Reason)
			}
		}
	}
}

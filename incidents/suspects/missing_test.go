package suspects_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goc/incidents/suspects"
	"goc/ops"
)

func TestWhatCouldNotBeComputedIsSaidInsteadOfANumber(t *testing.T) {
	unit := func(u string) ops.Sample {
		return ops.Sample{Indicator: "success_ratio", Service: "pay", Caller: "shop", Unit: u}
	}
	fresh := started("c", ops.KindRelease, "pay", 30*time.Second)
	fresh.Stages = []ops.Stage{{Units: []string{"pay-v2"}, StartedAt: fresh.StartedAt}}
	unnamed := started("c", ops.KindRelease, "pay", 5*time.Minute)
	unnamed.Stages = []ops.Stage{{StartedAt: unnamed.StartedAt, FinishedAt: unnamed.StartedAt}}
	placed := started("c", ops.KindPrice, "", 5*time.Minute)
	placed.Scope.Store = []string{"S-01"}
	for name, c := range map[string]struct {
		change  ops.Change
		stores  []string
		samples map[string]float64 // by unit, from before the onset on
		of      string             // the service that they are of, pay unless told
		late    bool               // and from after it only
		want    []string
	}{
		"a stage that has not finished":                {change: fresh, want: []string{"gap unfinished"}},
		"nothing is kept of the service":               {change: gray("c", "pay"), want: []string{"gap no_samples"}},
		"only what the service calls is kept":          {change: gray("c", "pay"), samples: map[string]float64{"bank-1": 0.5}, of: "bank", want: []string{"gap no_samples"}},
		"the treated unit was never seen":              {change: gray("c", "pay"), samples: map[string]float64{"pay-v1-1": 0.99}, want: []string{"gap treated_unseen"}},
		"only the treated unit was seen":               {change: gray("c", "pay"), samples: map[string]float64{"pay-v2": 0.99}, want: []string{"gap untreated_unseen"}},
		"the history was cut in the middle":            {change: gray("c", "pay"), samples: map[string]float64{"pay-v1-1": 0.99, "pay-v2": 0.98}, late: true, want: []string{"untreated no_before"}},
		"both were seen":                               {change: gray("c", "pay"), samples: map[string]float64{"pay-v1-1": 0.99, "pay-v2": 0.98}},
		"a staged release that names no units":         {change: unnamed, samples: map[string]float64{"pay-v1-1": 0.99}, want: []string{"silence no_units"}},
		"a change to a store while alerts name none":   {change: placed, want: []string{"gap no_samples", "spatial no_stores_named"}},
		"a change to a store, and an alert in another": {change: placed, stores: []string{"S-02"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := world()
			for u, v := range c.samples {
				before := v
				if c.late {
					before = math.NaN()
				}
				s := unit(u)
				if c.of != "" {
					s.Service, before = c.of, 0.99 // it gets worse
				}
				put(w, s, before, v)
			}
			r := suspects.Rank(suspects.Case{Onset: onset, Services: []string{"pay"}, Stores: c.stores}, []*ops.Change{&c.change}, w, onset.Add(time.Minute))
			var got []string
			for _, e := range r.Suspects[0].Reasons {
				if e.Args["computed"] == false {
					if got = append(got, fmt.Sprintf("%s %s", e.Term, e.Args["why"])); e.Weight != 0 || e.Text == "" {
						t.Errorf("%+v, want a sentence without weight", e)
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("not computed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBadInput is what history may hold that nobody meant.
func TestBadInput(t *testing.T) {
	far := started("future", ops.KindRelease, "pay", 0)
	far.StartedAt = ops.At(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
	old := started("ancient", ops.KindRelease, "pay", 0)
	old.StartedAt = ops.At(time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC))
	bare := ops.Change{ID: "bare", StartedAt: ops.At(onset.Add(-time.Minute))}
	wide := started("everywhere", ops.KindPrice, "", time.Minute)
	for i := range 6000 {
		wide.Scope.Store = append(wide.Scope.Store, fmt.Sprint("X-", i))
	}
	w := world()
	w.Graph = suspects.NewGraph([][2]string{{"pay", "pay"}, {"pay", "bank"}, {"bank", "pay"}, {"", "pay"}, {"pay", ""}})
	for _, k := range []suspects.Case{{}, {Onset: onset}, {Onset: onset, Services: []string{"pay", "pay", ""}, Stores: []string{"S-01", "S-01", ""}}, {Onset: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), Services: []string{"pay"}}} {
		for _, world := range []suspects.World{w, {}} {
			sound(t, suspects.Rank(k, []*ops.Change{&far, &old, &bare, &wide, &wide, {}}, world, onset.Add(time.Minute)))
		}
	}
	r := suspects.Rank(suspects.Case{Onset: onset, Services: []string{"pay"}}, []*ops.Change{&far, &old}, w, onset.Add(time.Minute))
	if len(r.Suspects) != 0 || r.NoChange != 1 {
		t.Errorf("changes in the far future and past are suspects: %+v", r.Suspects)
	}
}

// FuzzRank ranks drawn worlds with what is drawn twisted: times moved, weights odd.
func FuzzRank(f *testing.F) {
	f.Add(uint64(1), int64(0), 1.0)
	f.Add(uint64(7), int64(1<<62), -3.0)
	f.Add(uint64(9), int64(-1<<62), 0.0)
	f.Fuzz(func(t *testing.T, seed uint64, shift int64, weight float64) {
		if !(weight > -50 && weight < 50) {
			t.Skip()
		}
		d := draw(seed)
		d.w.Weights.Gap, d.w.Weights.Spatial, d.w.Weights.Decay = weight, weight, weight
		for i, c := range d.changes {
			if i%3 == 0 {
				c.StartedAt = ops.At(c.StartedAt.Add(time.Duration(shift)))
			}
		}
		r := suspects.Rank(d.k, d.changes, d.w, d.now)
		sound(t, r)
		if diff := cmp.Diff(r, suspects.Rank(d.k, d.changes, d.w, d.now)); diff != "" {
			t.Errorf("the same again (-first +second):\n%s", diff)
		}
	})
}

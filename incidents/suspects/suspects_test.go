package suspects_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goc/incidents/series"
	"goc/incidents/suspects"
	"goc/ops"
)

var onset = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

func started(id string, kind ops.ChangeKind, service string, before time.Duration) ops.Change {
	return ops.Change{ID: id, Kind: kind, Service: service, Status: ops.ChangeStarted, StartedAt: ops.At(onset.Add(-before)), CreatedAt: ops.At(onset.Add(-before))}
}

func world() suspects.World {
	cat := &ops.Catalog{}
	for i := range 20 {
		cat.Stores = append(cat.Stores, ops.Store{ID: fmt.Sprintf("S-%02d", i)})
	}
	if err := cat.Index(); err != nil {
		panic(err)
	}
	return suspects.World{Graph: suspects.NewGraph([][2]string{{"shop", "pay"}, {"pay", "bank"}, {"bank", "pay"}}), Samples: series.New(0, 0, 0), Catalog: cat, Weights: suspects.DefaultWeights()}
}

// order ranks the changes and gives their ids, best first.
func order(t *testing.T, k suspects.Case, w suspects.World, changes ...ops.Change) []string {
	t.Helper()
	k.Onset = onset
	var list []*ops.Change
	for i := range changes {
		list = append(list, &changes[i])
	}
	r := suspects.Rank(k, list, w, onset.Add(time.Minute))
	sum := r.NoChange
	var ids []string
	for _, s := range r.Suspects {
		sum += s.Probability
		ids = append(ids, s.ChangeID)
		for _, e := range append(s.Reasons, s.Against...) {
			if e.Text == "" || e.Args == nil || math.IsNaN(e.Weight) {
				t.Errorf("%s has evidence without a sentence, arguments or weight: %+v", s.ChangeID, e)
			}
		}
	}
	if len(changes) <= 5 && math.Abs(sum-1) > 1e-9 {
		t.Errorf("the probabilities make %v together, want 1", sum)
	}
	return ids
}

func TestWhatOnlyCircumstanceSays(t *testing.T) {
	pay := suspects.Case{Services: []string{"pay"}}
	risky := started("risky", ops.KindRelease, "pay", 3*time.Minute)
	risky.Risk = "high"
	forced := started("forced", ops.KindRelease, "pay", 3*time.Minute)
	forced.Overridden = true
	undone := started("undone", ops.KindRelease, "pay", 3*time.Minute)
	undone.Status, undone.FinishedAt = ops.ChangeRolledBack, ops.At(onset.Add(-2*time.Minute))
	baked := started("baked", ops.KindRelease, "pay", 3*time.Minute)
	baked.Stages = []ops.Stage{
		{StartedAt: baked.StartedAt, FinishedAt: baked.StartedAt, Bake: ops.Duration(time.Minute), Verdict: ops.Healthy},
		{StartedAt: ops.At(onset.Add(-time.Minute)), FinishedAt: ops.At(onset.Add(-50 * time.Second)), Bake: ops.Duration(time.Hour), Verdict: ops.Baking},
	}
	for name, c := range map[string]struct {
		k       suspects.Case
		changes []ops.Change
		want    []string
	}{
		"the later of two like changes comes first":                      {pay, []ops.Change{started("early", ops.KindRelease, "pay", time.Hour), started("late", ops.KindRelease, "pay", time.Minute)}, []string{"late", "early"}},
		"a change after the onset is no suspect, a minute of skew apart": {pay, []ops.Change{started("after", ops.KindRelease, "pay", -2*time.Minute), started("skewed", ops.KindRelease, "pay", -50*time.Second)}, []string{"skewed"}},
		"the symptom's own service, then what it depends on, then its callers, then strangers": {pay, []ops.Change{
			started("stranger", ops.KindRelease, "search", time.Minute), started("caller", ops.KindRelease, "shop", time.Minute), started("callee", ops.KindRelease, "bank", time.Minute), started("own", ops.KindRelease, "pay", time.Minute),
		}, []string{"own", "callee", "caller", "stranger"}},
		"a change that was only planned is none":             {pay, []ops.Change{{ID: "planned", Kind: ops.KindRelease, Service: "pay", Status: ops.ChangePlanned, CreatedAt: ops.At(onset.Add(-time.Minute))}}, nil},
		"high risk and broken glass":                         {pay, []ops.Change{started("plain", ops.KindRelease, "pay", 3*time.Minute), risky, forced}, []string{"forced", "risky", "plain"}},
		"a stage that baked well speaks for a change":        {pay, []ops.Change{baked, started("unwatched", ops.KindRelease, "pay", 3*time.Minute)}, []string{"unwatched", "baked"}},
		"what was rolled back before comes last":             {pay, []ops.Change{undone, started("other", ops.KindRelease, "pay", 3*time.Hour)}, []string{"other", "undone"}},
		"what people rejected comes last":                    {suspects.Case{Services: []string{"pay"}, Rejected: map[string]bool{"own": true}}, []ops.Change{started("own", ops.KindRelease, "pay", time.Minute), started("far", ops.KindRelease, "search", time.Hour)}, []string{"far", "own"}},
		"what people confirmed is first, whatever it scores": {suspects.Case{Services: []string{"pay"}, Confirmed: "far"}, []ops.Change{started("far", ops.KindRelease, "search", time.Hour), started("own", ops.KindRelease, "pay", time.Minute)}, []string{"far", "own"}},
		"firmware for failing devices, a router for a dark store": {suspects.Case{Stores: []string{"S-01"}, Place: ops.Scope{Kind: []string{"scanner"}}}, []ops.Change{
			{ID: "firmware", Kind: ops.KindFirmware, Status: ops.ChangeStarted, StartedAt: ops.At(onset.Add(-time.Minute)), Scope: ops.Scope{Kind: []string{"scanner"}, Store: []string{"S-01"}}},
			{ID: "other kind", Kind: ops.KindFirmware, Status: ops.ChangeStarted, StartedAt: ops.At(onset.Add(-time.Minute)), Scope: ops.Scope{Kind: []string{"pos"}, Store: []string{"S-01"}}},
		}, []string{"firmware", "other kind"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, order(t, c.k, world(), c.changes...)); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}

// put writes samples every five seconds from before the onset to a minute after it.
func put(w suspects.World, s ops.Sample, before, after float64) {
	for at := onset.Add(-10 * time.Minute); !at.After(onset.Add(time.Minute)); at = at.Add(5 * time.Second) {
		s.At, s.Value = ops.At(at), before
		if at.After(onset) {
			s.Value = after
		}
		if !math.IsNaN(s.Value) {
			w.Samples.Add(s)
		}
	}
}

// gray is a release of a service to units v2-* that stand in for v1-0.
func gray(id, service string) ops.Change {
	c := started(id, ops.KindRelease, service, 30*time.Second)
	c.Stages = []ops.Stage{{Units: []string{service + "-v2"}, Replaces: []string{service + "-v1-0"}, StartedAt: c.StartedAt, FinishedAt: ops.At(onset)}}
	return c
}

func TestWhatTheIndicatorsSay(t *testing.T) {
	none := math.NaN()
	type values struct{ v2, v1 float64 } // after the onset; before it all is well
	for name, c := range map[string]struct {
		pay, bank values
		want      string
	}{
		"the release whose unit is worse than its peers":             {pay: values{0.99, 0.99}, bank: values{0.5, 0.99}, want: "bank"},
		"the release whose unit says nothing while its peers report": {pay: values{0.99, 0.99}, bank: values{none, 0.99}, want: "bank"},
		"not the release whose peers suffer just as much":            {pay: values{0.5, 0.55}, bank: values{0.2, 0.99}, want: "bank"},
		"a small gap without noise against none":                     {pay: values{0.93, 0.99}, bank: values{0.99, 0.99}, want: "pay"},
	} {
		t.Run(name, func(t *testing.T) {
			w := world()
			for service, v := range map[string]values{"pay": c.pay, "bank": c.bank} {
				put(w, ops.Sample{Indicator: "success_ratio", Service: service, Caller: "x", Unit: service + "-v2"}, none, v.v2)
				for i := range 2 {
					put(w, ops.Sample{Indicator: "success_ratio", Service: service, Caller: "x", Unit: fmt.Sprint(service, "-v1-", i+1)}, 0.99, v.v1)
				}
			}
			got := order(t, suspects.Case{Services: []string{"pay"}}, w, gray("pay", "pay"), gray("bank", "bank"))
			if got[0] != c.want {
				t.Errorf("first is %s, want %s", got[0], c.want)
			}
		})
	}
}

func TestAStoreThatIsAlwaysSlowIsNotHeldAgainstAChange(t *testing.T) {
	w := world()
	for i := range 6 {
		v := 0.99
		if i == 0 {
			v = 0.7
		}
		put(w, ops.Sample{Indicator: "success_ratio", Service: "pay", Store: fmt.Sprintf("S-%02d", i)}, v, v)
	}
	c := started("c", ops.KindRelease, "pay", 3*time.Minute)
	c.Scope.Store = []string{"S-00"}
	k := suspects.Case{Onset: onset, Services: []string{"pay"}}
	r := suspects.Rank(k, []*ops.Change{&c}, w, onset.Add(time.Minute))
	for _, e := range r.Suspects[0].Reasons {
		if e.Term == "gap" {
			t.Errorf("it is held against the change: %s", e.Text)
		}
	}
	if r.NoChange < 0.5 {
		t.Errorf("no change has %.2f, want more than a half", r.NoChange)
	}
}

func byName(_, indicator string) string { return ops.DirectionOf(indicator) }

func TestTheIndexFindsWhatTouchesAndNothingElse(t *testing.T) {
	x := suspects.NewIndex()
	at := func(c ops.Change, touch func(*ops.Change)) ops.Change {
		touch(&c)
		return c
	}
	x.Put(started("old", ops.KindRelease, "pay", 48*time.Hour))
	x.Put(started("pay", ops.KindRelease, "pay", 2*time.Minute))
	x.Put(started("other", ops.KindRelease, "search", time.Minute))
	x.Put(at(started("store", ops.KindNetwork, "", 3*time.Minute), func(c *ops.Change) { c.Scope.Store = []string{"S-01"} }))
	x.Put(at(started("city", ops.KindNetwork, "", 4*time.Minute), func(c *ops.Change) { c.Scope.City = []string{"A"} }))
	x.Put(started("wide", ops.KindPrice, "", 5*time.Minute))
	found := func(k suspects.Case) (out []string) {
		k.Onset = onset
		for _, s := range x.Rank(k, world(), onset).Suspects {
			out = append(out, s.ChangeID)
		}
		slices.Sort(out)
		return out
	}
	if diff := cmp.Diff([]string{"city", "pay", "store", "wide"}, found(suspects.Case{Services: []string{"pay"}, Stores: []string{"S-01"}, Place: ops.Scope{City: []string{"A"}}})); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	moved := started("wide", ops.KindPrice, "pay", time.Second) // the newer version takes the place of the older
	x.Put(moved)
	if diff := cmp.Diff([]string{"pay", "wide"}, found(suspects.Case{Services: []string{"pay"}})); diff != "" {
		t.Errorf("found after the move (-want +got):\n%s", diff)
	}
	if c, ok := x.Change("wide"); !ok || c.Service != "pay" {
		t.Errorf("the change by id is %+v", c)
	}
}

// at writes a service's success for one caller on three units, before and after the onset.
func at(w suspects.World, service, caller string, before, after float64) {
	for i := range 3 {
		put(w, ops.Sample{Indicator: "success_ratio", Service: service, Caller: caller, Unit: fmt.Sprint(service, "-", i)}, before, after)
	}
}

func TestWhatTheServicesThemselvesSay(t *testing.T) {
	for name, c := range map[string]struct {
		pay, bank float64 // success after the onset; before it all is well
		changed   [2]string
		want      string
	}{
		"a change below that shows the trouble itself before one that does not": {pay: 0.8, bank: 0.8, changed: [2]string{"bank", "vault"}, want: "bank"},
		"a change of the symptom's service where nothing below it is off":       {pay: 0.8, bank: 0.99, changed: [2]string{"pay", "bank"}, want: "pay"},
		"a change further down where the trouble shows all the way":             {pay: 0.8, bank: 0.8, changed: [2]string{"bank", "pay"}, want: "bank"},
	} {
		t.Run(name, func(t *testing.T) {
			w := world()
			w.Graph = suspects.NewGraph([][2]string{{"shop", "pay"}, {"pay", "bank"}, {"pay", "vault"}})
			at(w, "pay", "shop", 0.99, c.pay)
			at(w, "bank", "pay", 0.99, c.bank)
			at(w, "vault", "pay", 0.99, 0.99)
			got := order(t, suspects.Case{Services: []string{"pay"}}, w, started(c.changed[0], ops.KindConfig, c.changed[0], time.Minute), started(c.changed[1], ops.KindConfig, c.changed[1], time.Minute))
			if got[0] != c.want {
				t.Errorf("first is %s, want %s", got[0], c.want)
			}
		})
	}
}

// terms are the weights of the first suspect's evidence.
func terms(r suspects.Ranking) map[string]float64 {
	out := map[string]float64{}
	for _, e := range append(r.Suspects[0].Reasons, r.Suspects[0].Against...) {
		out[e.Term] = e.Weight
	}
	return out
}

func TestAChangeThatReachedAllUnitsDoesNotBreakOneOfThem(t *testing.T) {
	w := world()
	for i := range 5 {
		after := 0.99
		if i == 0 {
			after = 0.3
		}
		put(w, ops.Sample{Indicator: "success_ratio", Service: "pay", Unit: fmt.Sprint("pay-", i)}, 0.99, after)
	}
	c := started("c", ops.KindConfig, "pay", time.Minute)
	r := suspects.Rank(suspects.Case{Onset: onset, Services: []string{"pay"}}, []*ops.Change{&c}, w, onset.Add(time.Minute))
	if got := terms(r)["partial"]; got >= 0 {
		t.Errorf("one of five units is worse, and that weighs %v, want less than nothing", got)
	}
}

func TestAUnitThatWasReplacedLongAgoIsNotSilent(t *testing.T) {
	w := world()
	for i := range 3 {
		put(w, ops.Sample{Indicator: "success_ratio", Service: "pay", Unit: fmt.Sprint("pay-", i)}, 0.99, 0.9)
	}
	old, later := started("old", ops.KindRelease, "pay", 3*time.Minute), started("later", ops.KindRelease, "pay", 2*time.Minute)
	old.Stages = []ops.Stage{{Units: []string{"pay-v2"}, StartedAt: old.StartedAt, FinishedAt: old.StartedAt}}
	later.Stages = []ops.Stage{{Units: []string{"pay-0"}, Replaces: []string{"pay-v2"}, StartedAt: later.StartedAt, FinishedAt: later.StartedAt}}
	for name, list := range map[string][]*ops.Change{"replaced": {&old, &later}, "not replaced": {&old}} {
		r := suspects.Rank(suspects.Case{Onset: onset, Services: []string{"pay"}}, list, w, onset.Add(time.Minute))
		silent := false
		for _, s := range r.Suspects {
			for _, e := range s.Reasons {
				silent = silent || s.ChangeID == "old" && e.Term == "silence"
			}
		}
		if want := name == "not replaced"; silent != want {
			t.Errorf("%s: silence is held against it: %v, want %v", name, silent, want)
		}
	}
}

func TestAGapOfACallerIsExplainedByASuspiciousChangeBelow(t *testing.T) {
	w := world()
	for service, v2 := range map[string]float64{"pay": 0.7, "bank": 0.2} {
		put(w, ops.Sample{Indicator: "success_ratio", Service: service, Caller: "x", Unit: service + "-v2"}, math.NaN(), v2)
		for i := range 2 {
			put(w, ops.Sample{Indicator: "success_ratio", Service: service, Caller: "x", Unit: fmt.Sprint(service, "-v1-", i+1)}, 0.99, 0.99)
		}
	}
	w.Graph = suspects.NewGraph([][2]string{{"pay", "bank"}})
	caller, below := gray("caller", "pay"), gray("below", "bank")
	r := suspects.Rank(suspects.Case{Onset: onset, Services: []string{"pay"}}, []*ops.Change{&caller, &below}, w, onset.Add(time.Minute))
	explained := map[string]float64{}
	for _, s := range r.Suspects {
		for _, e := range s.Against {
			if e.Term == "explained" {
				explained[s.ChangeID] = e.Weight
			}
		}
	}
	if explained["caller"] >= 0 || explained["below"] != 0 || r.Suspects[0].ChangeID != "below" {
		t.Errorf("first is %s, explained are %v; want below, and a part of the caller's gap", r.Suspects[0].ChangeID, explained)
	}
}

func TestNoMoreThanAGapIsExplainedAwayHoweverTheWeightsStand(t *testing.T) {
	w := world()
	w.Weights.Gap, w.Weights.GapLatency, w.Weights.ExplainedAway = 1, 6, 1
	for service, v2 := range map[string]float64{"pay": 0.9, "bank": 2} {
		put(w, ops.Sample{Indicator: "latency_p99_seconds", Service: service, Caller: "x", Unit: service + "-v2"}, math.NaN(), v2)
		for i := range 2 {
			put(w, ops.Sample{Indicator: "latency_p99_seconds", Service: service, Caller: "x", Unit: fmt.Sprint(service, "-v1-", i+1)}, 0.1, 0.1)
		}
	}
	w.Graph = suspects.NewGraph([][2]string{{"pay", "bank"}})
	caller, below := gray("caller", "pay"), gray("below", "bank")
	r := suspects.Rank(suspects.Case{Onset: onset, Services: []string{"pay"}}, []*ops.Change{&caller, &below}, w, onset.Add(time.Minute))
	weights := map[string]float64{}
	for _, s := range r.Suspects {
		if s.ChangeID == "caller" {
			for _, e := range append(s.Reasons, s.Against...) {
				weights[e.Term] = e.Weight
			}
		}
	}
	if weights["explained"] >= 0 || -weights["explained"] > weights["gap"] {
		t.Errorf("of a gap of %v %v is explained away", weights["gap"], weights["explained"])
	}
}

func TestPeersThatAreWellSayNothingOfAUnitThatSaysNothing(t *testing.T) {
	w := world()
	at(w, "pay", "shop", 0.99, 0.7)
	put(w, ops.Sample{Indicator: "success_ratio", Service: "bank", Caller: "pay", Unit: "bank-v1-1"}, 0.99, 0.99)
	put(w, ops.Sample{Indicator: "success_ratio", Service: "bank", Caller: "pay", Unit: "bank-v1-2"}, 0.99, 0.99)
	c := gray("crashed", "bank")
	r := suspects.Rank(suspects.Case{Onset: onset, Services: []string{"pay"}}, []*ops.Change{&c}, w, onset.Add(time.Minute))
	if got := terms(r); got["silence"] <= 0 || got["own"] < 0 {
		t.Errorf("silence weighs %v and the peers %v, want more than nothing, and nothing", got["silence"], got["own"])
	}
}

func TestACalleeThatIsAFewMillisecondsSlowerDoesNotMakeItsCallerASecondSlower(t *testing.T) {
	for name, c := range map[string]struct {
		after float64 // of the changed callee, from 3 ms before
		calls float64 // the sign of the term: 1 speaks for the change, -1 against it
	}{
		"3 ms more":  {0.006, -1},
		"1.1 s more": {1.1, 1},
		"half a second more, called more than once": {0.5, 1},
	} {
		w := world()
		put(w, ops.Sample{Indicator: "latency_seconds", Service: "pay", Caller: "shop", Unit: "pay-1"}, 0.1, 1.3)
		put(w, ops.Sample{Indicator: "latency_seconds", Service: "bank", Caller: "pay", Unit: "bank-1"}, 0.003, c.after)
		ch := started("c", ops.KindConfig, "bank", time.Minute)
		r := suspects.Rank(suspects.Case{Onset: onset, Services: []string{"pay"}}, []*ops.Change{&ch}, w, onset.Add(time.Minute))
		if got := terms(r)["own"]; got*c.calls <= 0 {
			t.Errorf("%s: what the callee lost weighs %v, want the sign of %v", name, got, c.calls)
		}
	}
}

func TestProbabilitiesNeverSaturateAndShownWeightsMakeTheScore(t *testing.T) {
	w := world()
	for _, u := range []string{"pay-v1-1", "pay-v1-2"} {
		put(w, ops.Sample{Indicator: "success_ratio", Service: "pay", Caller: "x", Unit: u}, 0.999, 0.999)
	}
	put(w, ops.Sample{Indicator: "success_ratio", Service: "pay", Caller: "x", Unit: "pay-v2"}, math.NaN(), 0)
	bad, other := gray("bad", "pay"), started("other", ops.KindPrice, "search", 5*time.Hour)
	r := suspects.Rank(suspects.Case{Onset: onset, Services: []string{"pay"}}, []*ops.Change{&bad, &other}, w, onset.Add(time.Minute))
	if p := r.Suspects[0].Probability; p < 0.9 || p > 1-w.Weights.Unknown || r.Suspects[1].Probability <= 0 || r.NoChange < w.Weights.Unknown {
		t.Errorf("shown are %v and %v, no change %v", p, r.Suspects[1].Probability, r.NoChange)
	}
	for _, s := range r.Suspects {
		sum := 0.0
		for _, e := range append(s.Reasons, s.Against...) {
			sum += e.Weight
		}
		if math.Abs(sum-s.Score) > 0.01 {
			t.Errorf("%s: the shown weights make %v, the score is %v", s.ChangeID, sum, s.Score)
		}
	}
}

func TestPeoplesJudgementsMoveThePriorWithinBounds(t *testing.T) {
	c := started("c", ops.KindConfig, "pay", time.Minute)
	score := func(n suspects.Count) float64 {
		w := world()
		w.Priors = suspects.Priors{ops.KindConfig: n}
		return suspects.Rank(suspects.Case{Onset: onset, Services: []string{"pay"}}, []*ops.Change{&c}, w, onset).Suspects[0].Score
	}
	plain := score(suspects.Count{})
	if few := score(suspects.Count{Confirmed: 3}); few <= plain {
		t.Errorf("three confirmations make %v of %v", few, plain)
	}
	if few := score(suspects.Count{Rejected: 3}); few >= plain {
		t.Errorf("three rejections make %v of %v", few, plain)
	}
	if d := score(suspects.Count{Confirmed: 1e6}) - plain; d > 1.001 {
		t.Errorf("a million confirmations add %v, want no more than 1", d)
	}
}

package changes_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"goc/changes"
	"goc/ops"
)

func TestCollision(t *testing.T) {
	none := 0
	wait := changes.Config{Collision: changes.Collision{Effect: ops.EffectWait}}
	only := changes.Config{Collision: changes.Collision{Effect: ops.EffectDeny, Depth: &none}}
	play(t, []scenario{
		{
			name: "the same store", config: wait, ask: ops.Change{Kind: ops.KindPrice, Title: "prices", Scope: ops.Scope{Store: []string{"SH-1"}}},
			given: func(r *room) { r.underway(release("pay", "SH-1", "SH-2")) },
			want:  "wait: collision wait", says: []string{"CHG-1 (release of pay) of Wang is under way in SH-1 until it has finished"},
		},
		{
			name: "another store", config: wait, ask: ops.Change{Kind: ops.KindPrice, Title: "prices", Scope: ops.Scope{Store: []string{"BJ-1"}}},
			given: func(r *room) { r.underway(release("pay", "SH-1")) }, want: "allow",
		},
		{
			name: "the city of the store", config: wait, ask: ops.Change{Kind: ops.KindPrice, Title: "prices", Scope: ops.Scope{City: []string{"Shanghai"}}},
			given: func(r *room) { r.underway(release("pay", "SH-1")) }, want: "wait: collision wait",
		},
		{
			name: "a store of the city", config: wait, ask: ops.Change{Kind: ops.KindPrice, Title: "prices", Scope: ops.Scope{Store: []string{"SH-2"}}},
			given: func(r *room) {
				r.underway(ops.Change{Kind: ops.KindPrice, Title: "other prices", Scope: ops.Scope{City: []string{"Shanghai"}}})
			}, want: "wait: collision wait",
		},
		{
			name: "a store of the region", config: wait, ask: ops.Change{Kind: ops.KindPrice, Title: "prices", Scope: ops.Scope{Store: []string{"SH-2"}}},
			given: func(r *room) {
				r.underway(ops.Change{Kind: ops.KindPrice, Title: "other prices", Scope: ops.Scope{Region: []string{"east"}}})
			}, want: "wait: collision wait",
		},
		{
			name: "prices of every store", config: wait, ask: release("pay", "SH-1"),
			given: func(r *room) { r.underway(ops.Change{Kind: ops.KindPrice, Title: "prices"}) }, want: "wait: collision wait", says: []string{"in SH-1"},
		},
		{
			name: "a service that calls it", config: wait, ask: release("cart"),
			given: func(r *room) { r.underway(release("pay")) }, want: "wait: collision wait", says: []string{"in service pay"},
		},
		{
			name: "a service that it calls", config: wait, ask: release("pay"),
			given: func(r *room) { r.underway(release("cart")) }, want: "wait: collision wait",
		},
		{
			name: "a service that calls it, and chains do not count", config: only, ask: release("cart"),
			given: func(r *room) { r.underway(release("pay")) }, want: "allow",
		},
		{
			name: "the same service", config: only, ask: release("pay"),
			given: func(r *room) { r.underway(release("pay")) }, want: "deny: collision deny",
		},
		{
			name: "the same service elsewhere", config: only, ask: release("pay", "BJ-1"),
			given: func(r *room) { r.underway(release("pay", "SH-1")) }, want: "allow",
		},
		{
			name: "another environment", config: wait, ask: ops.Change{Kind: ops.KindRelease, Service: "pay", Environment: "staging"},
			given: func(r *room) { r.underway(release("pay")) }, want: "allow",
		},
		{
			name: "only planned", config: wait, ask: release("pay"),
			given: func(r *room) { r.record(ci, release("pay")) }, want: "allow",
		},
		{
			name: "finished", config: wait, ask: release("pay"),
			given: func(r *room) { r.event(ci, r.underway(release("pay")).ID, ops.ChangeEvent{Event: "finish"}) }, want: "allow",
		},
		{
			name: "it bakes", config: wait, ask: release("pay"), retry: 480,
			given: func(r *room) {
				c := release("pay")
				c.Bake = ops.Duration(10 * time.Minute)
				r.event(ci, r.underway(c).ID, ops.ChangeEvent{Event: "finish"})
				r.at = r.at.Add(2 * time.Minute)
			}, want: "wait: collision wait", says: []string{"until its bake ends at 2026-11-16T08:10"},
		},
		{
			name: "somebody forgot to finish it", config: wait, ask: release("pay"),
			given: func(r *room) { r.underway(release("pay")); r.at = r.at.Add(25 * time.Hour) }, want: "allow",
		},
		{
			name: "a drill", config: wait, ask: release("pay"),
			given: func(r *room) { c := release("pay"); c.Kind = ops.KindDrill; r.underway(c) }, want: "allow",
		},
		{name: "nobody asked for it", ask: release("pay"), given: func(r *room) { r.underway(release("pay")) }, want: "allow"},
	})
}

func TestOfTwoInEachOthersWayTheFirstGoesOn(t *testing.T) {
	r := open(t, changes.Config{Collision: changes.Collision{Effect: ops.EffectWait}})
	var ids []string
	for range 2 {
		c := r.record(ci, staged())
		r.event(ci, c.ID, ops.ChangeEvent{Event: "start"})
		ids = append(ids, c.ID)
		r.at = r.at.Add(time.Minute)
	}
	first, second := r.check(ci, ops.GateRequest{ChangeID: ids[0]}), r.check(ci, ops.GateRequest{ChangeID: ids[1]})
	if told(first) != "allow" || told(second) != "wait: collision wait" {
		t.Errorf("the first: %s, the second: %s", told(first), told(second))
	}
	r.reopen()
	if again := r.check(ci, ops.GateRequest{ChangeID: ids[1]}); told(again) != told(second) {
		t.Errorf("after a restart: %s", told(again))
	}
}

func TestShareOfStoresUnderChange(t *testing.T) {
	half := changes.Config{MaxShare: changes.MaxShare{City: 0.5}}
	price := func(s ops.Scope) ops.Change { return ops.Change{Kind: ops.KindPrice, Title: "prices", Scope: s} }
	play(t, []scenario{
		{name: "one store of two", config: half, ask: price(ops.Scope{Store: []string{"SH-1"}}), want: "allow"},
		{
			name: "the other store as well", config: half, ask: price(ops.Scope{Store: []string{"SH-2"}}), want: "wait: share wait",
			given: func(r *room) { r.underway(price(ops.Scope{Store: []string{"SH-1"}})) },
			says:  []string{"2 of the 2 stores of Shanghai would be under change at once, 1 of them by this change, and 50 % is the most; wait"},
		},
		{
			name: "the same store again", config: half, ask: price(ops.Scope{Store: []string{"SH-1"}}), want: "allow",
			given: func(r *room) { r.underway(price(ops.Scope{Store: []string{"SH-1"}})) },
		},
		{
			name: "the whole city at once", config: half, ask: price(ops.Scope{City: []string{"Shanghai"}}), want: "deny: share deny",
			says: []string{"go out in smaller stages"},
		},
		{name: "every store, without saying so", config: half, ask: price(ops.Scope{}), want: "deny: share deny"},
		{name: "a central service", config: half, ask: release("pay"), want: "allow"},
		{name: "one store always may", config: changes.Config{MaxShare: changes.MaxShare{City: 0.1, Region: 0.1, All: 0.1}}, ask: price(ops.Scope{Store: []string{"BJ-1"}}), want: "allow"},
		{
			name: "the chain", config: changes.Config{MaxShare: changes.MaxShare{All: 0.4}}, ask: price(ops.Scope{Store: []string{"BJ-1"}}), want: "wait: share wait",
			given: func(r *room) { r.underway(price(ops.Scope{Store: []string{"SH-1"}})) }, says: []string{"the chain"},
		},
		{
			name: "the first is out", config: half, ask: price(ops.Scope{Store: []string{"SH-2"}}), want: "allow",
			given: func(r *room) {
				r.event(ci, r.underway(price(ops.Scope{Store: []string{"SH-1"}})).ID, ops.ChangeEvent{Event: "finish"})
			},
		},
	})
}

func TestWhatMovedLeavesNoTraceInTheFlight(t *testing.T) {
	c := catalog(t)
	rapid.Check(t, func(t *rapid.T) {
		followed, fresh := changes.NewFlight(c), changes.NewFlight(c)
		for i := range rapid.IntRange(1, 8).Draw(t, "changes") {
			var old *ops.Change
			for range rapid.IntRange(1, 4).Draw(t, "moves") {
				next := inFlight(t, fmt.Sprint("CHG-", i+2))
				followed.Put(old, &next)
				old = &next
			}
			fresh.Put(nil, old)
		}
		state := changes.State{Catalog: c, Config: changes.Config{Collision: changes.Collision{Effect: ops.EffectWait}, MaxShare: changes.MaxShare{City: 0.3, Region: 0.3, All: 0.3}}}
		ask := inFlight(t, "CHG-1")
		ask.Status, ask.StartedAt, ask.Stages = ops.ChangePlanned, ops.Time{}, nil
		var got []ops.Decision
		for _, f := range []*changes.Flight{followed, fresh} {
			state.Flight = f
			got = append(got, changes.Decide(changes.Request{Change: ask, Who: ci}, state, monday))
		}
		if diff := cmp.Diff(got[0], got[1]); diff != "" {
			t.Fatal(diff)
		}
	})
}

func inFlight(t *rapid.T, id string) ops.Change {
	x := ops.Change{
		ID: id, Kind: rapid.SampledFrom([]ops.ChangeKind{ops.KindRelease, ops.KindPrice, ops.KindDrill}).Draw(t, "kind"), Service: rapid.SampledFrom([]string{"", "pay", "cart"}).Draw(t, "service"),
		Scope: aScope(t), Status: rapid.SampledFrom([]ops.ChangeStatus{ops.ChangePlanned, ops.ChangeStarted, ops.ChangePaused, ops.ChangeFinished}).Draw(t, "status"),
		StartedAt: ops.At(monday.Add(-time.Hour)), FinishedAt: ops.At(monday), UpdatedAt: ops.At(monday), Bake: ops.Duration(time.Hour),
		Verdict: rapid.SampledFrom([]ops.Verdict{"", ops.Baking, ops.Healthy}).Draw(t, "verdict"), Environment: rapid.SampledFrom([]string{"", "staging"}).Draw(t, "environment"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "stages") {
		st := ops.Stage{Scope: aScope(t), Verdict: rapid.SampledFrom([]ops.Verdict{"", ops.Baking, ops.Healthy}).Draw(t, "its verdict")}
		if rapid.Bool().Draw(t, "started") {
			st.StartedAt = x.StartedAt
		}
		if st.Verdict != "" {
			st.FinishedAt = x.FinishedAt
		}
		x.Stages = append(x.Stages, st)
	}
	return x
}

func TestTheFlightFindsWhatComparingAllWouldFind(t *testing.T) {
	c := catalog(t)
	rapid.Check(t, func(t *rapid.T) {
		f := changes.NewFlight(c)
		all := []ops.Change{}
		for i := range rapid.IntRange(1, 4).Draw(t, "changes") {
			x := inFlight(t, fmt.Sprint("CHG-", i+2))
			x.Stages, x.Environment = nil, ""
			f.Put(nil, &x)
			all = append(all, x)
		}
		ask := inFlight(t, "CHG-1")
		ask.Status, ask.StartedAt, ask.Stages, ask.Environment = ops.ChangePlanned, ops.Time{}, nil, ""
		state := changes.State{Catalog: c, Flight: f, Config: changes.Config{Collision: changes.Collision{Effect: ops.EffectWait}}}
		d := changes.Decide(changes.Request{Change: ask, Who: ci}, state, monday)
		var want, got []string
		for _, x := range all {
			if meets(c, x, ask) {
				want = append(want, "/changes/"+x.ID)
			}
		}
		for _, r := range d.Reasons {
			if r.Rule == "collision" {
				got = append(got, r.Evidence)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("found %v, want %v", got, want)
		}
	})
}

func meets(c *ops.Catalog, x, ask ops.Change) bool {
	if x.Kind == ops.KindDrill || (x.Status != ops.ChangeStarted && x.Status != ops.ChangePaused && x.Verdict != ops.Baking) {
		return false
	}
	goesIn := func(c ops.Change) bool {
		return c.Kind == ops.KindPrice || len(c.Scope.Store)+len(c.Scope.City)+len(c.Scope.Region) > 0
	}
	place := func(s ops.Scope) ops.Scope { return ops.Scope{Store: s.Store, City: s.City, Region: s.Region} }
	near := false
	for _, st := range c.Stores { // two places meet where there is a store in both
		here := ops.Scope{Store: []string{st.ID}, City: []string{st.City}, Region: []string{st.Region}}
		near = near || (place(x.Scope).Overlaps(here) && place(ask.Scope).Overlaps(here))
	}
	inStore := goesIn(x) && goesIn(ask) && near
	ofService := func(c ops.Change) bool { return c.Service != "" || len(c.Scope.Service) > 0 }
	inChain := ofService(x) && ofService(ask) && near // pay and cart call one another, and there are no others
	return inStore || inChain
}

package changes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goc/changes"
	"goc/ops"
)

// live runs a service inside a synctest bubble, whose clock is time.Now.
func live(t *testing.T, j *journal, config changes.Config) (s *changes.Service, stop func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s, err := changes.New(ctx, changes.Options{Config: config, Catalog: catalog(t), Journal: j})
	if err != nil {
		t.Fatal(err)
	}
	go s.Run(ctx)
	return s, stop
}

func TestABakeEndsWithAVerdict(t *testing.T) {
	for name, tt := range map[string]struct {
		fall float64
		want ops.Verdict
		gate string
	}{"nothing happens": {0, ops.Healthy, "allow"}, "the treated store fails": {0.2, ops.Unhealthy, "deny"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, ctx := newJournal(), context.Background()
				s, stop := live(t, j, changes.Config{})
				c, err := s.Record(ctx, ci, staged())
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range []string{"stage_started", "stage_finished"} {
					if _, err := s.Event(ctx, ci, c.ID, ops.ChangeEvent{Event: e, Stage: 1}); err != nil {
						t.Fatal(err)
					}
				}
				stop()
				s, _ = live(t, j, changes.Config{}) // a restart in the middle of a bake
				r := rand.New(rand.NewPCG(1, 1))
				for range 41 {
					time.Sleep(15 * time.Second)
					for i, store := range []string{"SH-1", "SH-2", "BJ-1"} {
						v := 0.99 + 0.01*r.Float64()
						if i == 0 {
							v -= tt.fall
						}
						s.ObserveSamples([]ops.Sample{{At: ops.At(time.Now()), Indicator: "success_ratio", Service: "pay", Store: store, Value: v}})
					}
				}
				got, err := s.Get(ctx, c.ID)
				if err != nil || got.Stages[0].Verdict != tt.want || len(got.Stages[0].Reasons) == 0 {
					t.Fatalf("%+v, %v", got.Stages[0], err)
				}
				d, err := s.Check(ctx, ci, ops.GateRequest{ChangeID: c.ID, Stage: 2})
				if err != nil || d.Decision != tt.gate {
					t.Errorf("the next stage: %+v, %v", d, err)
				}
				verdict := slices.IndexFunc(j.events, func(e ops.Event) bool { return e.Name == "change.verdict" })
				var data struct{ Text, Verdict string }
				if verdict < 0 || json.Unmarshal(j.events[verdict].Data, &data) != nil || data.Verdict != string(tt.want) || !strings.Contains(data.Text, "success_ratio of pay") {
					t.Errorf("the event: %+v of %v", data, j.names())
				}
			})
		})
	}
}

func TestAChangeWithoutStagesBakesAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, ctx := newJournal(), context.Background()
		s, _ := live(t, j, changes.Config{Bake: ops.Duration(time.Minute)})
		c, _ := s.Record(ctx, ci, ops.Change{Kind: ops.KindPrice, Title: "prices"})
		s.Event(ctx, ci, c.ID, ops.ChangeEvent{Event: "start"})
		c, err := s.Event(ctx, ci, c.ID, ops.ChangeEvent{Event: "finish"})
		if err != nil || c.Verdict != ops.Baking {
			t.Fatalf("%+v, %v", c, err)
		}
		time.Sleep(62 * time.Second)
		if c, _ = s.Get(ctx, c.ID); c.Verdict != ops.NoData || len(c.Reasons) != 1 {
			t.Errorf("nothing was seen, but: %+v", c)
		}
	})
}

func TestAFreezePausesWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, ctx := newJournal(), context.Background()
		s, stop := live(t, j, changes.Config{})
		ids := map[string]string{}
		for _, store := range []string{"SH-1", "BJ-1"} {
			c, _ := s.Record(ctx, ci, ops.Change{Kind: ops.KindRelease, Service: "pay", Scope: ops.Scope{Store: []string{store}}})
			s.Event(ctx, ci, c.ID, ops.ChangeEvent{Event: "start"})
			ids[store] = c.ID
		}
		begin := time.Now().Add(time.Minute)
		if _, err := s.AddFreeze(ctx, commander, ops.Freeze{
			Name: "sale", From: ops.At(begin), To: ops.At(begin.Add(time.Minute)),
			Scope: ops.Scope{City: []string{"Shanghai"}}, InFlight: "pause",
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(70 * time.Second)
		for store, want := range map[string]ops.ChangeStatus{"SH-1": ops.ChangePaused, "BJ-1": ops.ChangeStarted} {
			if c, _ := s.Get(ctx, ids[store]); c.Status != want {
				t.Errorf("%s is %s, want %s", store, c.Status, want)
			}
		}
		stop()
		live(t, j, changes.Config{}) // a restart does not tell again
		time.Sleep(2 * time.Minute)
		count := map[string]int{}
		for _, n := range j.names() {
			count[n]++
		}
		if count["freeze.closed"] != 1 || count["freeze.opened"] != 1 || count["change.paused"] != 1 {
			t.Errorf("told %v", count)
		}
	})
}

func TestOldLeavesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, ctx := newJournal(), context.Background()
		s, _ := live(t, j, changes.Config{})
		for i := range 5 {
			if _, err := s.Check(ctx, ci, ops.GateRequest{Change: &ops.Change{Kind: ops.KindFlag, Title: fmt.Sprint(i)}}); err != nil {
				t.Fatal(err)
			}
		}
		rows := func() (n int) {
			j.Load(ctx, "decision", func(ops.Record) error { n++; return nil })
			return n
		}
		if rows() != 5 {
			t.Fatalf("%d leaves on record", rows())
		}
		time.Sleep(80 * time.Hour)
		if rows() != 0 {
			t.Errorf("%d leaves still on record", rows())
		}
	})
}

package storage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"goc/ops"
	"goc/storage"
)

func effect(kind, key, lane, body string) ops.Effect {
	return ops.Effect{Kind: kind, Key: key, Lane: lane, Body: []byte(body), Created: noon}
}

// settle claims the effect and says what became of it.
func settle(t *testing.T, s *storage.Store, id int64, state, why string) {
	t.Helper()
	claimed, err := s.ClaimEffects(t.Context(), []int64{id})
	if err != nil || len(claimed) != 1 {
		t.Fatalf("claiming %d: %v, %v", id, claimed, err)
	}
	claimed[0].State, claimed[0].Error = state, why
	if err = s.SettleEffects(t.Context(), claimed...); err != nil {
		t.Fatal(err)
	}
}

// heads are the lane heads as "id body".
func heads(t *testing.T, s *storage.Store) (found []string) {
	t.Helper()
	effects, err := s.LaneHeads(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range effects {
		found = append(found, fmt.Sprint(e.ID, " ", string(e.Body)))
	}
	return found
}

func TestEffectsKeepTheirOrderWithinALane(t *testing.T) {
	onEach(t, func(t *testing.T, o storage.Options) {
		s := open(t, o)
		must(t, s.Append(ops.Mutation{Effects: []ops.Effect{
			effect("slack", "a", "INC-1", "one"), effect("slack", "b", "INC-1", "two"),
			effect("slack", "c", "INC-2", "three"), effect("slack", "", "", "four"), effect("slack", "", "", "five"),
		}}))
		same(t, "at first", heads(t, s), []string{"1 one", "3 three", "4 four", "5 five"})
		claimed, err := s.ClaimEffects(t.Context(), []int64{1, 4})
		if err != nil || len(claimed) != 2 || claimed[0].Attempts != 1 || claimed[0].State != storage.Running {
			t.Fatalf("%v, %v", claimed, err)
		}
		same(t, "while 1 and 4 run", heads(t, s), []string{"3 three", "5 five"})
		if again, err := s.ClaimEffects(t.Context(), []int64{1}); err != nil || len(again) != 0 {
			t.Errorf("an effect was claimed twice: %v, %v", again, err)
		}
		claimed[0].State, claimed[1].State = storage.Done, storage.Failed
		if err = s.SettleEffects(t.Context(), claimed...); err != nil {
			t.Fatal(err)
		}
		same(t, "after", heads(t, s), []string{"2 two", "3 three", "5 five"})
	})
}

func TestANewerEffectReplacesThePendingOneOfItsKindAndKey(t *testing.T) {
	onEach(t, func(t *testing.T, o storage.Options) {
		s := open(t, o)
		must(t, s.Append(ops.Mutation{Effects: []ops.Effect{effect("slack", "k", "l", "1"), effect("slack", "other", "l", "x")}}))
		must(t, s.Append(ops.Mutation{Effects: []ops.Effect{effect("slack", "k", "l", "2"), effect("webhook", "k", "m", "y"), effect("slack", "k", "l", "3")}}))
		same(t, "in place of the older", heads(t, s), []string{"1 3", "4 y"})

		later := ops.At(noon.Add(time.Hour))
		claimed, err := s.ClaimEffects(t.Context(), []int64{1})
		if err != nil || string(claimed[0].Body) != "3" {
			t.Fatalf("%v, %v", claimed, err)
		}
		must(t, s.Append(ops.Mutation{Effects: []ops.Effect{effect("slack", "k", "l", "4")}}))
		claimed[0].State, claimed[0].NotUntil, claimed[0].Error = storage.Pending, later, "slow down"
		if err = s.SettleEffects(t.Context(), claimed...); err != nil {
			t.Fatal(err)
		}
		open, err := s.Effects(t.Context(), storage.EffectQuery{Kind: "slack", State: storage.Pending})
		if err != nil || len(open) != 2 || string(open[0].Body) != "4" || !open[0].NotUntil.Equal(later.Time) || open[0].Attempts != 1 {
			t.Errorf("the one that failed while a newer waited must give it its backoff: %+v, %v", open, err)
		}
		must(t, s.Append(ops.Mutation{Effects: []ops.Effect{effect("slack", "k", "l", "5")}}))
		open, err = s.Effects(t.Context(), storage.EffectQuery{Kind: "slack", State: storage.Pending})
		if err != nil || len(open) != 2 || string(open[0].Body) != "5" || !open[0].NotUntil.Equal(later.Time) {
			t.Errorf("a newer one must not end the backoff: %+v, %v", open, err)
		}
	})
}

func TestWhatAReceiverSaidIsMadeStorable(t *testing.T) {
	onEach(t, func(t *testing.T, o storage.Options) {
		s := open(t, o)
		must(t, s.Append(ops.Mutation{Effects: []ops.Effect{effect("slack", "k", "l", "1")}}))
		settle(t, s, 1, storage.Failed, "bad\x00\xff"+strings.Repeat("世", 500))
		failed, err := s.Effects(t.Context(), storage.EffectQuery{State: storage.Failed})
		if err != nil || len(failed) != 1 || !strings.HasPrefix(failed[0].Error, "bad世") || len(failed[0].Error) > 1000 {
			t.Errorf("%v, %v", failed, err)
		}
	})
}

func TestEndedEffectsAreForgottenInTime(t *testing.T) {
	onEach(t, func(t *testing.T, o storage.Options) {
		o.Now = func() time.Time { return noon.Time }
		s := open(t, o)
		must(t, s.Append(ops.Mutation{Effects: []ops.Effect{effect("a", "1", "1", ""), effect("a", "2", "2", ""), effect("a", "3", "3", "")}}))
		settle(t, s, 1, storage.Done, "")
		settle(t, s, 2, storage.Failed, "")
		for _, c := range []struct {
			done, ended time.Duration
			left        int
		}{{0, 0, 3}, {time.Second, 0, 2}, {time.Second, time.Second, 1}} {
			if err := s.PruneEffects(t.Context(), noon.Add(c.done), noon.Add(c.ended)); err != nil {
				t.Fatal(err)
			}
			if left, err := s.Effects(t.Context(), storage.EffectQuery{}); err != nil || len(left) != c.left {
				t.Errorf("%+v: %v, %v", c, left, err)
			}
		}
	})
}

func TestCommittedEffectsWakeTheDispatcher(t *testing.T) {
	s := open(t, storage.Options{Dir: t.TempDir()})
	must(t, s.Append(ops.Mutation{Effects: []ops.Effect{effect("a", "1", "1", "")}}))
	must(t, s.Append(ops.Mutation{Effects: []ops.Effect{effect("a", "2", "2", "")}}))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	select {
	case <-s.EffectsCommitted():
	case <-ctx.Done():
		t.Error("nobody was woken")
	}
}

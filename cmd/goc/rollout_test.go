package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"goc/ops"
)

// rolloutYAML is a server with 20 stores in one city.
func rolloutYAML(t *testing.T) (config, listen string) {
	var stores []string
	for i := range 20 {
		stores = append(stores, fmt.Sprintf("{id: SH-%02d, city: 上海, region: east}", i))
	}
	return serveYAML(t, "metrics: {sample_interval: 1h}\nalertrules: {builtin: false}\ncatalog:\n  stores: ["+strings.Join(stores, ", ")+"]\n")
}

// march sends a rollout from ring to ring until the server no longer answers, and returns how many moves it acknowledged.
func march(p *process, id string, from int) (acked int) {
	for move := from; move < 2*20; move++ {
		event := []string{"stage_started", "stage_finished"}[move%2]
		if p.call("POST", "/api/v1/changes/"+id+"/events", map[string]any{"event": event, "stage": 1 + move/2}, nil) != 200 {
			return acked
		}
		acked++
	}
	return acked
}

// moves counts how far a change is: a ring that began is one, a ring that is out two.
func moves(ch ops.Change) (n int) {
	for _, st := range ch.Stages {
		if !st.StartedAt.IsZero() {
			n++
		}
		if !st.FinishedAt.IsZero() {
			n++
		}
	}
	return n
}

// A rollout of twenty rings whose server is killed at random moments is each time in the ring that was acknowledged, or one
// move further when the kill came before the answer; its rings name the same stores, and no ring is left out or done twice.
func TestARolloutGoesOnInTheRightRingAfterKill9(t *testing.T) {
	config, listen := rolloutYAML(t)
	p := serve(t, config, listen)
	stages := []map[string]any{}
	for i := range 20 {
		stages = append(stages, map[string]any{"share": float64(i+1) / 20, "scope": map[string]any{"city": []string{"上海"}}})
	}
	var first ops.Change
	if code := p.call("POST", "/api/v1/changes", map[string]any{"kind": "firmware", "title": "scale", "version": "4.2.1", "stages": stages}, &first); code != 201 {
		t.Fatalf("recording answered %d:\n%s", code, p.out)
	}
	rng, known, kills := rand.New(rand.NewPCG(3, 3)), 0, 0
	for ; known < 40 && kills < 30; kills++ {
		var ch ops.Change
		var acked int
		var wg sync.WaitGroup
		wg.Go(func() { acked = march(p, first.ID, known) })
		wait(time.Duration(1+rng.IntN(8)) * time.Millisecond)
		p.kill()
		wg.Wait()
		p = serve(t, config, listen)
		if code := p.call("GET", "/api/v1/changes/"+first.ID, nil, &ch); code != 200 {
			t.Fatalf("the change is gone: %d", code)
		}
		if got := moves(ch); got < known+acked || got > known+acked+1 {
			t.Fatalf("%d moves were acknowledged, and %d are on record", known+acked, got)
		}
		known = moves(ch)
		for i := range ch.Stages {
			if fmt.Sprint(ch.Stages[i].Scope) != fmt.Sprint(first.Stages[i].Scope) {
				t.Fatalf("ring %d names other stores than before: %v, %v", i+1, ch.Stages[i].Scope, first.Stages[i].Scope)
			}
		}
		if ring := known / 2; ring > 0 {
			if code := p.call("POST", "/api/v1/changes/"+first.ID+"/events", map[string]any{"event": "stage_started", "stage": ring}, nil); code != 409 {
				t.Fatalf("ring %d began again: %d", ring, code)
			}
		}
	}
	t.Logf("%d kills, %d moves", kills, known)
	if known < 40 {
		t.Errorf("the rollout did not come to its end: %d of 40 moves in %d kills", known, kills)
	}
}

// What was paused by an incident, and a ring that was rolled back, stay so over a kill.
func TestAPausedRolloutStaysPausedAfterKill9(t *testing.T) {
	config, listen := rolloutYAML(t)
	p := serve(t, config, listen)
	var ch ops.Change
	p.call("POST", "/api/v1/changes", map[string]any{"kind": "price", "title": "autumn", "scope": map[string]any{"city": []string{"上海"}}, "stages": []map[string]any{{"share": .2, "scope": map[string]any{}}, {"share": 1, "scope": map[string]any{}}}}, &ch)
	for _, e := range []map[string]any{{"event": "stage_started", "stage": 1}, {"event": "stage_finished", "stage": 1}, {"event": "stage_started", "stage": 2}, {"event": "rollback", "stage": 2, "note": "wrong prices"}} {
		if code := p.call("POST", "/api/v1/changes/"+ch.ID+"/events", e, nil); code != 200 {
			t.Fatalf("%v answered %d", e, code)
		}
	}
	p.kill()
	p = serve(t, config, listen)
	var m ops.RolloutMatrix
	if code := p.call("GET", "/api/v1/changes/"+ch.ID+"/matrix", nil, &m); code != 200 {
		t.Fatalf("the matrix answered %d", code)
	}
	if m.Status != ops.ChangePaused || m.Counts[ops.StoreDone] != 4 || m.Counts[ops.StoreRolledBack] != 16 {
		t.Errorf("it is %s with %v", m.Status, m.Counts)
	}
	var d ops.Decision
	if p.call("POST", "/api/v1/gate/check", map[string]any{"change_id": ch.ID}, &d); d.Decision == ops.EffectAllow {
		t.Errorf("the gate lets it go on: %+v", d)
	}
}

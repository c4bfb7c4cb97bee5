package web_test

import (
	"testing"
	"time"

	"goc/ops"
	"goc/web"
)

const release = `{"kind":"release","title":"pay 1.2.3","service":"pay"}`

func TestTheSameKeyAndBodyGiveTheSameAnswerOnce(t *testing.T) {
	w := newWorld(t)
	first := w.must(201, w.do(ops.CI, "POST", "/api/v1/changes", release, "Idempotency-Key", "k1"))
	again := w.must(201, w.do(ops.CI, "POST", "/api/v1/changes", release, "Idempotency-Key", "k1"))
	if string(first.body) != string(again.body) || again.Header.Get("Idempotent-Replayed") != "true" || first.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("first %s, again %s", first.body, again.body)
	}
	if first.Header.Get("Content-Type") != again.Header.Get("Content-Type") {
		t.Errorf("content types %q and %q", first.Header.Get("Content-Type"), again.Header.Get("Content-Type"))
	}
	if len(w.changes) != 1 {
		t.Errorf("%d changes were recorded", len(w.changes))
	}
	w.problem(409, w.do(ops.CI, "POST", "/api/v1/changes", `{"kind":"release","title":"other"}`, "Idempotency-Key", "k1"))
	w.must(201, w.do(ops.Responder, "POST", "/api/v1/changes", release, "Idempotency-Key", "k1")) // somebody else's key
	w.must(200, w.do(ops.CI, "POST", "/api/v1/gate/check", release, "Idempotency-Key", "k1"))     // another path
	if len(w.changes) != 2 {
		t.Errorf("%d changes were recorded", len(w.changes))
	}
}

func TestARefusalIsTheSameAgainToo(t *testing.T) {
	w := newWorld(t)
	const bad = `{"titel":"x"}`
	first := w.problem(422, w.do(ops.CI, "POST", "/api/v1/changes", bad, "Idempotency-Key", "k"))
	again := w.do(ops.CI, "POST", "/api/v1/changes", bad, "Idempotency-Key", "k")
	if w.problem(422, again)["detail"] != first["detail"] || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("again: %s", again.body)
	}
}

func TestAKeyOutlivesARestartAndEndsAfterADay(t *testing.T) {
	clock := start
	now := func(o *web.Options) { o.Now = func() time.Time { return clock } }
	w := newWorld(t, now)
	w.must(201, w.do(ops.CI, "POST", "/api/v1/changes", release, "Idempotency-Key", "k"))
	restarted, err := web.New(options(t, now, func(o *web.Options) { o.Journal = w.j; o.Changes = changeRoom{w.rooms} }))
	if err != nil {
		t.Fatal(err)
	}
	w.http.Config.Handler = restarted.Handler()
	clock = clock.Add(23 * time.Hour)
	if a := w.must(201, w.do(ops.CI, "POST", "/api/v1/changes", release, "Idempotency-Key", "k")); a.Header.Get("Idempotent-Replayed") != "true" {
		t.Error("a restart forgot the key")
	}
	clock = clock.Add(time.Hour)
	if a := w.must(201, w.do(ops.CI, "POST", "/api/v1/changes", release, "Idempotency-Key", "k")); a.Header.Get("Idempotent-Replayed") != "" {
		t.Error("the key is still known after a day")
	}
}

func TestASecondRequestWhileTheFirstRunsIsToldToWait(t *testing.T) {
	w := newWorld(t)
	w.rooms.slow, w.rooms.entered = make(chan struct{}), make(chan struct{})
	first := make(chan answer, 1)
	go func() { first <- w.do(ops.CI, "POST", "/api/v1/changes", release, "Idempotency-Key", "k") }()
	<-w.rooms.entered
	w.problem(409, w.do(ops.CI, "POST", "/api/v1/changes", `{"kind":"release"}`, "Idempotency-Key", "k"))
	if p := w.problem(409, w.do(ops.CI, "POST", "/api/v1/changes", release, "Idempotency-Key", "k")); p["hint"] != "ask again in a second" {
		t.Errorf("%v", p)
	}
	close(w.rooms.slow)
	w.must(201, <-first)
}

func TestAKeyWhoseWorkPanickedIsNotRunAgain(t *testing.T) {
	w := newWorld(t)
	w.rooms.panics = true
	w.problem(500, w.do(ops.Responder, "POST", "/api/v1/incidents/INC-1/acknowledge", "", "Idempotency-Key", "k"))
	w.rooms.panics = false
	w.put(ops.Incident{ID: "INC-1"})
	p := w.problem(409, w.do(ops.Responder, "POST", "/api/v1/incidents/INC-1/acknowledge", "", "Idempotency-Key", "k"))
	if p["hint"] == "" || p["hint"] == nil {
		t.Errorf("no hint: %v", p)
	}
}

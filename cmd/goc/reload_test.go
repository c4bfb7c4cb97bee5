package main

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"goc/ops"
)

// rewrite changes a configuration file.
func rewrite(t *testing.T, path, old, new string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %q", path, old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

const reloadYAML = quietYAML + `
catalog: {stores: [{id: A-1, city: Alpha}]}
gate: {retry: 30s}
plans: {plans: [{name: p1, title: one, steps: [{name: s, http: {url: "http://127.0.0.1:1/"}}]}]}
`

func TestReloadTakesWhatItCanAndRefusesWhatTakesARestart(t *testing.T) {
	config, listen := serveYAML(t, reloadYAML)
	p := serve(t, config, listen)
	reload := func() (int, string) { return p.post("/-/reload", http.NoBody) }
	plan := func(name string) int { return p.call("GET", "/api/v1/plans/"+name, nil, nil) }
	p.call("POST", "/api/v1/freezes", map[string]any{"name": "fair", "scope": map[string]any{"city": []string{"Beta"}}, "from": time.Now().Add(-time.Hour), "to": time.Now().Add(time.Hour)}, nil)
	decision := func() string {
		var d ops.Decision
		p.call("POST", "/api/v1/gate/check", map[string]any{"kind": "config", "title": "x", "scope": map[string]any{"store": []string{"A-1"}}}, &d)
		return d.Decision
	}
	if d := decision(); d != "allow" {
		t.Fatalf("another city's freeze: %s", d)
	}

	rewrite(t, config, "name: p1", "name: p2")
	rewrite(t, config, "city: Alpha", "city: Beta")
	rewrite(t, config, "retry: 30s", "error_budget: {period: 7d}")
	if code, text := reload(); code != 422 || !strings.Contains(text, "gate.error_budget.period") || !strings.Contains(text, "restart") {
		t.Errorf("a reload with another period got %d %s; it should say that this takes a restart", code, text)
	}
	if plan("p1") != 200 || plan("p2") != 404 || decision() != "allow" {
		t.Error("a reload that was refused took something")
	}
	rewrite(t, config, "error_budget: {period: 7d}", "retry: 30s")
	if code, text := reload(); code != 200 {
		t.Fatalf("a good reload got %d %s", code, text)
	}
	if plan("p1") != 404 || plan("p2") != 200 {
		t.Error("the new plans are not in force")
	}
	if d := decision(); d == "allow" {
		t.Error("the gate does not know that the store is in another city now")
	}
	rewrite(t, config, "plans:", "planz:")
	if code, text := reload(); code != 422 || !strings.Contains(text, "planz") || plan("p2") != 200 {
		t.Errorf("a misspelt key got %d %s", code, text)
	}
	rewrite(t, config, "planz:", "plans:")
}

func TestReloadsUnderLoadFailNoRequest(t *testing.T) {
	config, listen := serveYAML(t, reloadYAML)
	p := serve(t, config, listen)
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if p.call("POST", "/api/v1/gate/check", map[string]any{"kind": "config", "title": "x", "scope": map[string]any{"city": []string{"Alpha"}}}, nil) != 200 ||
					p.call("POST", "/api/v2/alerts", `[{"labels":{"alertname":"A","store":"A-1"}}]`, nil) != 200 || p.call("GET", "/api/v1/situation", nil, nil) != 200 {
					t.Error("a request failed during a reload")
					return
				}
			}
		})
	}
	for range 10 {
		if code, text := p.post("/-/reload", http.NoBody); code != 200 {
			t.Errorf("reload got %d %s", code, text)
		}
		p.cmd.Process.Signal(syscall.SIGHUP)
	}
	close(stop)
	load.Wait()
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("SIGTERM ended it with exit code %d:\n%s", code, p.out)
	}
}

func TestALoopThatDoesNotEndCannotKeepTheProgramFromStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		a := &app{ended: ctx.Done(), cancel: cancel, failure: make(chan error, 1)}
		never := make(chan struct{})
		a.loops.Go(func() { <-never })
		cancel()
		if err := a.wait(); err == nil || !strings.Contains(err.Error(), "did not end") {
			t.Errorf("got %v, want that a loop did not end", err)
		}
		close(never)
	})
}

func TestAReloadPutsTheGatesRulesInForceOrLeavesTheOldOnes(t *testing.T) {
	config, listen := serveYAML(t, reloadYAML)
	p := serve(t, config, listen)
	reload := func() (int, string) { return p.post("/-/reload", http.NoBody) }
	rule := func() string {
		var d ops.Decision
		p.call("POST", "/api/v1/gate/check", map[string]any{"kind": "flag", "title": "x", "risk": "low"}, &d)
		for _, r := range d.Reasons {
			if r.Effect != ops.EffectAllow {
				return r.Rule
			}
		}
		return d.Decision
	}
	if got := rule(); got != "allow" {
		t.Fatalf("before: %s", got)
	}
	flags := `policies: [{name: no-flags, expr: 'change.kind == "flag"'}]`
	rewrite(t, config, "gate: {retry: 30s}", "gate: {"+flags+"}")
	if code, text := reload(); code != 200 || rule() != "policy:no-flags" {
		t.Errorf("a new policy: %d %s, then %s", code, text, rule())
	}
	rewrite(t, config, `change.kind == "flag"`, `change.kidn == "flag"`)
	if code, text := reload(); code != 422 || !strings.Contains(text, "gate.policies[0].expr") || rule() != "policy:no-flags" {
		t.Errorf("a misspelt field: %d %s, then %s", code, text, rule())
	}
	rewrite(t, config, `{name: no-flags, expr: 'change.kidn == "flag"'}`, "")
	rewrite(t, config, "policies: []", "approvals: {low: 1}")
	if code, text := reload(); code != 200 || rule() != "approval" {
		t.Errorf("approvals in place of the policy: %d %s, then %s", code, text, rule())
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"goc/ops"
)

func TestAGateThatIsBackBeforeThePatienceIsOverDecides(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"decision":"deny","decision_id":"DEC-1","reasons":[]}`)
	}))
	defer srv.Close()
	var out, errs bytes.Buffer
	args := []string{"gate", "check", "--service", "cart", "--on-unavailable", "allow", "--retry-for", "1m", "--server", srv.URL}
	if code := run(t.Context(), args, &out, &errs); code != exitFailed || asked.Load() != 2 {
		t.Errorf("exit code %d after %d questions: %s", code, asked.Load(), &errs)
	}
	if strings.Count(errs.String(), "the gate does not answer") != 1 || strings.Contains(errs.String(), "WITHOUT A DECISION") {
		t.Errorf("says %s", &errs)
	}
}

func TestARollbackGoesOnWhateverTheServerSays(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusOK} {
		code, _, stderr := runCLI(t, status, `<html>`, "gate", "check", "--change", "CHG-1", "--rollback", "--on-unavailable", "deny", "--retry-for", "0s")
		if code != exitOK || !strings.Contains(stderr, "a rollback is never held back") {
			t.Errorf("%d: exit code %d: %s", status, code, stderr)
		}
		if code, _, _ := runCLI(t, status, `<html>`, "gate", "check", "--change", "CHG-1", "--on-unavailable", "deny", "--retry-for", "0s"); code == exitOK {
			t.Errorf("%d: a release goes on", status)
		}
	}
}

func TestReasonsCannotWriteOutputsOfTheirOwn(t *testing.T) {
	d := ops.Decision{Decision: "allow\ndecision=deny", DecisionID: "DEC-1\nGOC_DECISION=deny", Reasons: []ops.Reason{{
		Rule: "freeze", Effect: "deny", Message: "x\nreasons\nEOF\ndecision=deny\n::error::| <img src=x> @all",
	}}}
	for name, text := range map[string]string{"GITHUB_OUTPUT": githubOutput(d, nil), "dotenv": dotenv(d, nil)} {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "decision=deny") || strings.HasPrefix(line, "GOC_DECISION=deny") || strings.HasPrefix(line, "::") || strings.TrimSpace(line) == "EOF" {
				t.Errorf("%s has a line of the message's: %s", name, line)
			}
		}
	}
	a := &asking{c: &client{Server: "goc"}, body: map[string]any{}}
	if page := a.summary(d, nil); strings.Contains(page, "<img") || strings.Contains(page, "@all") || strings.Contains(page, "\n::") {
		t.Errorf("the summary has what the message says: %s", page)
	}
	d.Reasons[0].Message = strings.Repeat("长", 5000)
	if n := len(dotenv(d, nil)); n > 5<<10 {
		t.Errorf("a dotenv report of %d bytes is more than GitLab takes", n)
	}
}

func TestWhatTheGateMissedIsToldOnceAndKeptUntilItIs(t *testing.T) {
	dir := t.TempDir()
	cache := filepath.Join(dir, "cache")
	status, keys, bodies := http.StatusServiceUnavailable, []string{}, []ops.GateAbsence{}

	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/gate/unavailable" {
			fmt.Fprint(w, `{"decision":"allow","decision_id":"DEC-1","reasons":[]}`)
			return
		}
		var a ops.GateAbsence
		if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
			t.Error(err)
		}
		keys, bodies = append(keys, r.Header.Get("Idempotency-Key")), append(bodies, a)
		w.WriteHeader(status)
		fmt.Fprint(w, `{}`)
	}))
	defer up.Close()
	ask := func(service string) string {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"gate", "check", "--service", service, "--environment", "staging", "--retry-for", "0s", "--cache-dir", cache, "--server", up.URL}, &out, &errs); code != exitOK {
			t.Fatalf("exit code %d: %s", code, &errs)
		}
		return errs.String()
	}
	// As an outage would leave it: a question to the same server that nobody answered.
	c := &client{Server: up.URL}
	a := &asking{question: question{changeFlags: changeFlags{Environment: "staging"}}, c: c, s: streams{&bytes.Buffer{}, &bytes.Buffer{}}, body: map[string]any{"service": "cart"}, memory: memory{dir: cache, server: c.base()}}
	if err := a.withoutGate(fmt.Errorf("no route to host")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it is not ready to be told
		if said := ask("cart"); strings.Contains(said, "was told") {
			t.Errorf("says %s", said)
		}
	}
	status = http.StatusCreated
	if said := ask("cart"); !strings.Contains(said, "was told of 1 questions") {
		t.Errorf("says %s", said)
	}
	ask("cart")
	if len(keys) != 3 || keys[0] == "" || keys[0] != keys[2] || bodies[2].Decision != "allow" || bodies[2].Cause != "no route to host" || bodies[2].Service != "cart" {
		t.Errorf("told %v %+v", keys, bodies)
	}
	if err := a.withoutGate(fmt.Errorf("no route to host")); err != nil {
		t.Fatal(err)
	}
	status = http.StatusUnprocessableEntity
	if said := ask("cart"); !strings.Contains(said, "does not take the record") || !strings.Contains(said, "no route to host") {
		t.Errorf("a refused record is dropped in silence: %s", said)
	}
	if left, _ := os.ReadDir(cache); len(left) != 0 {
		t.Errorf("still kept: %v", left)
	}
}

package web_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"goc/ops"
	"goc/web"
)

func TestWhatIsWrongIsSaidAsAProblem(t *testing.T) {
	w := newWorld(t)
	deep := strings.Repeat("[", 20_000)
	for _, c := range []struct {
		name         string
		role         ops.Role
		method, path string
		body         string
		status       int
		location     string // of the first error, "" for none
		says         string // part of the detail
	}{
		{"malformed JSON says line and column", ops.CI, "POST", "/api/v1/changes", "{\n  \"kind\": releas\n}", 400, "body", "line 2, column 11"},
		{"JSON that ends too early says where", ops.CI, "POST", "/api/v1/gate/check", `{"kind":`, 400, "body", "malformed JSON"},
		{"two documents are one too many", ops.CI, "POST", "/api/v1/gate/check", `{"kind":"release"} {}`, 400, "body", "malformed JSON"},
		{"a body of nothing but brackets", ops.CI, "POST", "/api/v1/changes", deep, 400, "body", "malformed JSON"},
		{"an unknown field is named", ops.CI, "POST", "/api/v1/changes", `{"kind":"release","titel":"secret-value"}`, 422, "body.titel", "no such field"},
		{"an unknown field deep inside is named with its place", ops.CI, "POST", "/api/v1/changes", `{"kind":"release","stages":[{"scope":{"stores":["secret-value"]}}]}`, 422, "body.stages[0].scope.stores", "no such field"},
		{"an unknown field of a plain route is named", ops.CI, "POST", "/api/v1/gate/check", `{"change_id":"CHG-1","stag":2}`, 422, "body.stag", "no such field"},
		{"a wrong type says what was expected", ops.CI, "POST", "/api/v1/changes", `{"title":17}`, 422, "body.title", "expected string"},
		{"a time that is none says what one is", ops.CI, "POST", "/api/v1/changes/CHG-1/events", `{"event":"start","at":"secret-value"}`, 422, "body.at", "RFC 3339"},
		{"a duration that is none says what one is", ops.CI, "POST", "/api/v1/changes", `{"title":"x","bake":"secret-value"}`, 422, "body.bake", "a duration like"},
		{"a value out of a list says the list", ops.Commander, "POST", "/api/v1/incidents/INC-1/severity", `{"severity":"secret-value"}`, 422, "body.severity", "P1"},
		{"a room's refusal keeps its place", ops.Responder, "POST", "/api/v1/incidents", `{"title":""}`, 422, "body.title", "must not be empty"},
		{"a state that does not allow it", ops.Responder, "POST", "/api/v1/incidents/INC-1/resolve", "", 409, "", "still firing"},
		{"a missing body", ops.Responder, "POST", "/api/v1/incidents", "", 400, "", "body"},
		{"another content type", ops.Responder, "POST", "/api/v1/incidents", "<x/>", 415, "", "JSON"},
		{"no token", "", "GET", "/api/v1/incidents", "", 401, "", "token"},
		{"the wrong role", ops.Viewer, "POST", "/api/v1/tokens", `{"name":"me","role":"admin"}`, 403, "", "viewer"},
		{"an unknown path", ops.Admin, "GET", "/api/v1/incidnets", "", 404, "", "no such path"},
		{"an unknown path beside the native ones", ops.Admin, "GET", "/hooks/nobody", "", 404, "", "no such path"},
		{"an unknown id", ops.Viewer, "GET", "/api/v1/incidents/INC-404", "", 404, "", "no such incident"},
		{"the wrong method", ops.Admin, "DELETE", "/api/v1/incidents", "", 405, "", "DELETE"},
		{"a cursor that is none", ops.Viewer, "GET", "/api/v1/plans?cursor=secret-value", "", 422, "query.cursor", "cursor"},
		{"a limit that is none", ops.Viewer, "GET", "/api/v1/incidents?limit=secret-value", "", 422, "query.limit", ""},
		{"a since that is neither", ops.Viewer, "GET", "/api/v1/audit?since=secret-value", "", 422, "query.since", "sequence number or a time"},
		{"a calendar that ends before it begins", ops.Viewer, "GET", "/api/v1/freezes/calendar?from=2026-11-20T00:00:00Z&to=2026-11-19T00:00:00Z", "", 422, "query.to", "after from"},
		{"what is still to come", ops.Commander, "POST", "/api/v1/oncall/schedules", "", 501, "", "over the API yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var header []string
			if c.body == "<x/>" {
				header = []string{"Content-Type", "application/xml"}
			}
			a := w.do(c.role, c.method, c.path, c.body, header...)
			p := w.problem(c.status, a)
			if !strings.Contains(p["detail"].(string), c.says) {
				t.Errorf("detail %q does not say %q", p["detail"], c.says)
			}
			location := ""
			if errs, ok := p["errors"].([]any); ok {
				location = errs[0].(map[string]any)["location"].(string)
			}
			if location != c.location {
				t.Errorf("location %q, want %q", location, c.location)
			}
			if bytes.Contains(a.body, []byte("secret-value")) {
				t.Errorf("the rejected value is echoed: %s", a.body)
			}
		})
	}
}

// endless is a body that would never end; it counts what was taken of it.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	read := e.read.Add(int64(len(p)))
	for i := range p {
		p[i] = ' '
	}
	if read > 100<<20 {
		return 0, io.EOF
	}
	return len(p), nil
}

func TestAHundredMegabytesAreRefusedWithoutReadingThem(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/api/v1/changes", "/api/v1/gate/check", "/api/v1/voice", "/api/v1/heartbeats", "/api/v2/alerts"} {
		for name, length := range map[string]int64{"with its length": 100 << 20, "in chunks": -1} {
			if length < 0 && (path == "/api/v1/heartbeats" || path == "/api/v2/alerts") {
				continue // the room's own decoder meets the end of the bounded body
			}
			t.Run(path+" "+name, func(t *testing.T) {
				body := &endless{}
				req, err := http.NewRequestWithContext(context.Background(), "POST", w.http.URL+path, body)
				if err != nil {
					t.Fatal(err)
				}
				req.ContentLength = length
				req.Header.Set("Authorization", "Bearer "+w.tokens[ops.Admin])
				req.Header.Set("Content-Type", "application/json")
				res, err := w.http.Client().Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				b, _ := io.ReadAll(res.Body)
				w.problem(413, answer{res, b})
				if body.read.Load() > 20<<20 {
					t.Errorf("%d MB were taken", body.read.Load()>>20)
				}
			})
		}
	}
}

func TestAPanicIsAnswered500WithAnIDThatIsLogged(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t, func(o *web.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	w.rooms.panics = true
	p := w.problem(500, w.do(ops.Viewer, "GET", "/api/v1/incidents/INC-1", ""))
	id := strings.TrimPrefix(p["instance"].(string), "urn:goc:error:")
	if id == "" || !strings.Contains(log.String(), id) || !strings.Contains(log.String(), "out of coffee") {
		t.Errorf("instance %q; log: %s", p["instance"], log.String())
	}
	if strings.Contains(p["detail"].(string), "coffee") {
		t.Error("the answer says what panicked")
	}
	w.rooms.panics = false
	w.problem(404, w.do(ops.Viewer, "GET", "/api/v1/incidents/INC-1", ""))
}

func TestWhenTheJournalStopsNothingIsAnsweredButWhy(t *testing.T) {
	w := newWorld(t, func(o *web.Options) { o.Ready = func() []string { return []string{"rules are loading"} } })
	p := w.problem(503, w.do("", "GET", "/readyz", ""))
	if !strings.Contains(p["detail"].(string), "rules are loading") {
		t.Errorf("readyz: %v", p)
	}
	w.j.stop(errors.New("disk full"))
	w.problem(503, w.do(ops.Viewer, "GET", "/api/v1/incidents", ""))
	w.problem(503, w.do(ops.Sender, "POST", "/api/v2/alerts", "[]"))
	p = w.problem(503, w.do("", "GET", "/readyz", ""))
	if !strings.Contains(p["detail"].(string), "disk full") {
		t.Errorf("readyz: %v", p)
	}
	w.must(200, w.do("", "GET", "/healthz", ""))
}

func TestReloadSaysWhyAConfigurationWasNotTaken(t *testing.T) {
	var bad error
	w := newWorld(t, func(o *web.Options) { o.Reload = func(context.Context) error { return bad } })
	w.must(200, w.do(ops.Admin, "POST", "/-/reload", ""))
	bad = errors.New("goc.yaml:3: unknown key lisen")
	p := w.problem(422, w.do(ops.Admin, "POST", "/-/reload", ""))
	if !strings.Contains(p["detail"].(string), "goc.yaml:3") {
		t.Errorf("%v", p)
	}
	w.problem(403, w.do(ops.Commander, "POST", "/-/reload", ""))
}

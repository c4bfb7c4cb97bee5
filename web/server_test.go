package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"goc/ops"
	"goc/web"
)

var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// world is a server on a real socket with rooms made by hand.
type world struct {
	*rooms
	t      testing.TB
	server *web.Server
	http   *httptest.Server
	tokens map[ops.Role]string
}

// options are those of a server with rooms made by hand.
func options(t testing.TB, change ...func(*web.Options)) web.Options {
	t.Helper()
	j := newJournal()
	r := newRooms(j)
	catalog := &ops.Catalog{
		Services: []ops.Service{{Name: "pay", Tier: "T0", Core: true}, {Name: "cart", Tier: "T1"}},
		Stores:   []ops.Store{{ID: "SH-001", City: "Shanghai", Region: "east"}, {ID: "BJ-001", City: "Beijing", Hours: "08:00-22:00", Timezone: "Asia/Shanghai"}},
	}
	if err := catalog.Index(); err != nil {
		t.Fatal(err)
	}
	accept := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	o := web.Options{
		Incidents: incidentRoom{r}, Changes: changeRoom{r}, Fleet: fleetRoom{r}, Voice: voiceRoom{r}, Plans: planRoom{r}, Drills: drillRoom{r},
		Journal: j, Catalog: func() *ops.Catalog { return catalog }, Version: "test",
		Heartbeats: accept, Metrics: accept,
		Mounts: []web.Mount{
			{Pattern: "POST /api/v2/alerts", Roles: []ops.Role{ops.Sender}, Summary: "Alerts as Alertmanager takes them", Handler: http.HandlerFunc(echoPrincipal)},
			{Pattern: "POST /hooks/github", Public: true, Summary: "GitHub's webhooks", Handler: http.HandlerFunc(echoPrincipal)},
			{Pattern: "/prometheus/api/v1/", Roles: []ops.Role{ops.Viewer}, Summary: "PromQL", Handler: http.HandlerFunc(echoPrincipal)},
		},
		UI: fstest.MapFS{
			"index.html":    {Data: []byte("<!doctype html><title>GOC</title>")},
			"assets/app.js": {Data: []byte(strings.Repeat("export const x = 1;\n", 200))},
		},
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

// newWorld starts a server. change may alter its options.
func newWorld(t testing.TB, change ...func(*web.Options)) *world {
	t.Helper()
	o := options(t, change...)
	s, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{rooms: o.Incidents.(incidentRoom).rooms, t: t, server: s, tokens: map[ops.Role]string{}}
	if !o.Config.Anonymous {
		w.bootstrap()
	}
	w.http = httptest.NewServer(s.Handler())
	t.Cleanup(w.http.Close)
	return w
}

func echoPrincipal(w http.ResponseWriter, r *http.Request) {
	p, _ := ops.PrincipalFrom(r.Context())
	_, _ = io.Copy(io.Discard, r.Body)
	_, _ = w.Write([]byte(string(p.Role)))
}

// bootstrap makes a token of each role.
func (w *world) bootstrap() {
	w.t.Helper()
	for _, role := range ops.Roles {
		w.tokens[role] = w.server.Mint(w.t, string(role), role)
	}
}

// answer is a response, read.
type answer struct {
	*http.Response
	body []byte
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(a.body, &out); err != nil {
		t.Fatalf("not JSON: %v: %s", err, a.body)
	}
	return out
}

// do asks as a role; header is name, value, name, value.
func (w *world) do(role ops.Role, method, path, body string, header ...string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, w.http.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if t := w.tokens[role]; t != "" {
		req.Header.Set("Authorization", "Bearer "+t)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := w.http.Client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{res, b}
}

// must fails the test unless the status is as wanted.
func (w *world) must(status int, a answer) answer {
	w.t.Helper()
	if a.StatusCode != status {
		w.t.Fatalf("%s %s: status %d, want %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, bytes.TrimSpace(a.body))
	}
	return a
}

// problem checks that the answer is a problem of a status and returns it.
func (w *world) problem(status int, a answer) map[string]any {
	w.t.Helper()
	w.must(status, a)
	if ct := a.Header.Get("Content-Type"); ct != "application/problem+json" {
		w.t.Errorf("%s %s: content type %q, want a problem", a.Request.Method, a.Request.URL.Path, ct)
	}
	p := a.json(w.t)
	if p["status"] != float64(status) || p["title"] == "" || p["detail"] == "" {
		w.t.Errorf("%s %s: the problem lacks a part: %s", a.Request.Method, a.Request.URL.Path, a.body)
	}
	return p
}

func TestIncidentsAreDeclaredReadAndMoved(t *testing.T) {
	w := newWorld(t)
	made := w.must(201, w.do(ops.Responder, "POST", "/api/v1/incidents", `{"title":"tills are down","severity":"P1","scope":{"store":["SH-001"]},"onset_at":1795000000}`))
	if got := made.json(t); got["id"] != "INC-1" || got["onset_at"] != "2026-11-18T11:06:40.000Z" {
		t.Errorf("declared: %s", made.body)
	}
	if _, schema := made.json(t)["$schema"]; schema {
		t.Error("the body has $schema")
	}
	got := w.must(200, w.do(ops.Viewer, "GET", "/api/v1/incidents/INC-1", ""))
	if got.json(t)["title"] != "tills are down" {
		t.Errorf("read: %s", got.body)
	}
	w.must(200, w.do(ops.Responder, "POST", "/api/v1/incidents/INC-1/acknowledge", ""))
	w.must(200, w.do(ops.Responder, "POST", "/api/v1/incidents/INC-1/notes", `{"text":"looking"}`))
	w.must(200, w.do(ops.Commander, "POST", "/api/v1/incidents/INC-1/severity", `{"severity":"P2"}`))
	list := w.must(200, w.do(ops.Viewer, "GET", "/api/v1/incidents?state=active", ""))
	if items := list.json(t)["items"].([]any); len(items) != 1 || items[0].(map[string]any)["state"] != "acknowledged" {
		t.Errorf("listed: %s", list.body)
	}
	page := w.must(200, w.do(ops.Viewer, "GET", "/api/v1/incidents/INC-1/timeline?limit=1", "")).json(t)
	if page["next"] != "1" || len(page["items"].([]any)) != 1 {
		t.Errorf("a page of the timeline: %v", page)
	}
	report := w.must(200, w.do(ops.Viewer, "GET", "/api/v1/incidents/INC-1/report", ""))
	if !strings.HasPrefix(report.Header.Get("Content-Type"), "text/markdown") || string(report.body) != "# Report\n" {
		t.Errorf("report: %q %s", report.Header.Get("Content-Type"), report.body)
	}
}

func TestTheGateTakesAChangeOrAnIDAndStrictAnswersByStatus(t *testing.T) {
	w := newWorld(t)
	w.must(200, w.do(ops.CI, "POST", "/api/v1/gate/check", `{"change_id":"CHG-1","stage":2,"rollback":true}`))
	if w.asked.ChangeID != "CHG-1" || w.asked.Stage != 2 || !w.asked.Rollback || w.asked.Change != nil {
		t.Errorf("by id: %+v", w.asked)
	}
	w.must(200, w.do(ops.CI, "POST", "/api/v1/gate/check", `{"kind":"release","service":"pay","bake":"10m","rollback":"plan rollback"}`))
	if w.asked.Change == nil || w.asked.Change.Service != "pay" || w.asked.Change.Rollback != "plan rollback" {
		t.Errorf("a whole change: %+v", w.asked)
	}
	for decision, status := range map[string]int{"allow": 200, "deny": 403, "wait": 425} {
		w.decision = decision
		a := w.must(status, w.do(ops.CI, "POST", "/api/v1/gate/check?strict=1", `{"kind":"release","service":"pay"}`))
		if a.json(t)["decision"] != decision {
			t.Errorf("strict: %s", a.body)
		}
		w.must(200, w.do(ops.CI, "POST", "/api/v1/gate/check", `{"kind":"release","service":"pay"}`))
	}
}

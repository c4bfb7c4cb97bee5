package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"goc/ops"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// room stands for the rooms of incidents and changes: what they promise, and no more.
type room struct {
	mu       sync.Mutex
	now      func() time.Time
	firing   map[string]ops.IncidentAlert
	silences map[string]ops.Silence
	changes  []ops.Change
	freezes  []ops.Freeze
	frozen   int
	events   []string
	by       []string // who recorded each change
	refuse   string   // the name of an alert that is refused
	fail     error
}

func newRoom(now func() time.Time) *room {
	return &room{now: now, firing: map[string]ops.IncidentAlert{}, silences: map[string]ops.Silence{}}
}

func (m *room) ReceiveAlerts(_ context.Context, source string, alerts []ops.Alert) (rejected []ops.Rejected, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, a := range alerts {
		switch {
		case m.fail != nil:
			return nil, m.fail
		case a.Name() == m.refuse && m.refuse != "":
			rejected = append(rejected, ops.Rejected{Index: i, Reason: "refused by the room"})
		case a.Status == ops.Firing:
			a.Source = source
			m.firing[a.Fingerprint] = ops.IncidentAlert{Alert: a, Silenced: m.hiddenBy(a)}
		default:
			delete(m.firing, a.Fingerprint)
		}
	}
	return rejected, nil
}

func (m *room) hiddenBy(a ops.Alert) string {
	for _, s := range m.silences {
		if !s.Active(m.now()) {
			continue
		}
		var tests []test
		for _, sm := range s.Matchers {
			t, _ := compile(sm)
			tests = append(tests, t)
		}
		if allHold(tests, a.Labels) {
			return s.ID
		}
	}
	return ""
}

func (m *room) Alerts(context.Context) ([]ops.IncidentAlert, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []ops.IncidentAlert
	for _, a := range m.firing {
		a.Silenced = m.hiddenBy(a.Alert)
		out = append(out, a)
	}
	return out, m.fail
}

func (m *room) Silences(context.Context) ([]ops.Silence, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.silences)), nil
}

func (m *room) PutSilence(_ context.Context, _ ops.Principal, s ops.Silence) (ops.Silence, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.ID == "" {
		s.ID = fmt.Sprintf("00000000-0000-4000-8000-%012d", len(m.silences)+1)
	}
	s.UpdatedAt = ops.At(m.now())
	m.silences[s.ID] = s
	return s, nil
}

func (m *room) ExpireSilence(_ context.Context, _ ops.Principal, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.silences[id]
	if !ok {
		return ops.Errorf(ops.NotFound, "no such silence")
	}
	s.EndsAt = ops.At(m.now())
	m.silences[id] = s
	return nil
}

func (m *room) List(_ context.Context, q ops.ChangeQuery) (out ops.List[ops.Change], err error) {
	for _, c := range slices.Backward(m.changes) {
		if q.Service == "" || c.Service == q.Service {
			out.Items = append(out.Items, c)
		}
	}
	return out, nil
}

func (m *room) Record(_ context.Context, who ops.Principal, c ops.Change) (ops.Change, error) {
	for _, known := range m.changes {
		if ext := c.Labels["external_id"]; ext != "" && known.Source == c.Source && known.Labels["external_id"] == ext {
			return known, nil
		}
	}
	c.ID, c.Status = fmt.Sprint("CHG-", len(m.changes)+1), ops.ChangePlanned
	m.changes, m.by = append(m.changes, c), append(m.by, who.Name)
	return c, nil
}

func (m *room) Event(_ context.Context, _ ops.Principal, id string, e ops.ChangeEvent) (ops.Change, error) {
	for i := range m.changes {
		c := &m.changes[i]
		if c.ID != id {
			continue
		}
		if e.Stage > 0 {
			return m.stage(c, e)
		}
		to := map[string]ops.ChangeStatus{"start": ops.ChangeStarted, "finish": ops.ChangeFinished, "abort": ops.ChangeAborted, "rollback": ops.ChangeRolledBack}[e.Event]
		if !slices.Contains(steps(c.Status, to), e.Event) {
			return ops.Change{}, ops.Errorf(ops.Conflict, "%s is %s", id, c.Status)
		}
		c.Status = to
		m.events = append(m.events, id+" "+e.Event+" "+e.At.String())
		return *c, nil
	}
	return ops.Change{}, ops.Errorf(ops.NotFound, "no such change")
}

func (m *room) stage(c *ops.Change, e ops.ChangeEvent) (ops.Change, error) {
	for len(c.Stages) < e.Stage {
		c.Stages = append(c.Stages, ops.Stage{})
	}
	st := &c.Stages[e.Stage-1]
	st.Scope.Store = e.Stores
	if c.Status = ops.ChangeStarted; st.StartedAt.IsZero() {
		st.StartedAt = e.At
	}
	if e.Event == "stage_finished" {
		st.FinishedAt = e.At
	}
	m.events = append(m.events, fmt.Sprint(c.ID, " ", e.Event, " ", e.Stage, " ", e.Stores, " ", e.At))
	return *c, nil
}

func (m *room) Freezes(context.Context) ([]ops.Freeze, error) { return slices.Clone(m.freezes), nil }

func (m *room) AddFreeze(_ context.Context, who ops.Principal, f ops.Freeze) (ops.Freeze, error) {
	if !f.To.After(f.From.Time) || !who.May(ops.Commander) {
		return f, ops.Errorf(ops.Invalid, "a freeze must end after it begins")
	}
	m.frozen++
	f.ID, f.CreatedBy = fmt.Sprint("FRZ-", m.frozen), who.Name
	m.freezes = append(m.freezes, f)
	return f, nil
}

func (m *room) LiftFreeze(_ context.Context, _ ops.Principal, id string) error {
	m.freezes = slices.DeleteFunc(m.freezes, func(f ops.Freeze) bool { return f.ID == id })
	return nil
}

var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// fixture is the room behind a real server.
type fixture struct {
	*room
	t   *testing.T
	s   *Service
	url string
}

func newFixture(t *testing.T, cfg Config, now func() time.Time) *fixture {
	t.Helper()
	if now == nil {
		now = func() time.Time { return start }
	}
	f := &fixture{room: newRoom(now), t: t}
	s, err := New(t.Context(), Options{
		Config: cfg, Alerts: f.room, Changes: f.room, Freezes: f.room, Now: now, Registerer: prometheus.NewPedanticRegistry(),
		Who: func(*http.Request) ops.Principal { return ops.Principal{Name: "tester", Role: ops.Sender} },
	})
	if err != nil {
		t.Fatal(err)
	}
	f.s = s
	mux := http.NewServeMux()
	for _, m := range s.Mounts() {
		mux.Handle(m.Pattern, m.Handler)
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(func() { srv.Close(); http.DefaultClient.CloseIdleConnections() })
	f.url = srv.URL
	return f
}

// send does a request and answers its status and body. Headers are given as name, value, …
func (f *fixture) send(method, path string, body string, headers ...string) (int, string) {
	f.t.Helper()
	req, err := http.NewRequest(method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// the one alert that fires
func (f *fixture) only() ops.IncidentAlert {
	f.t.Helper()
	all, _ := f.Alerts(f.t.Context())
	if len(all) != 1 {
		f.t.Fatalf("%d alerts fire, want 1: %v", len(all), all)
	}
	return all[0]
}

// realworld is a folder of real inputs; a test that needs it is skipped where it is missing.
func realworld(t testing.TB, path ...string) string {
	t.Helper()
	root := os.Getenv("GOC_REALWORLD")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "realworld")
	}
	p := filepath.Join(append([]string{root}, path...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("SKIPPED: no real inputs at %s; GOC_REALWORLD names their folder", p)
	}
	return p
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// files lists the JSON files under a folder of real inputs.
func files(t testing.TB, path ...string) []string {
	t.Helper()
	var out []string
	filepath.WalkDir(realworld(t, path...), func(p string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".json") {
			out = append(out, p)
		}
		return nil
	})
	if len(out) == 0 {
		t.Fatalf("no files in %v", path)
	}
	return out
}

// examples are the payloads in one file of the folder alerts, by name.
func examples(t testing.TB, name string) map[string]json.RawMessage {
	t.Helper()
	var list map[string]struct{ Payload json.RawMessage }
	if err := json.Unmarshal(read(t, realworld(t, "alerts", name+".json")), &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]json.RawMessage{}
	for k, v := range list {
		out[k] = v.Payload
	}
	return out
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goc/ops"
)

// outside is everything around the server that lives on while the server does not: an exporter, what plans and drills
// act on, and a Slack.
type outside struct {
	*httptest.Server
	mu    sync.Mutex
	down  int
	calls map[string]int // by path
	cards int            // messages in Slack's channel
	lines map[string]int // in threads, by text
	slack int            // Slack's methods called
	hold  chan struct{}  // what /step waits for
	begun chan struct{}  // closed once /step was called
}

func newOutside(t *testing.T) *outside {
	o := &outside{down: 1, calls: map[string]int{}, lines: map[string]int{}, hold: make(chan struct{}), begun: make(chan struct{})}
	o.Server = httptest.NewServer(o)
	t.Cleanup(func() {
		close(o.hold)
		o.CloseClientConnections()
		o.Close()
	})
	return o
}

func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	o.mu.Lock()
	o.calls[r.URL.Path]++
	down, first := o.down, o.calls[r.URL.Path] == 1
	o.mu.Unlock()
	switch r.URL.Path {
	case "/metrics":
		fmt.Fprintf(w, "probe_down %d\nprobe_slow 1\n", down)
	case "/step":
		if first {
			close(o.begun)
		}
		select {
		case <-o.hold:
		case <-r.Context().Done():
		}
	case "/slack/chat.postMessage", "/slack/chat.update":
		o.talk(w, r)
	}
}

// talk answers as Slack does.
func (o *outside) talk(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.slack++
	ts := r.Form.Get("ts")
	switch {
	case ts != "":
	case r.Form.Get("thread_ts") != "":
		o.lines[r.Form.Get("text")]++
		ts = fmt.Sprintf("2.%06d", o.slack)
	default:
		o.cards++
		ts = fmt.Sprintf("1.%06d", o.slack)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"ok": true, "channel": "C1", "ts": ts})
}

func (o *outside) called(path string) int { o.mu.Lock(); defer o.mu.Unlock(); return o.calls[path] }

// restartYAML is a server on that world. %OUTSIDE% is its URL, %HOST% its host and port.
const restartYAML = `
catalog:
  services: [{name: cart, tier: T2}, {name: search, tier: T3}]
metrics:
  global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
  scrape_configs: [{job_name: probe, static_configs: [{targets: ["%HOST%"], labels: {service: search}}]}]
alertrules: {builtin: false, interval: 1s, files: [rules.yml]}
incidents: {hold: 2s}
plans:
  plans:
    - {name: slow, title: takes long, steps: [{name: step, http: {url: "%OUTSIDE%/step"}}]}
drills:
  drills:
    - name: break
      title: break it
      scope: {service: [elsewhere]}
      inject: {name: inject, http: {url: "%OUTSIDE%/inject"}}
      revert: {name: revert, http: {url: "%OUTSIDE%/revert"}}
chatops: {slack: {api_url: "%OUTSIDE%/slack/", token: xoxb-1, channel: C1}}
`

const restartRules = `
groups:
  - name: g
    rules:
      - {alert: ProbeDown, expr: probe_down == 1, labels: {severity: ticket}}
      - {alert: ProbeSlow, expr: probe_slow == 1, for: 1m, labels: {severity: ticket}}
`

// midway is a server in the middle of everything, and what it said of it.
type midway struct {
	*process
	o        *outside
	config   string
	incident string
	before   ops.Incident
	silence  string
	run      string
	drill    string
	token    string
	keyed    string // the change that was recorded under an Idempotency-Key

	restarted time.Time
}

func (m *midway) got(path string, out any) {
	m.t.Helper()
	if code := m.call("GET", path, nil, out); code != 200 {
		m.t.Errorf("GET %s answered %d", path, code)
	}
}

func (m *midway) posted(path string, body, out any) {
	m.t.Helper()
	if code := m.call("POST", path, body, out); code < 200 || code > 299 {
		m.t.Fatalf("POST %s answered %d; goc said:\n%s", path, code, m.out)
	}
}

// keyedChange records a change under an Idempotency-Key.
func (m *midway) keyedChange() string {
	req, err := http.NewRequest("POST", m.url+"/api/v1/changes", strings.NewReader(`{"kind":"flag","title":"keyed","service":"cart"}`))
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", "once-1")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	var ch ops.Change
	if json.Unmarshal(raw, &ch) != nil || ch.ID == "" {
		m.t.Fatalf("a keyed change answered %d %s", resp.StatusCode, raw)
	}
	return ch.ID
}

// as asks with a token who that is.
func (m *midway) as(token string) (int, string) {
	req, _ := http.NewRequest("GET", m.url+"/api/v1/whoami", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw)
}

// pendingSince is when ProbeSlow became pending, zero when it is not.
func (m *midway) pendingSince() time.Time {
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels   map[string]string
				State    string
				ActiveAt time.Time `json:"activeAt"`
			}
		}
	}
	m.call("GET", "/prometheus/api/v1/alerts", nil, &answer)
	for _, a := range answer.Data.Alerts {
		if a.Labels["alertname"] == "ProbeSlow" {
			return a.ActiveAt
		}
	}
	return time.Time{}
}

// firing says whether an alert of that name fires, and with which silence.
func (m *midway) firing(name string) (bool, string) {
	var l ops.List[ops.IncidentAlert]
	m.call("GET", "/api/v1/alerts", nil, &l)
	for _, a := range l.Items {
		if a.Name() == name {
			return true, a.Silenced
		}
	}
	return false, ""
}

func (m *midway) now() (inc ops.Incident) {
	m.call("GET", "/api/v1/incidents/"+m.incident, nil, &inc)
	return inc
}

// toTheMiddle starts a server and everything that takes time.
func toTheMiddle(t *testing.T) *midway {
	o := newOutside(t)
	config, listen := serveYAML(t, strings.NewReplacer("%OUTSIDE%", o.URL, "%HOST%", strings.TrimPrefix(o.URL, "http://")).Replace(restartYAML))
	if err := os.WriteFile(filepath.Join(filepath.Dir(config), "rules.yml"), []byte(restartRules), 0o644); err != nil {
		t.Fatal(err)
	}
	m := &midway{process: serve(t, config, listen), o: o, config: config}
	var dr ops.DrillRun
	m.posted("/api/v1/drills/break/runs", "{}", &dr)
	m.drill = dr.ID
	var made struct{ Token string }
	m.posted("/api/v1/tokens", map[string]any{"name": "ann", "role": "responder"}, &made)
	m.token = made.Token
	m.keyed = m.keyedChange()
	m.posted("/api/v1/freezes", map[string]any{"name": "night", "scope": map[string]any{"service": []string{"search"}}, "from": time.Now().Add(-time.Hour), "to": time.Now().Add(time.Hour)}, nil)
	m.posted("/api/v2/silences", fmt.Sprintf(`{"matchers":[{"name":"alertname","value":"Hushed","isRegex":false}],"startsAt":%q,"endsAt":%q,"createdBy":"ann","comment":"c"}`,
		time.Now().UTC().Format(time.RFC3339), time.Now().Add(time.Hour).UTC().Format(time.RFC3339)), nil)
	m.trouble()
	return m
}

// trouble opens an incident with a suspect and starts a plan's run on it.
func (m *midway) trouble() {
	var ch ops.Change
	m.posted("/api/v1/changes", map[string]any{"kind": "release", "title": "cart 2", "service": "cart", "version": "2"}, &ch)
	m.posted("/api/v1/changes/"+ch.ID+"/events", map[string]any{"event": "start"}, nil)
	m.posted("/api/v2/alerts", fmt.Sprintf(`[{"labels":{"alertname":"CartFails","service":"cart","severity":"page"},"endsAt":%q},{"labels":{"alertname":"Hushed","service":"search"},"endsAt":%[1]q},{"labels":{"alertname":"Leased","service":"search"},"endsAt":%q}]`,
		time.Now().Add(time.Hour).UTC().Format(time.RFC3339), time.Now().Add(time.Second).UTC().Format(time.RFC3339)), nil)
	m.until(10*time.Second, "an incident of cart with a suspect", func() bool {
		var l ops.List[ops.Incident]
		m.call("GET", "/api/v1/incidents", nil, &l)
		for _, inc := range l.Items {
			if len(inc.Suspects) > 0 && slices.Contains(inc.Scope.Service, "cart") {
				m.incident = inc.ID
			}
		}
		return m.incident != ""
	})
	var run ops.Run
	m.posted("/api/v1/plans/slow/runs", map[string]any{"incident": m.incident, "confirm": "slow"}, &run)
	m.run = run.ID
	m.until(10*time.Second, "in the middle of a step", func() bool {
		select {
		case <-m.o.begun:
			return true
		default:
			return false
		}
	})
	m.until(10*time.Second, "in the middle of a drill", func() bool {
		var dr ops.DrillRun
		m.call("GET", "/api/v1/drills/runs/"+m.drill, nil, &dr)
		return dr.State == ops.DrillWatching
	})
	m.until(30*time.Second, "pending for a while and firing", func() bool {
		fires, _ := m.firing("ProbeDown")
		since := m.pendingSince()
		return fires && !since.IsZero() && time.Since(since) > 9*time.Second
	})
	_, m.silence = m.firing("Hushed")
	m.until(20*time.Second, "done with telling Slack", m.toldAll)
	m.before = m.now()
}

// toldAll says whether each call of Slack is on record as done, and the incident's thread has been told of it.
func (m *midway) toldAll() bool {
	resp, err := http.Get(m.url + "/metrics")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	m.o.mu.Lock()
	defer m.o.mu.Unlock()
	want := fmt.Sprintf(`goc_outbox_outcomes_total{effect="slack",state="done"} %d`+"\n", m.o.slack)
	return len(m.o.lines) >= 2 && strings.Contains(string(text), want)
}

func TestARestartInTheMiddleOfThingsLosesNothingAndDoesNothingTwice(t *testing.T) {
	for name, end := range map[string]func(*process){
		"after kill -9": (*process).kill,
		"after SIGTERM": func(p *process) {
			p.cmd.Process.Signal(syscall.SIGTERM)
			<-p.done
			if code := p.cmd.ProcessState.ExitCode(); code != 0 || strings.Contains(p.out.String(), "level=ERROR") {
				p.t.Errorf("SIGTERM ended it with exit code %d and these words:\n%s", code, p.out)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := toTheMiddle(t)
			end(m.process)
			m.o.mu.Lock()
			m.o.down = 0
			m.o.mu.Unlock()
			m.restarted = time.Now()
			m.process = serve(t, m.config, strings.TrimPrefix(m.url, "http://"))
			m.sameIncident()
			m.sameState()
			m.nothingTwice()
		})
	}
}

// sameIncident looks at the incident, its clock, its suspects and at what was firing.
func (m *midway) sameIncident() {
	now := m.now()
	if !now.OnsetAt.Equal(m.before.OnsetAt.Time) || !now.DetectedAt.Equal(m.before.DetectedAt.Time) || now.State != m.before.State {
		m.t.Errorf("the incident is not what it was:\n%+v\n%+v", m.before, now)
	}
	if len(now.Suspects) == 0 || now.Suspects[0].ChangeID != m.before.Suspects[0].ChangeID {
		m.t.Errorf("suspects %+v, before %+v", now.Suspects, m.before.Suspects)
	}
	if !slices.Contains(now.Runs, m.run) {
		m.t.Errorf("the incident does not know of %s: %v", m.run, now.Runs)
	}
	if c := now.Clock.Recover; !c.Running || c.ElapsedS < m.before.Clock.Recover.ElapsedS {
		m.t.Errorf("the clock does not go on: %+v, before %+v", c, m.before.Clock.Recover)
	}
	m.leases()
	// As in Prometheus the time away does not count, the time before does, which was longer than a start takes.
	m.until(20*time.Second, "pending since before the restart", func() bool {
		since := m.pendingSince()
		return !since.IsZero() && since.Before(m.restarted)
	})
	if fires, _ := m.firing("CartFails"); !fires {
		m.t.Error("what was sent to us to fire for an hour fires no more")
	}
}

// leases looks at alerts that recovered while we were down, so that nobody told us: their leases must end, and soon.
func (m *midway) leases() {
	var l ops.List[ops.IncidentAlert]
	m.got("/api/v1/alerts", &l)
	for _, a := range l.Items {
		bound := map[string]time.Duration{"ProbeDown": 5 * time.Minute, "Leased": 65 * time.Second}[a.Name()]
		if left := a.EndsAt.Sub(m.restarted); bound > 0 && (a.EndsAt.IsZero() || left > bound) {
			m.t.Errorf("%s would fire for %s after the restart", a.Name(), left)
		}
	}
	m.posted("/api/v2/alerts", fmt.Sprintf(`[{"labels":{"alertname":"Leased","service":"search"},"endsAt":%q}]`, time.Now().UTC().Format(time.RFC3339Nano)), nil)
	if fires, _ := m.firing("Leased"); fires {
		m.t.Error("an alert from before the restart does not end when its sender says so")
	}
}

// sameState looks at what people and machines were told.
func (m *midway) sameState() {
	if _, by := m.firing("Hushed"); by == "" || by != m.silence {
		m.t.Errorf("the silence %q is now %q", m.silence, by)
	}
	if code, who := m.as(m.token); code != 200 || !strings.Contains(who, `"ann"`) {
		m.t.Errorf("the token answers %d %s", code, who)
	}
	if again := m.keyedChange(); again != m.keyed {
		m.t.Errorf("the same Idempotency-Key made %s, before %s", again, m.keyed)
	}
	var d ops.Decision
	m.call("POST", "/api/v1/gate/check", map[string]any{"kind": "config", "title": "x", "service": "search"}, &d)
	if d.Decision == "allow" || !slices.ContainsFunc(d.Reasons, func(r ops.Reason) bool { return r.Rule == "freeze" }) {
		m.t.Errorf("the freeze does not hold: %+v", d)
	}
	var dr ops.DrillRun
	m.until(20*time.Second, "reverted", func() bool {
		m.call("GET", "/api/v1/drills/runs/"+m.drill, nil, &dr)
		return !dr.RevertedAt.IsZero()
	})
	if dr.State != ops.DrillAborted || m.o.called("/revert") == 0 || m.o.called("/inject") != 1 {
		m.t.Errorf("the drill is %s; injected %d times, reverted %d times", dr.State, m.o.called("/inject"), m.o.called("/revert"))
	}
}

// nothingTwice looks at what the world outside got.
func (m *midway) nothingTwice() {
	var r ops.Run
	m.got("/api/v1/runs/"+m.run, &r)
	if r.State != ops.RunIndeterminate || m.o.called("/step") != 1 {
		m.t.Errorf("the run is %s after %d calls of its step; a person should look, and nothing be done twice", r.State, m.o.called("/step"))
	}
	var l ops.List[ops.Incident]
	m.got("/api/v1/incidents", &l)
	m.posted("/api/v1/incidents/"+m.incident+"/notes", map[string]any{"text": "after the restart"}, nil)
	m.until(30*time.Second, "telling Slack of the note", func() bool {
		m.o.mu.Lock()
		defer m.o.mu.Unlock()
		for line := range m.o.lines {
			if strings.Contains(line, "after the restart") {
				return true
			}
		}
		return false
	})
	m.o.mu.Lock()
	defer m.o.mu.Unlock()
	if m.o.cards > len(l.Items) {
		m.t.Errorf("%d messages of %d incidents", m.o.cards, len(l.Items))
	}
	for line, n := range m.o.lines {
		if n > 1 {
			m.t.Errorf("said %d times in threads: %s", n, line)
		}
	}
}

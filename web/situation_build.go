package web

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"goc/ops"
)

// Pace of the situation.
const (
	situationEvery = 500 * time.Millisecond // at most so often
	situationAtMax = 5 * time.Second        // and at least so often while someone looks
	chartEvery     = 5 * time.Second
	chartWait      = 300 * time.Millisecond // how long a situation waits for its chart, which then follows in the next
)

// snapshot is a situation as it is sent.
type snapshot struct {
	n    uint64 // counts up with each build
	at   time.Time
	seq  int64
	json []byte
}

// situation builds the situation, and keeps the last one for all who ask.
type situation struct {
	o     Options
	stale atomic.Bool // something has happened since the last build

	mu   sync.Mutex // held while it is built: those who ask meanwhile get what comes out
	last snapshot

	recentMu sync.Mutex
	recent   []RecentEvent // newest first

	chart chartKeeper
}

// newSituation fills the ticker from the journal's last events.
func newSituation(ctx context.Context, o Options) (*situation, error) {
	s := &situation{o: o}
	s.stale.Store(true)
	last, err := o.Journal.Events(ctx, ops.EventQuery{Since: max(o.Journal.LastSeq()-1000, 0), Limit: 1000})
	s.note(last)
	return s, err
}

// note takes events into the ticker.
func (s *situation) note(events []ops.Event) {
	s.recentMu.Lock()
	defer s.recentMu.Unlock()
	for _, e := range events {
		if ticks(e.Name) {
			s.recent = append([]RecentEvent{recentOf(e)}, s.recent[:min(len(s.recent), maxRecent-1)]...)
		}
	}
	s.stale.Store(true)
}

// ticks says whether a person would want to see such an event pass by.
func ticks(name string) bool {
	switch name {
	case "incident.alert_added", "incident.alert_resolved", "incident.suspects_ranked", "incident.plan_progress", "gate.decided",
		"change.recorded", "change.stage_finished", "run.updated":
		return false
	}
	noun, _, _ := strings.Cut(name, ".")
	switch noun {
	case "incident", "change", "gate", "freeze", "run", "drill", "silence":
		return true
	}
	return false
}

func recentOf(e ops.Event) RecentEvent {
	var said struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal(e.Data, &said) // an event without a text is shown by its name
	var data any
	if len(e.Data) > 0 {
		data = e.Data
	}
	return RecentEvent{Seq: e.Seq, At: e.At, Name: e.Name, Topic: e.Topic, Subject: e.Subject, Actor: e.Actor, Text: said.Text, Data: data}
}

// current is the situation: the last one while it is young enough, else a new one.
func (s *situation) current(ctx context.Context) (snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	age := now.Sub(s.last.at)
	if s.last.json != nil && (age < situationEvery || (!s.stale.Load() && age < situationAtMax)) {
		return s.last, nil
	}
	s.stale.Store(false)
	// It is built for everyone who waits, so it does not end with the one who asked first.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	f := s.collect(ctx, now)
	body, err := json.Marshal(assemble(f))
	if err != nil {
		return snapshot{}, err
	}
	s.last = snapshot{n: s.last.n + 1, at: now, seq: f.seq, json: body}
	return s.last, nil
}

// collect asks the rooms. One that does not answer is named, and its part is empty.
func (s *situation) collect(ctx context.Context, now time.Time) facts {
	f := facts{now: now, seq: s.o.Journal.LastSeq(), version: s.o.Version, catalog: s.o.Catalog()}
	missing := func(source string, err error) {
		if err != nil {
			f.missing = append(f.missing, MissingSource{source, problemOf(err).Detail})
		}
	}
	var err error
	f.incidents, err = s.incidents(ctx)
	missing("incidents", err)
	f.spans, err = s.o.Changes.Calendar(ctx, now, now.Add(7*24*time.Hour))
	missing("freezes", err)
	f.fleet, err = s.o.Fleet.Rollup(ctx, ops.FleetQuery{GroupBy: []string{"region", "city", "store"}})
	missing("fleet", err)
	changes, err := s.o.Changes.List(ctx, ops.ChangeQuery{Page: ops.Page{Limit: 100}})
	f.changes = changes.Items
	missing("changes", err)
	f.runs, err = s.o.Plans.Runs(ctx)
	missing("plans", err)
	f.oncall = s.o.Incidents.OnCall(now)
	s.recentMu.Lock()
	f.recent = append([]RecentEvent{}, s.recent...)
	s.recentMu.Unlock()
	f.headline = s.chart.latest(ctx, s, worstOf(f.incidents), now)
	return f
}

// incidents are the active ones, and those over within the last minutes.
func (s *situation) incidents(ctx context.Context) ([]ops.Incident, error) {
	active, err := s.o.Incidents.List(ctx, ops.IncidentQuery{State: "active", Page: ops.Page{Limit: 500}})
	if err != nil {
		return nil, err
	}
	newest, err := s.o.Incidents.List(ctx, ops.IncidentQuery{State: string(ops.IncidentResolved), Page: ops.Page{Limit: 50}})
	if err != nil {
		return nil, err
	}
	out := active.Items
	seen := map[string]bool{}
	for _, i := range out {
		seen[i.ID] = true
	}
	for _, i := range newest.Items {
		if !seen[i.ID] && i.Merged == "" {
			out = append(out, i)
		}
	}
	return out, nil
}

// worstOf is the id of the incident whose curve stands in front: the worst that still hurts, "" when none does.
func worstOf(all []ops.Incident) string {
	worst := ops.Incident{Severity: "P9"}
	for _, i := range all {
		if ails(i) && (i.Severity < worst.Severity || (i.Severity == worst.Severity && i.OnsetAt.Before(worst.OnsetAt.Time))) {
			worst = i
		}
	}
	return worst.ID
}

// chartKeeper keeps the headline's chart, which costs a query over time: at most one is asked for at a time.
type chartKeeper struct {
	mu      sync.Mutex
	of      string // the incident, "" for the headline of good times
	at      time.Time
	chart   *ops.Chart
	running bool
	done    chan struct{} // closed when the last that was asked for has come
}

// wait returns once nothing is being asked for.
func (k *chartKeeper) wait() {
	k.mu.Lock()
	done := k.done
	k.mu.Unlock()
	if done != nil {
		<-done
	}
}

// latest is the chart of an incident ("" for the headline). When it is old or of another, a new one is fetched; if that
// takes long, the old one is given and the new one follows.
func (k *chartKeeper) latest(ctx context.Context, s *situation, of string, now time.Time) *ops.Chart {
	k.mu.Lock()
	if k.running || (k.of == of && !k.at.IsZero() && now.Sub(k.at) < chartEvery) {
		defer k.mu.Unlock()
		return k.chart
	}
	done := make(chan struct{})
	k.running, k.done = true, done
	k.mu.Unlock()
	go func() {
		defer close(done)
		k.fetch(context.WithoutCancel(ctx), s, of)
	}()
	wait := time.NewTimer(chartWait)
	defer wait.Stop()
	select {
	case <-done:
	case <-wait.C:
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.chart
}

func (k *chartKeeper) fetch(ctx context.Context, s *situation, of string) {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	ask := s.o.Incidents.Headline
	if of != "" {
		ask = func(ctx context.Context) (ops.Chart, error) { return s.o.Incidents.Chart(ctx, of) }
	}
	chart, err := ask(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running, k.of, k.at, k.chart = false, of, s.o.Now(), &chart
	if err != nil {
		k.chart = nil // no curve is better than one of something else
	}
	s.stale.Store(true)
}

// getSituation sends the situation as it is kept, or 304 to who has it already.
func (s *Server) getSituation(w http.ResponseWriter, r *http.Request) {
	now, err := s.situation.current(r.Context())
	if err != nil {
		s.fail(r, err).write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", `"`+strconv.FormatInt(s.started.UnixNano(), 36)+"-"+strconv.FormatUint(now.n, 10)+`"`)
	w.Header().Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == w.Header().Get("ETag") {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(now.json)
}

package chatops_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"goc/chatops"
	"goc/ops"
)

// journal is a journal in memory, with the outbox's rule that a pending effect of the same kind and key is replaced.
type journal struct {
	mu      sync.Mutex
	records map[string]ops.Record
	events  []ops.Event
	pending []ops.Effect
	watch   map[int]func([]ops.Event)
}

func newJournal() *journal {
	return &journal{records: map[string]ops.Record{}, watch: map[int]func([]ops.Event){}}
}

func (j *journal) Append(m ops.Mutation) *ops.Receipt {
	j.mu.Lock()
	for _, r := range m.Put {
		j.records[r.Kind+"/"+r.ID] = r
	}
	for i := range m.Events {
		m.Events[i].Seq = int64(len(j.events) + 1)
		j.events = append(j.events, m.Events[i])
	}
	for _, e := range m.Effects {
		if i := slices.IndexFunc(j.pending, func(p ops.Effect) bool { return p.Kind == e.Kind && p.Key == e.Key }); i >= 0 {
			j.pending[i] = e
			continue
		}
		j.pending = append(j.pending, e)
	}
	watch := slices.Collect(maps.Values(j.watch))
	j.mu.Unlock()
	for _, fn := range watch {
		fn(m.Events)
	}
	r := ops.NewReceipt()
	r.Settle(m.Events, nil)
	return r
}

func (j *journal) Load(_ context.Context, kind string, each func(ops.Record) error) error {
	j.mu.Lock()
	all := slices.Collect(maps.Values(j.records))
	j.mu.Unlock()
	for _, r := range all {
		if r.Kind == kind {
			if err := each(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (j *journal) Events(_ context.Context, q ops.EventQuery) ([]ops.Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	rest := j.events[min(int(q.Since), len(j.events)):]
	return slices.Clone(rest[:min(q.Limit, len(rest))]), nil
}

func (j *journal) LastSeq() int64 { j.mu.Lock(); defer j.mu.Unlock(); return int64(len(j.events)) }

func (j *journal) Subscribe(fn func([]ops.Event)) func() {
	j.mu.Lock()
	defer j.mu.Unlock()
	id := len(j.watch)
	j.watch[id] = fn
	return func() { j.mu.Lock(); defer j.mu.Unlock(); delete(j.watch, id) }
}

func (j *journal) take() []ops.Effect {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := j.pending
	j.pending = nil
	return out
}

func (j *journal) names() (out []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.events {
		out = append(out, e.Name)
	}
	return out
}

// desk is an incident engine of one incident. It appends the events that the real one would.
type desk struct {
	j    *journal
	mu   sync.Mutex
	inc  ops.Incident
	done []string      // what it was told to do
	slow chan struct{} // when set, actions wait for it
}

func (d *desk) tell(name, text string, edit func(*ops.Incident)) {
	d.mu.Lock()
	edit(&d.inc)
	d.mu.Unlock()
	d.j.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(at), "incident."+name, "incidents", d.inc.ID, "goc", map[string]string{"text": text})}})
}

func (d *desk) act(name string, who ops.Principal, id string, state ops.IncidentState) (ops.Incident, error) {
	if d.slow != nil {
		<-d.slow
	}
	d.mu.Lock()
	if id != d.inc.ID {
		d.mu.Unlock()
		return ops.Incident{}, ops.Errorf(ops.NotFound, "there is no incident of this id")
	}
	d.done = append(d.done, fmt.Sprintf("%s %s %s as %s", name, id, who.Name, who.Role))
	d.mu.Unlock()
	d.tell(name, who.Name+" "+name, func(i *ops.Incident) { i.State = state })
	return d.Get(context.Background(), id)
}

func (d *desk) did() []string { d.mu.Lock(); defer d.mu.Unlock(); return slices.Clone(d.done) }

func (d *desk) Get(_ context.Context, id string) (ops.Incident, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if id != d.inc.ID {
		return ops.Incident{}, ops.Errorf(ops.NotFound, "there is no incident of this id")
	}
	return d.inc, nil
}

func (d *desk) List(context.Context, ops.IncidentQuery) (ops.List[ops.Incident], error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return ops.List[ops.Incident]{Items: []ops.Incident{d.inc}}, nil
}

func (d *desk) Acknowledge(_ context.Context, who ops.Principal, id, _ string) (ops.Incident, error) {
	return d.act("acknowledged", who, id, ops.IncidentAcknowledged)
}

func (d *desk) Resolve(_ context.Context, who ops.Principal, id, _ string) (ops.Incident, error) {
	return d.act("resolved", who, id, ops.IncidentResolved)
}

func (d *desk) Note(_ context.Context, who ops.Principal, id, text string) (ops.Incident, error) {
	return d.act("note_added", who, id, d.inc.State)
}

// workspace is a real HTTP server that speaks Slack's protocol: tokens, ok and error answers, ts, 429.
type workspace struct {
	*httptest.Server
	mu       sync.Mutex
	calls    []call
	limited  int            // so many calls are answered 429
	messages map[string]int // ts of what stands → edits
	forget   bool           // messages are gone
	heard    chan string    // when set, gets the method of each call
}

// call is one call of a method.
type call struct {
	method string
	url.Values
}

func newWorkspace(t *testing.T) *workspace {
	w := &workspace{messages: map[string]int{}}
	w.Server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.Close)
	return w
}

func (w *workspace) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.ParseForm()
	if w.limited > 0 {
		w.limited--
		rw.Header().Set("Retry-After", "7")
		rw.WriteHeader(http.StatusTooManyRequests)
		return
	}
	answer := func(v map[string]any) {
		rw.Header().Set("Content-Type", "application/json")
		json.NewEncoder(rw).Encode(v)
	}
	if r.Header.Get("Authorization") != "Bearer xoxb-1" && r.Form.Get("token") != "xoxb-1" {
		answer(map[string]any{"ok": false, "error": "invalid_auth"})
		return
	}
	method := strings.TrimPrefix(r.URL.Path, "/api/")
	w.calls = append(w.calls, call{method, r.Form})
	if w.heard != nil {
		w.heard <- method
	}
	switch method {
	case "chat.postMessage":
		ts := fmt.Sprintf("1700000000.%06d", len(w.calls))
		w.messages[ts] = 0
		answer(map[string]any{"ok": true, "channel": "C42", "ts": ts})
	case "chat.update":
		if _, ok := w.messages[r.Form.Get("ts")]; !ok || w.forget {
			answer(map[string]any{"ok": false, "error": "message_not_found"})
			return
		}
		w.messages[r.Form.Get("ts")]++
		answer(map[string]any{"ok": true, "channel": "C42", "ts": r.Form.Get("ts")})
	case "chat.postEphemeral":
		answer(map[string]any{"ok": true, "message_ts": "1"})
	default:
		answer(map[string]any{"ok": false, "error": "unknown_method"})
	}
}

func (w *workspace) seen() []call { w.mu.Lock(); defer w.mu.Unlock(); return slices.Clone(w.calls) }

// story is what was called, one line each: where, and the text.
func story(calls []call) (out []string) {
	for _, c := range calls {
		where := ""
		if c.Get("thread_ts") != "" {
			where = " in the thread of " + c.Get("thread_ts")
		}
		if c.method == "chat.update" {
			where = " of " + c.Get("ts")
		}
		out = append(out, c.method+where+": "+c.Get("text"))
	}
	return out
}

var at = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

const signingSecret = "8f742231b10e8888abcd99yyyzzz85a5"

// room is a whole chat: the service, its journal, the incident engine and Slack.
type room struct {
	t *testing.T
	*chatops.Service
	j *journal
	d *desk
	w *workspace
}

func newRoom(t *testing.T, edit ...func(*chatops.Options)) *room {
	t.Helper()
	j := newJournal()
	d := &desk{j: j, inc: ops.Incident{
		ID: "INC-1", Title: "cart fails <!channel> & more", Severity: ops.P1, State: ops.IncidentOpen,
		Scope: ops.Scope{Service: []string{"cart"}}, Impact: ops.Impact{Stores: 10, Devices: 500, OrdersPerMin: -12},
		OnsetAt: ops.At(at.Add(-38 * time.Second)), Clock: ops.Clock{
			Detect: ops.Leg{TargetS: 60, ElapsedS: 38, Met: yes()}, Locate: ops.Leg{TargetS: 300, ElapsedS: 38, Running: true}, Recover: ops.Leg{TargetS: 600, ElapsedS: 38, Running: true},
		},
		Suspects: []ops.Suspect{{ChangeID: "CHG-7", Title: "cart 1.2.3", Probability: 0.81, Verdict: "suspect", Reasons: []ops.Evidence{{Text: "started 40 s before the onset"}}}},
		NoChange: 0.05,
	}}
	r := &room{t: t, j: j, d: d, w: newWorkspace(t)}
	r.open(edit...)
	return r
}

// open starts the service anew on the same journal, as after a restart.
func (r *room) open(edit ...func(*chatops.Options)) {
	r.t.Helper()
	o := chatops.Options{Journal: r.j, Incidents: r.d, Now: func() time.Time { return at }, Pace: -1, Config: chatops.Config{
		BaseURL: "https://goc.example/", Slack: chatops.Slack{APIURL: r.w.URL + "/api", Token: "xoxb-1", SigningSecret: signingSecret, Channel: "incidents"},
	}}
	for _, e := range edit {
		e(&o)
	}
	s, err := chatops.New(r.t.Context(), o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Service = s
}

func yes() *bool { b := true; return &b }

// follow lets the service read the log to its end.
func (r *room) follow() {
	r.t.Helper()
	for {
		n, err := chatops.Follow(r.t.Context(), r.Service)
		if err != nil {
			r.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// deliver does the pending effects as the outbox does.
func (r *room) deliver() (errs []error) {
	r.t.Helper()
	for _, e := range r.j.take() {
		if err := r.Handlers()[e.Kind](r.t.Context(), e); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// happen makes an event happen and everything that follows from it.
func (r *room) happen(name, text string, edit func(*ops.Incident)) {
	r.t.Helper()
	r.d.tell(name, text, edit)
	r.follow()
	if errs := r.deliver(); errs != nil {
		r.t.Fatal(errs)
	}
}

func nothing(*ops.Incident) {}

func TestAnIncidentIsOneMessageThatIsEditedWithItsDetailsInTheThread(t *testing.T) {
	r := newRoom(t)
	r.happen("opened", "opened: cart fails", nothing)
	r.happen("suspects_ranked", "CHG-7 81 %", nothing)
	r.happen("suspects_ranked", "CHG-7 82 %", nothing)
	r.happen("alert_added", "one more alert", nothing)
	r.happen("resolved", "resolved by bob", func(i *ops.Incident) { i.State = ops.IncidentResolved })
	date := "<!date^1795161600^{time_secs}|08:00:00 UTC> "
	head := func(state string) string { return "■ P1 INC-1 " + state + ": cart fails &lt;!channel&gt; &amp; more" }
	want := []string{
		"chat.postMessage: " + head("open"),
		"chat.postMessage in the thread of 1700000000.000001: " + date + "opened: cart fails",
		"chat.update of 1700000000.000001: " + head("open"),
		"chat.postMessage in the thread of 1700000000.000001: " + date + "first suspect: CHG-7 cart 1.2.3, 81 %\n• started 40 s before the onset",
		"chat.update of 1700000000.000001: " + head("open"),
		"chat.update of 1700000000.000001: " + head("open"),
		"chat.update of 1700000000.000001: " + head("resolved"),
		"chat.postMessage in the thread of 1700000000.000001: " + date + "resolved by bob",
	}
	if got := story(r.w.seen()); !slices.Equal(got, want) {
		t.Errorf("Slack heard\n%s\nwant exactly\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestUpdatesThatAreDueAndTasksThatAreLateAreToldInTheThread(t *testing.T) {
	r := newRoom(t)
	r.happen("opened", "opened: cart fails", nothing)
	for _, e := range []string{"update_due", "update_posted", "cause_named", "task_reminded"} {
		r.happen(e, "said "+e, nothing)
	}
	var told []string
	for _, line := range story(r.w.seen()) {
		if _, text, ok := strings.Cut(line, "UTC> said "); ok {
			told = append(told, text)
		}
	}
	if want := []string{"update_due", "update_posted", "cause_named", "task_reminded"}; !slices.Equal(told, want) {
		t.Errorf("the thread was told %q, want %q", told, want)
	}
}

func TestARestartLosesNothingAndTellsNothingTwice(t *testing.T) {
	r := newRoom(t)
	r.happen("opened", "opened", nothing)
	r.d.tell("acknowledged", "alice is on it", func(i *ops.Incident) { i.State = ops.IncidentAcknowledged })
	r.open() // stopped before the event was read
	r.follow()
	r.open() // stopped after the effects were ordered, before they were done
	r.follow()
	if errs := r.deliver(); errs != nil {
		t.Fatal(errs)
	}
	got := story(r.w.seen())
	if len(got) != 4 || !strings.HasPrefix(got[2], "chat.update of 1700000000.000001") || !strings.Contains(got[3], "alice is on it") {
		t.Errorf("Slack heard\n%s", strings.Join(got, "\n"))
	}
}

func TestTheFirstIncidentIsToldAlsoWhenACrashComesBeforeItIsRead(t *testing.T) {
	r := newRoom(t)
	r.d.tell("opened", "opened: cart fails", nothing)
	r.open()
	r.follow()
	if errs := r.deliver(); errs != nil || len(r.w.seen()) == 0 {
		t.Errorf("Slack heard %q, %v", story(r.w.seen()), errs)
	}
}

func TestHistoryIsNotToldOnAFirstStart(t *testing.T) {
	j := newJournal()
	r := newRoom(t, func(o *chatops.Options) { o.Journal = j })
	r.j, r.d.j = j, j
	r.d.tell("opened", "long ago", nothing)
	delete(r.j.records, "cursor/chatops") // as if nothing had been started before
	r.open()
	r.follow()
	if errs := r.deliver(); errs != nil || len(r.w.seen()) != 0 {
		t.Errorf("%v, Slack heard %q", errs, story(r.w.seen()))
	}
}

func TestManyChangesWhileSlackIsAwayAreOneEdit(t *testing.T) {
	r := newRoom(t)
	r.happen("opened", "opened", nothing)
	for range 50 {
		r.d.tell("alert_added", "one more", nothing)
		r.follow()
	}
	if got := r.j.take(); len(got) != 1 || got[0].Key != "INC-1:card" {
		t.Errorf("%d effects wait, want one: the card", len(got))
	}
}

func TestSlackMayAskToBeLeftAlone(t *testing.T) {
	r := newRoom(t)
	r.w.limited = 1
	r.d.tell("opened", "opened", nothing)
	r.follow()
	effects := r.j.take()
	err := r.HandleSlack(t.Context(), effects[0])
	if d, ok := ops.RetryDelay(err); !ok || d != 7*time.Second {
		t.Errorf("got %v, want to wait the 7 s that Slack asked for", err)
	}
	if err := r.HandleSlack(t.Context(), effects[0]); err != nil || len(r.w.seen()) != 1 {
		t.Errorf("then %v, %d calls", err, len(r.w.seen()))
	}
}

func TestAMessageThatWasDeletedIsPostedAnew(t *testing.T) {
	r := newRoom(t)
	r.happen("opened", "opened", nothing)
	r.w.forget = true
	r.happen("alert_added", "one more", nothing)
	r.w.forget = false
	r.happen("alert_added", "one more", nothing)
	got := story(r.w.seen())
	if len(got) != 5 || !strings.HasPrefix(got[3], "chat.postMessage: ") || !strings.HasPrefix(got[4], "chat.update of 1700000000.000004") {
		t.Errorf("Slack heard\n%s", strings.Join(got, "\n"))
	}
}

func TestAnErrorThatWillNotChangeIsPermanent(t *testing.T) {
	r := newRoom(t)
	r.d.tell("opened", "opened", nothing)
	r.follow()
	e := r.j.take()[0]
	e.Body = json.RawMessage(`{"incident":"INC-99","what":"card"}`)
	if err := r.HandleSlack(t.Context(), e); !ops.IsPermanent(err) {
		t.Errorf("an incident that does not exist: %v, want permanent", err)
	}
	e.Body = json.RawMessage(`[`)
	if err := r.HandleSlack(t.Context(), e); !ops.IsPermanent(err) {
		t.Errorf("a body that cannot be read: %v, want permanent", err)
	}
}

func TestRunFollowsWhatIsCommittedUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		s, err := chatops.New(t.Context(), chatops.Options{Journal: j, Incidents: &desk{j: j}, Config: chatops.Config{
			Slack: chatops.Slack{APIURL: "http://slack.invalid/", Token: "x", Channel: "c"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		for i := range 1200 { // more than two batches at once
			j.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(at), "incident.alert_added", "incidents", fmt.Sprintf("INC-%d", i%10), "goc", nil)}})
		}
		synctest.Wait()
		if got := j.take(); len(got) != 10 {
			t.Errorf("%d effects, want a card for each of 10 incidents", len(got))
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAnIncidentThatWasMergedBeforeAnybodyHeardOfItIsNotTold(t *testing.T) {
	r := newRoom(t)
	r.happen("opened", "opened: cart fails", func(i *ops.Incident) { i.Merged, i.State = "INC-2", ops.IncidentResolved })
	r.happen("merged", "merged into INC-2", nothing)
	if got := story(r.w.seen()); len(got) > 0 {
		t.Errorf("Slack heard\n%s\nwant nothing", strings.Join(got, "\n"))
	}
}

func TestABrokenGlassIsToldInTheChannelItself(t *testing.T) {
	r := newRoom(t)
	for _, name := range []string{"gate.overridden", "gate.override_due", "gate.decided", "gate.override_reviewed"} {
		r.j.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(at), name, "gate", "CHG-7", "Li", map[string]string{"text": name + " of <CHG-7>"})}})
	}
	r.follow()
	if errs := r.deliver(); errs != nil {
		t.Fatal(errs)
	}
	want := []string{"chat.postMessage: gate.overridden of &lt;CHG-7&gt;", "chat.postMessage: gate.override_due of &lt;CHG-7&gt;"}
	if got := story(r.w.seen()); !slices.Equal(got, want) {
		t.Errorf("Slack heard\n%s\nwant exactly\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestGroupRobotsAreToldOfABrokenGlass(t *testing.T) {
	ding := newReceiver(t)
	ding.answer = `{"errcode":0,"errmsg":"ok"}`
	r := newRoom(t, func(o *chatops.Options) { o.Config = chatops.Config{DingTalk: chatops.Robot{URL: ding.URL}} })
	r.j.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(at), "gate.overridden", "gate", "CHG-7", "Li", map[string]string{"text": "Li broke the glass"})}})
	r.follow()
	if errs := r.deliver(); errs != nil || len(ding.bodies) != 1 || !strings.Contains(string(ding.bodies[0]), "Li broke the glass") {
		t.Errorf("DingTalk got %q, %v", ding.bodies, errs)
	}
}

package intake

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"goc/ops"
)

// doorman stands for the gate: it answers what the test says, and remembers what it was asked.
type doorman struct {
	mu         sync.Mutex
	answer     ops.Decision
	fail       error
	asked      []ops.GateRequest
	considered int
	freezes    []ops.Freeze
	spans      []ops.FreezeSpan
}

func (d *doorman) Check(_ context.Context, _ ops.Principal, r ops.GateRequest) (ops.Decision, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, r)
	out := d.answer
	out.DecisionID = "DEC-1"
	return out, d.fail
}

func (d *doorman) Consider(context.Context, ops.Principal, ops.GateRequest) (ops.Decision, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.considered++
	return d.answer, d.fail
}

func (d *doorman) Freezes(context.Context) ([]ops.Freeze, error) { return d.freezes, d.fail }
func (d *doorman) Calendar(context.Context, time.Time, time.Time) ([]ops.FreezeSpan, error) {
	return d.spans, d.fail
}

// says sets what the gate answers from now on.
func (d *doorman) says(decision string, reasons ...ops.Reason) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = ops.Decision{Decision: decision, Reasons: reasons}
	if decision == ops.EffectWait {
		d.answer.RetryAfterS = 90
	}
}

// last is what the gate was asked last.
func (d *doorman) last() ops.GateRequest {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.asked) == 0 {
		return ops.GateRequest{Change: &ops.Change{}}
	}
	return d.asked[len(d.asked)-1]
}

// book stands for the journal: a pending effect of the same kind and key is replaced.
type book struct {
	mu      sync.Mutex
	events  []ops.Event
	effects []ops.Effect
	records map[string]ops.Record // by id
	fail    error
}

func (b *book) Load(_ context.Context, kind string, each func(ops.Record) error) error {
	for _, r := range b.records {
		if r.Kind == kind {
			if err := each(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *book) Append(m ops.Mutation) *ops.Receipt {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := ops.NewReceipt()
	if b.fail == nil {
		b.events = append(b.events, m.Events...)
		for _, e := range m.Effects {
			b.put(e)
		}
		for _, x := range m.Put {
			b.records[x.ID] = x
		}
		for _, x := range m.Delete {
			delete(b.records, x.ID)
		}
	}
	r.Settle(nil, b.fail)
	return r
}

func (b *book) put(e ops.Effect) {
	for i := range b.effects {
		if b.effects[i].Kind == e.Kind && b.effects[i].Key == e.Key {
			b.effects[i] = e
			return
		}
	}
	b.effects = append(b.effects, e)
}

// take removes the next effect, as the outbox does that tries it.
func (b *book) take(t *testing.T) ops.Effect {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.effects) == 0 {
		t.Fatal("no effect is to be done")
	}
	e := b.effects[0]
	b.effects = b.effects[1:]
	return e
}

func (b *book) lines(name string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.Name == name {
			n++
		}
	}
	return n
}

// gated is the room with a gate behind a real server.
type gated struct {
	*fixture
	gate   *doorman
	book   *book
	sender string // whose token is sent
	cfg    Config
}

func newGated(t *testing.T, cfg Config) *gated {
	t.Helper()
	g := &gated{gate: &doorman{}, book: &book{records: map[string]ops.Record{}}, sender: "tester", cfg: cfg}
	g.gate.says(ops.EffectAllow)
	g.fixture = &fixture{room: newRoom(func() time.Time { return start }), t: t}
	g.start()
	return g
}

// start opens the room, as it is for the first time or again.
func (g *gated) start() {
	t := g.t
	t.Helper()
	catalog := &ops.Catalog{Services: []ops.Service{{Name: "pay", Tier: "T0"}, {Name: "web", Tier: "T1"}}, Stores: []ops.Store{{ID: "SH-1", City: "上海"}}}
	if err := catalog.Index(); err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return start }
	s, err := New(t.Context(), Options{
		Config: g.cfg, Alerts: g.room, Changes: g.room, Now: now, Registerer: prometheus.NewPedanticRegistry(), Gate: g.gate,
		Catalog: func() *ops.Catalog { return catalog }, Journal: g.book,
		Who: func(*http.Request) ops.Principal { return ops.Principal{Name: g.sender, Role: ops.CI} },
	})
	if err != nil {
		t.Fatal(err)
	}
	g.s = s
	mux := http.NewServeMux()
	for _, m := range s.Mounts() {
		mux.Handle(m.Pattern, m.Handler)
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(func() { srv.Close(); http.DefaultClient.CloseIdleConnections() })
	g.url = srv.URL
}

func TestAGateNeedsTheJournalAndTheCatalog(t *testing.T) {
	r := newRoom(time.Now)
	_, err := New(t.Context(), Options{Alerts: r, Changes: r, Who: func(*http.Request) ops.Principal { return ops.Principal{} }, Gate: &doorman{}})
	if err == nil {
		t.Error("a gate without a journal was taken")
	}
}

func TestForgedHooksLeaveOneAuditLineAMinute(t *testing.T) {
	g := newGated(t, Config{GitHub: Secret{Secret: "s"}})
	for range 5 {
		if code, body := g.send("POST", "/hooks/github", `{}`, "X-GitHub-Event", "ping", "X-Hub-Signature-256", "sha256=00"); code != 401 {
			t.Fatalf("a forged hook is answered %d %s", code, body)
		}
	}
	if n := g.book.lines("hook.refused"); n != 1 {
		t.Errorf("%d audit lines, want 1", n)
	}
	if left, ok := g.s.forgeries.due("github", start.Add(time.Minute)); !ok || left != 4 {
		t.Errorf("a minute later a line may be written: %v, with %d left out before it; want true, 4", ok, left)
	}
}

func TestADecisionIsToldInOneLine(t *testing.T) {
	d := ops.Decision{Decision: ops.EffectDeny, RetryAfterS: 60, Reasons: []ops.Reason{
		{Rule: "catalog", Effect: ops.EffectAllow, Message: "not listed"}, {Rule: "freeze", Effect: ops.EffectDeny, Message: "closed"}, {Rule: "collision", Effect: ops.EffectWait, Message: "busy"},
	}}
	if got, want := explain(d), "denied: freeze: closed; collision: busy; ask again in 1m0s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := cut(strings.Repeat("上", 400), 1024); len(got) > 1024 || !strings.HasSuffix(got, "上…") {
		t.Errorf("cut to %d bytes: …%q", len(got), got[len(got)-12:])
	}
}

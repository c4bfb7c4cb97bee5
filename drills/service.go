package drills

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"goc/ops"
)

const (
	recordKind = "drill_run"
	keep       = 1000             // runs; older ones go, and the audit still tells of them
	linger     = 20 * time.Second // after its end what the fault set off may still arrive
)

// Journal is the durable state as drills need it.
type Journal interface {
	Append(m ops.Mutation) *ops.Receipt
	Load(ctx context.Context, kind string, each func(ops.Record) error) error
}

// Options are what New needs. Config, Journal, Do, Incidents and Querier are required.
type Options struct {
	Config  Config
	Journal Journal
	// Do does a step with its parameters filled in and returns the bounded answer, as the executor of plans does.
	Do func(ctx context.Context, key string, s ops.Step, params map[string]string) (answer string, err error)
	// Incidents are those that are active, and those that were resolved within the last hours, with their clocks.
	Incidents  func() []ops.Incident
	Querier    ops.Querier
	Change     func(ctx context.Context, id string) (ops.Change, error) // nil: a change is known only by the injection's answer
	Expand     func(ops.Scope) ops.Scope                                // what the catalog adds to a scope; nil: nothing
	Registerer prometheus.Registerer                                    // nil: metrics are counted and not shown
	Logger     *slog.Logger                                             // nil: silent
	Now        func() time.Time                                         // nil: time.Now
}

// Service holds the drills and their runs. All its methods may be called at once.
type Service struct {
	o      Options
	config atomic.Pointer[Config]
	wake   chan struct{}

	mu     sync.Mutex
	runs   map[string]run
	last   int                // the highest number of a run
	cancel context.CancelFunc // of the injection under way, nil when there is none

	ended *prometheus.CounterVec
}

// New loads the runs. One that was not at its end when the program stopped is reverted first, before anything else.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Journal == nil || o.Do == nil || o.Incidents == nil || o.Querier == nil {
		return nil, errors.New("drills: Journal, Do, Incidents and Querier are required")
	}
	if o.Expand == nil {
		o.Expand = func(s ops.Scope) ops.Scope { return s }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{o: o, wake: make(chan struct{}, 1), runs: map[string]run{}}
	s.ended = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goc_drill_runs_total", Help: "Runs of drills that ended, by state."}, []string{"state"})
	if o.Registerer != nil {
		o.Registerer.MustRegister(s.ended)
	}
	if err := s.Reload(o.Config); err != nil {
		return nil, err
	}
	if err := o.Journal.Load(ctx, recordKind, s.load); err != nil {
		return nil, err
	}
	return s, s.recover(ctx)
}

// Reload puts other drills in force. A run under way keeps the blast radius that it began with and is reverted by the
// drill of its name as it then is, so that drill may not vanish.
func (s *Service) Reload(c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if r, ok := s.current(); ok && !slices.ContainsFunc(c.Drills, func(d ops.Drill) bool { return d.Name == r.Drill }) {
		return ops.Errorf(ops.Conflict, "drill %s runs (%s) and may not be taken out", r.Drill, r.ID).At("drills.drills").WithHint("abort the run first")
	}
	s.config.Store(&c)
	return nil
}

func (s *Service) load(rec ops.Record) error {
	var r run
	if err := json.Unmarshal(rec.Body, &r); err != nil {
		return ops.Errorf(ops.Internal, "the record of drill run %s cannot be read: %w", rec.ID, err)
	}
	s.runs[r.ID] = r
	s.last = max(s.last, number(r.ID))
	return nil
}

// recover makes each run that was left in the middle revert.
func (s *Service) recover(ctx context.Context) error {
	for _, r := range s.list() {
		if r.State != ops.DrillInjecting && r.State != ops.DrillWatching {
			continue
		}
		_, err := s.change(ctx, r.ID, ops.System.Name, func(r *run) ([]news, error) {
			r.leave(ops.DrillAborted, "goc was stopped while the drill ran")
			return []news{{"drill.reverting", r.Drill + ": goc was stopped while the drill ran; the fault is taken away first"}}, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Drills lists the drills in the configuration's order, with the values of their headers hidden.
func (s *Service) Drills() []ops.Drill {
	out := slices.Clone(s.config.Load().Drills)
	for i := range out {
		out[i].Inject, out[i].Revert = redact(out[i].Inject), redact(out[i].Revert)
	}
	return out
}

// redact hides what may be a secret in a step.
func redact(st ops.Step) ops.Step {
	if st.HTTP == nil {
		return st
	}
	h := *st.HTTP
	h.Headers = map[string]string{}
	for k := range st.HTTP.Headers {
		h.Headers[k] = "***"
	}
	st.HTTP = &h
	return st
}

// drill finds a drill by name.
func (s *Service) drill(name string) (ops.Drill, error) {
	for _, d := range s.config.Load().Drills {
		if d.Name == name {
			return d, nil
		}
	}
	return ops.Drill{}, ops.Errorf(ops.NotFound, "there is no drill of this name").WithHint("goc drill list shows the drills")
}

func number(id string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(id, "DRL-"))
	return n
}

// list returns all runs, newest first.
func (s *Service) list() []run {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]run, 0, len(s.runs))
	for _, r := range s.runs {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b run) int { return cmp.Compare(number(b.ID), number(a.ID)) })
	return out
}

// Runs lists the runs, newest first, at most 100.
func (s *Service) Runs(context.Context) ([]ops.DrillRun, error) {
	var out []ops.DrillRun
	for _, r := range s.list() {
		if len(out) < 100 {
			out = append(out, r.public())
		}
	}
	return out, nil
}

// Get finds a run.
func (s *Service) Get(_ context.Context, id string) (ops.DrillRun, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.runs[id]
	if !ok {
		return ops.DrillRun{}, ops.Errorf(ops.NotFound, "there is no such run")
	}
	return r.public(), nil
}

// public is a copy that its receiver may keep.
func (r run) public() ops.DrillRun {
	out := r.DrillRun
	out.Legs = slices.Clone(r.Legs)
	return out
}

// ActiveDrill names the run that something with the scope at a time is to be laid to, "" for none: between its start and
// a little after its end (linger).
func (s *Service) ActiveDrill(scope ops.Scope, at time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		over := !r.live() && at.After(r.FinishedAt.Add(linger))
		began := r.live() || !r.InjectedAt.IsZero()
		if !over && began && !at.Before(r.CreatedAt.Time) && touches(r.Scope, scope, s.o.Expand) {
			return r.ID
		}
	}
	return ""
}

// Start begins a drill: it is recorded, then injected by Run. It is refused while another drill runs, while there is real
// trouble, and while an abort check does not hold.
func (s *Service) Start(ctx context.Context, who ops.Principal, drill string) (ops.DrillRun, error) {
	return s.start(ctx, who, drill, "")
}

func (s *Service) start(ctx context.Context, who ops.Principal, drill, slot string) (ops.DrillRun, error) {
	d, err := s.drill(drill)
	if err != nil {
		return ops.DrillRun{}, err
	}
	if err := s.mayStart(ctx, d); err != nil {
		return ops.DrillRun{}, err
	}
	s.mu.Lock()
	for _, r := range s.runs {
		if r.live() {
			s.mu.Unlock()
			return ops.DrillRun{}, ops.Errorf(ops.Conflict, "%s (%s) is %s: one drill at a time", r.ID, r.Drill, r.State)
		}
	}
	r := s.make(d, who, slot)
	receipt := s.commit(r, who.Name, news{"drill.started", fmt.Sprintf("%s started drill %s (%s)", who.Name, d.Name, r.ID)})
	s.mu.Unlock()
	if _, err := receipt.Wait(ctx); err != nil {
		return ops.DrillRun{}, err
	}
	s.poke()
	return r.public(), nil
}

// forget drops the oldest runs beyond keep from memory and returns their records. The caller holds s.mu.
func (s *Service) forget() (gone []ops.Record) {
	for n := s.last - 2*keep; len(s.runs) > keep && n < s.last; n++ {
		if r, ok := s.runs[fmt.Sprintf("DRL-%d", n)]; ok && !r.live() {
			delete(s.runs, r.ID)
			gone = append(gone, ops.Record{Kind: recordKind, ID: r.ID})
		}
	}
	return gone
}

// make builds a new run. The caller holds s.mu.
func (s *Service) make(d ops.Drill, who ops.Principal, slot string) run {
	s.last++
	return run{DrillRun: ops.DrillRun{
		ID: fmt.Sprintf("DRL-%d", s.last), Drill: d.Name, Title: d.Title, State: ops.DrillInjecting, StartedBy: who.Name,
		Scope: d.Scope, CreatedAt: ops.At(s.o.Now()), Legs: newLegs(),
	}, Slot: slot}
}

// mayStart says why a drill may not begin now.
func (s *Service) mayStart(ctx context.Context, d ops.Drill) error {
	w := world{now: s.o.Now(), incidents: s.o.Incidents(), expand: s.o.Expand}
	if bad, ok := w.trouble(run{}); ok {
		return ops.Errorf(ops.Conflict, "%s %s is open: no drill while there is real trouble", bad.Severity, bad.ID)
	}
	for _, c := range d.Abort {
		if ok, text := s.ask(ctx, c); !ok {
			return ops.Errorf(ops.Conflict, "the abort check %q does not hold: %s", c.Name, text)
		}
	}
	return nil
}

// Abort stops a drill: the fault is taken away next.
func (s *Service) Abort(ctx context.Context, who ops.Principal, id string) (ops.DrillRun, error) {
	r, err := s.change(ctx, id, who.Name, func(r *run) ([]news, error) {
		if r.State != ops.DrillInjecting && r.State != ops.DrillWatching {
			return nil, ops.Errorf(ops.Conflict, "%s is %s: there is nothing to abort", r.ID, r.State)
		}
		r.leave(ops.DrillAborted, "aborted by "+who.Name)
		return []news{{"drill.reverting", r.Drill + ": aborted by " + who.Name + "; the fault is taken away"}}, nil
	})
	if err != nil {
		return ops.DrillRun{}, err
	}
	s.mu.Lock()
	if s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()
	return r.public(), nil
}

// change lets fn change a run and returns it once that is on disk. An error of fn changes nothing.
func (s *Service) change(ctx context.Context, id, actor string, fn func(*run) ([]news, error)) (run, error) {
	s.mu.Lock()
	r, ok := s.runs[id]
	if !ok {
		s.mu.Unlock()
		return run{}, ops.Errorf(ops.NotFound, "there is no such run")
	}
	before := r.State
	r.Legs = slices.Clone(r.Legs)
	what, err := fn(&r)
	if err != nil {
		s.mu.Unlock()
		return r, err
	}
	receipt := s.commit(r, actor, what...)
	s.mu.Unlock()
	if _, err := receipt.Wait(ctx); err != nil {
		return r, err
	}
	if !r.live() && before != r.State {
		s.ended.WithLabelValues(string(r.State)).Inc()
	}
	for _, n := range what {
		s.o.Logger.Info("a drill moved", "run", r.ID, "drill", r.Drill, "event", n.name, "state", r.State)
	}
	s.poke()
	return r, nil
}

// commit applies a run and appends it with its events. The caller holds s.mu and waits for the receipt without it.
func (s *Service) commit(r run, actor string, what ...news) *ops.Receipt {
	s.runs[r.ID] = r
	m := ops.Mutation{Put: []ops.Record{ops.Encode(recordKind, r.ID, r)}, Delete: s.forget()}
	for _, n := range what {
		m.Events = append(m.Events, ops.NewEvent(ops.At(s.o.Now()), n.name, "drills", r.ID, actor, struct {
			Text string       `json:"text"`
			Run  ops.DrillRun `json:"run"`
		}{n.text, r.DrillRun}))
	}
	return s.o.Journal.Append(m)
}

func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

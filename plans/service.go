package plans

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"goc/ops"
)

// EffectKind is the kind of the effects that HandleStep does.
const EffectKind = "plan_step"

// recordKind is the kind of the records of runs.
const recordKind = "run"

// Journal is the durable state as plans need it.
type Journal interface {
	Append(m ops.Mutation) *ops.Receipt
	Load(ctx context.Context, kind string, each func(ops.Record) error) error
}

// Options are what New needs. Config, Journal, Querier and Incident are required.
type Options struct {
	Config     Config
	Journal    Journal
	Querier    ops.Querier
	Incident   func(ctx context.Context, id string) (ops.Incident, error)
	Affected   func(ops.Scope) (stores, devices int) // blast radius; nil: unknown, shown as 0
	Overlap    func(a, b ops.Scope) bool             // with the catalog's knowledge; nil: ops.Scope.Overlaps
	Executor   *Executor                             // nil: one of its own on HTTPClient
	HTTPClient *http.Client                          // nil: a plain one
	Registerer prometheus.Registerer                 // nil: metrics are counted and not shown
	Logger     *slog.Logger                          // nil: silent
	Now        func() time.Time                      // nil: time.Now
	Poll       time.Duration                         // how often checks are asked; 0: every second
}

// Service holds the plans and their runs. All its methods may be called at once.
type Service struct {
	o      Options
	config atomic.Pointer[Config]
	wake   chan struct{}

	mu   sync.Mutex
	runs map[string]run
	last int // the highest number of a run

	ended, steps *prometheus.CounterVec
}

// New loads the runs and marks the steps that were under way when the program stopped as indeterminate.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Journal == nil || o.Querier == nil || o.Incident == nil {
		return nil, errors.New("plans: Journal, Querier and Incident are required")
	}
	o.defaults()
	s := &Service{o: o, wake: make(chan struct{}, 1), runs: map[string]run{}}
	s.ended = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goc_plan_runs_total", Help: "Runs of response plans that ended, by state."}, []string{"state"})
	s.steps = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goc_plan_steps_total", Help: "Steps of response plans, by outcome."}, []string{"outcome"})
	if o.Registerer != nil {
		o.Registerer.MustRegister(s.ended, s.steps)
	}
	if err := s.Reload(o.Config); err != nil {
		return nil, err
	}
	if err := o.Journal.Load(ctx, recordKind, s.load); err != nil {
		return nil, err
	}
	return s, s.recover(ctx)
}

func (o *Options) defaults() {
	if o.Affected == nil {
		o.Affected = func(ops.Scope) (int, int) { return 0, 0 }
	}
	if o.Overlap == nil {
		o.Overlap = ops.Scope.Overlaps
	}
	if o.Executor == nil {
		o.Executor = NewExecutor(o.HTTPClient)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Poll = cmp.Or(o.Poll, time.Second)
}

// Reload puts other plans in force. A run whose plan has changed does no further step.
func (s *Service) Reload(c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	s.config.Store(&c)
	return nil
}

func (s *Service) load(rec ops.Record) error {
	var r run
	if err := json.Unmarshal(rec.Body, &r); err != nil {
		return ops.Errorf(ops.Internal, "the record of run %s cannot be read: %w", rec.ID, err)
	}
	s.runs[r.ID] = r
	if n, err := strconv.Atoi(strings.TrimPrefix(r.ID, "RUN-")); err == nil {
		s.last = max(s.last, n)
	}
	return nil
}

// recover marks what was under way as not known, before anything else may happen.
func (s *Service) recover(ctx context.Context) error {
	for _, r := range s.list() {
		if i := lastIn(r, stepRunning); i < 0 || !acts(r.Steps[i]) {
			continue
		}
		if _, err := s.signal(ctx, r.ID, signal{kind: sigRestarted}); err != nil {
			return err
		}
	}
	return nil
}

// Plans lists the plans in the configuration's order, with the values of their headers hidden.
func (s *Service) Plans() []ops.Plan {
	out := slices.Clone(s.config.Load().Plans)
	for i := range out {
		out[i].Steps = slices.Clone(out[i].Steps)
		for j := range out[i].Steps {
			out[i].Steps[j] = redact(out[i].Steps[j])
		}
	}
	return out
}

// redact hides what may be a secret in a step.
func redact(st ops.Step) ops.Step {
	if st.HTTP != nil {
		h := *st.HTTP
		h.Headers = map[string]string{}
		for k := range st.HTTP.Headers {
			h.Headers[k] = "***"
		}
		if at, host := strings.Index(h.URL, "://"), strings.Index(h.URL, "@"); at > 0 && host > at && !strings.Contains(h.URL[at+3:host], "/") {
			h.URL = h.URL[:at+3] + "***" + h.URL[host:]
		}
		st.HTTP = &h
	}
	if st.Undo != nil {
		undo := redact(*st.Undo)
		st.Undo = &undo
	}
	return st
}

// plan finds a plan by name.
func (s *Service) plan(name string) (ops.Plan, error) {
	for _, p := range s.config.Load().Plans {
		if p.Name == name {
			return p, nil
		}
	}
	return ops.Plan{}, ops.Errorf(ops.NotFound, "there is no plan of this name").WithHint("goc plan list shows the plans")
}

// fingerprint tells whether a plan is still the one that a run was made of. Headers are left out: secrets may be renewed.
func fingerprint(p ops.Plan) string {
	p.Title, p.Description, p.Expected, p.Alerts, p.ChangeKinds = "", "", 0, nil, nil
	steps := slices.Clone(p.Steps)
	for i := range steps {
		steps[i] = redact(steps[i])
	}
	p.Steps = steps
	b, err := json.Marshal(p)
	if err != nil {
		panic("plans: a plan does not marshal: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
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

func number(id string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(id, "RUN-"))
	return n
}

// Runs lists the runs, newest first, at most 100.
func (s *Service) Runs(context.Context) ([]ops.Run, error) {
	var out []ops.Run
	for _, r := range s.list() {
		if len(out) < 100 {
			out = append(out, r.public())
		}
	}
	return out, nil
}

// RunsOf lists the ids of an incident's runs, oldest first.
func (s *Service) RunsOf(incident string) []string {
	var out []string
	for _, r := range s.list() {
		if incident != "" && r.Incident == incident {
			out = append(out, r.ID)
		}
	}
	slices.Reverse(out)
	return out
}

// Get finds a run.
func (s *Service) Get(_ context.Context, id string) (ops.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.runs[id]
	if !ok {
		return ops.Run{}, ops.Errorf(ops.NotFound, "there is no such run")
	}
	return r.public(), nil
}

// public is a copy that its receiver may keep.
func (r run) public() ops.Run {
	out := r.Run
	out.Steps = slices.Clone(r.Steps)
	return out
}

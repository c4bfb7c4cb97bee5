package incidents

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"goc/incidents/engine"
	"goc/incidents/history"
	"goc/ops"
)

// Journal makes state durable and gives it back.
type Journal interface {
	Append(m ops.Mutation) *ops.Receipt
	Load(ctx context.Context, kind string, each func(ops.Record) error) error
	Events(ctx context.Context, q ops.EventQuery) ([]ops.Event, error)
}

// Options is what the room needs. Journal is required; everything else may be left out.
type Options struct {
	Config  Config
	OnCall  OnCallConfig
	Catalog *ops.Catalog // indexed; nil knows nothing
	Journal Journal
	Querier ops.Querier // answers for times that the engine's own memory no longer holds
	History string      // the folder in which everything that the engine is told is recorded; "" records nothing
	Version string      // of the program, for that record

	// What other rooms know. None may block or call back into this room.
	Affected    func(ops.Scope) engine.Affected
	VoiceAbove  func(ops.Scope) int
	PlansFor    func(ops.Incident) []string
	ActiveDrill func(ops.Scope, time.Time) string

	Registerer prometheus.Registerer
	Logger     *slog.Logger
	Now        func() time.Time
}

// Service is the room. Its writes go through one mutex around the engine; reads come from what was last published and
// never wait for a write.
type Service struct {
	cfg     Config
	updates map[ops.Severity]time.Duration // how often stakeholders are to be told
	oncall  []rotation
	catalog atomic.Pointer[ops.Catalog]
	journal Journal
	querier ops.Querier
	log     *slog.Logger
	now     func() time.Time
	counts  *metrics

	arrivals arrivals

	mu      sync.Mutex
	engine  *engine.Engine
	latest  time.Time         // of the last step: time does not run backwards
	asked   *history.Asked    // what the other rooms answered the engine
	history *history.Recorder // nil records nothing

	remember memory // what past incidents are compared by
	pub      sync.RWMutex
	shown    map[string]ops.Incident
	open     map[string]bool              // the ids of those shown that are not resolved
	alerts   map[string]ops.IncidentAlert // firing
	silences []ops.Silence
	symptoms map[string]engine.Symptom // what each incident shown is about
	cut      time.Time                 // when the newest of those that left the memory was detected; zero while none did
	active   atomic.Pointer[[]ops.Incident]
}

// New opens the room: it brings back what the journal holds, running clocks and leases included.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Journal == nil {
		return nil, ops.Errorf(ops.Internal, "incidents: a journal is required")
	}
	s := &Service{cfg: o.Config, journal: o.Journal, querier: o.Querier, log: o.Logger, now: o.Now, shown: map[string]ops.Incident{}, open: map[string]bool{}, alerts: map[string]ops.IncidentAlert{}, symptoms: map[string]engine.Symptom{}}
	s.remember.over = map[string]*past{}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if o.Catalog == nil {
		o.Catalog = &ops.Catalog{}
		if err := o.Catalog.Index(); err != nil {
			return nil, err
		}
	}
	s.catalog.Store(o.Catalog)
	var err error
	if s.oncall, err = o.OnCall.compile(); err != nil {
		return nil, err
	}
	cfg := EngineConfig(o.Config)
	s.updates = cfg.Updates
	s.asked = history.Ask(engine.Hooks{Affected: o.Affected, VoiceAbove: o.VoiceAbove, PlansFor: o.PlansFor, ActiveDrill: o.ActiveDrill})
	s.engine = engine.New(cfg, o.Catalog, s.asked.Hooks())
	if err := s.restore(ctx); err != nil {
		return nil, err
	}
	s.openHistory(o)
	s.counts = newMetrics(o.Registerer, s)
	s.counts.restored(s.shown)
	return s, nil
}

// Reload takes a new catalog, which must be indexed.
func (s *Service) Reload(c *ops.Catalog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catalog.Store(c)
	s.engine.Reload(c)
	if s.history != nil {
		s.history.Reload(s.tell(), c)
	}
}

// Run lets time pass for the incidents until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if out, receipts := s.step(engine.Tick{}); len(receipts) > 0 {
				if err := wait(ctx, receipts); err != nil && ctx.Err() == nil {
					s.log.Error("what time brought about is not on disk", "events", len(out.Events), "err", err)
				}
			}
		}
	}
}

// step runs one input through the engine and hands what follows to the journal, in the order of the steps. The caller
// waits for the receipts before it answers anyone.
func (s *Service) step(in engine.Input) (engine.Outputs, []*ops.Receipt) {
	in, unsound := engine.Whole(in)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run(in, unsound)
}

// run is step for those who hold the mutex and whose input is whole.
func (s *Service) run(in engine.Input, unsound error) (engine.Outputs, []*ops.Receipt) {
	out := s.take(in, unsound)
	var receipts []*ops.Receipt
	for _, m := range split(out.Mutation()) {
		receipts = append(receipts, s.journal.Append(m))
	}
	s.publish(out)
	s.counts.observe(out)
	return out, receipts
}

// take lets the engine take one input and records that. The mutex is held.
func (s *Service) take(in engine.Input, unsound error) engine.Outputs {
	done := false
	defer func() {
		if !done { // a mistake of ours, which somebody above turns into an error
			s.abandon()
		}
	}()
	out := s.engine.Step(in, s.tell())
	s.record(in, unsound)
	done = true
	return out
}

// do runs one input and waits until it is on disk.
func (s *Service) do(ctx context.Context, in engine.Input) (engine.Outputs, error) {
	out, receipts := s.step(in)
	if err := wait(ctx, receipts); err != nil {
		return out, err
	}
	return out, out.Err
}

func wait(ctx context.Context, receipts []*ops.Receipt) error {
	for _, r := range receipts {
		if _, err := r.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Bounds of one mutation, below those of the journal.
const (
	maxItems = 15_000
	maxBytes = 16 << 20
)

// split cuts what a step wrote into mutations that the journal takes. One is nearly always enough.
func split(m ops.Mutation) []ops.Mutation {
	var out []ops.Mutation
	var cur ops.Mutation
	items, bytes := 0, 0
	room := func(n int) {
		if items++; items > maxItems || bytes+n > maxBytes && items > 1 {
			out = append(out, cur)
			cur, items, bytes = ops.Mutation{}, 1, 0
		}
		bytes += n
	}
	for _, r := range m.Delete {
		room(len(r.ID))
		cur.Delete = append(cur.Delete, r)
	}
	for _, r := range m.Put {
		room(len(r.Body))
		cur.Put = append(cur.Put, r)
	}
	for _, e := range m.Events {
		room(len(e.Data))
		cur.Events = append(cur.Events, e)
	}
	if items > 0 {
		out = append(out, cur)
	}
	return out
}

// ObserveChange takes a change as it now is on record. It does not wait for the disk: a ranking can be made again.
func (s *Service) ObserveChange(c ops.Change) { s.step(engine.Change{Change: c}) }

// ObserveSamples takes values of indicators. It does not wait for the disk.
func (s *Service) ObserveSamples(samples []ops.Sample) {
	if len(samples) > 0 {
		s.step(engine.Samples{Samples: samples})
	}
}

// ObserveRun notes that a plan's run belongs to an incident.
func (s *Service) ObserveRun(r ops.Run) {
	if r.Incident != "" {
		s.step(engine.Run{ID: r.ID, Incident: r.Incident})
	}
}

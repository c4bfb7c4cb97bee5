package fleet

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"goc/ops"
)

// Journal is where the fleet's state is kept.
type Journal interface {
	Append(m ops.Mutation) *ops.Receipt
	Load(ctx context.Context, kind string, each func(ops.Record) error) error
}

// Options is what the fleet needs. Catalog and Journal are required; a nil Registerer registers nothing.
type Options struct {
	Config     Config
	Catalog    *ops.Catalog
	Journal    Journal
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	Now        func() time.Time                                        // nil: time.Now
	Problem    func(w http.ResponseWriter, r *http.Request, err error) // writes a whole-body failure; nil: problem+json
}

// Service is the table of devices. All methods may be called at any time from any goroutine.
type Service struct {
	cfg     Config
	journal Journal
	log     *slog.Logger
	now     func() time.Time
	problem func(w http.ResponseWriter, r *http.Request, err error)
	count   *counters

	mu      sync.RWMutex
	catalog *ops.Catalog
	t       table
	wheel   wheel
	ready   int64        // since when we listen, Unix ms
	ticked  int64        // when the loop last ran
	flip    int64        // when the next store opens or closes; 0: look at all
	last    *ops.Receipt // of the latest mutation: nobody is answered before it is on disk

	wall wall
}

// New loads the table from the journal. Run must be running for deadlines to be kept.
func New(ctx context.Context, o Options) (*Service, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	if o.Catalog == nil || o.Journal == nil {
		return nil, ops.Errorf(ops.Internal, "fleet: Catalog and Journal are required")
	}
	s := &Service{cfg: o.Config.filled(), journal: o.Journal, log: o.Logger, now: o.Now, problem: o.Problem, count: newCounters(), t: newTable()}
	if s.log == nil {
		s.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.problem == nil {
		s.problem = writeProblem
	}
	now := s.now()
	s.wheel.now, s.ready, s.ticked = now.UnixMilli()/tickMs, now.UnixMilli(), now.UnixMilli()
	if err := s.adopt(o.Catalog, now); err != nil {
		return nil, err
	}
	if err := s.restore(ctx); err != nil {
		return nil, fmt.Errorf("loading the fleet: %w", err)
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(collector{s}); err != nil {
			return nil, fmt.Errorf("registering the fleet's metrics: %w", err)
		}
	}
	return s, nil
}

// Reload takes a new catalog: stores come and change, kinds get new intervals. A store that the catalog no longer
// lists stays for as long as it has devices.
func (s *Service) Reload(c *ops.Catalog) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if err := s.adopt(c, now); err != nil {
		return err
	}
	for id := range s.t.rows {
		s.hang(int32(id), now.UnixMilli()+1)
	}
	s.t.remake = true
	return nil
}

// adopt checks all of the catalog first, and then takes it.
func (s *Service) adopt(c *ops.Catalog, now time.Time) error {
	parsed := make([]hours, len(c.Stores))
	for i, st := range c.Stores {
		h, err := parseHours(st.Hours, st.Timezone)
		if err != nil {
			return fmt.Errorf("catalog.stores[%d].%w", i, err)
		}
		parsed[i] = h
	}
	s.catalog, s.flip = c, 0
	for i, st := range c.Stores {
		id, ok := s.t.storeID[st.ID]
		if !ok {
			id = s.t.addStore(st)
		}
		site := &s.t.stores[id]
		site.Store, site.hours = st, parsed[i]
		s.openOrClose(site, now)
	}
	for i, name := range s.t.kinds.all {
		s.t.kind[i] = s.kindInfo(name)
	}
	return nil
}

// addStore makes room for a store.
func (t *table) addStore(st ops.Store) uint32 {
	id := uint32(len(t.stores))
	t.stores = append(t.stores, site{Store: st, isOpen: true})
	t.storeID[st.ID] = id
	t.remake = true
	return id
}

// kindInfo is the interval and grace of a kind: the catalog's, else the configuration's.
func (s *Service) kindInfo(name string) kindInfo {
	interval, grace := s.cfg.DefaultInterval, s.cfg.DefaultGrace
	for _, k := range s.catalog.DeviceKinds {
		if k.Name != name {
			continue
		}
		if k.Interval > 0 {
			interval = k.Interval
		}
		if k.Grace > 0 {
			grace = k.Grace
		}
	}
	return kindInfo{interval: time.Duration(interval).Milliseconds(), grace: time.Duration(grace).Milliseconds()}
}

// openOrClose sets whether a store is open at now, and says whether that is new.
func (s *Service) openOrClose(st *site, now time.Time) (changed bool) {
	open, since, flip := st.hours.at(now)
	changed = open != st.isOpen
	st.isOpen, st.opened, st.flip = open, 0, 0
	if !flip.IsZero() {
		st.flip = flip.UnixMilli()
	}
	if open && !since.IsZero() {
		st.opened = since.UnixMilli()
	}
	return changed
}

// facts gathers what decides the state of a row.
func (s *Service) facts(id int32) facts {
	r := &s.t.rows[id]
	st, k := &s.t.stores[r.store], s.t.kind[s.t.makes[r.make].kind]
	f := facts{
		seen: r.seen, well: r.status == 0, interval: k.interval, grace: k.grace,
		retired: r.state == ops.Retired, open: st.isOpen, ready: s.ready,
	}
	if st.opened > r.seen {
		f.opened = st.opened + time.Duration(s.cfg.OpeningGrace).Milliseconds()
	}
	return f
}

// settle brings a row's state up to date and hangs it for when it may change next.
func (s *Service) settle(id int32, now int64, b *batch) {
	r := &s.t.rows[id]
	from := r.state
	to, wake := decide(from, s.facts(id), now)
	if to != from {
		s.t.move(id, to, now)
		b.add(change{id: id, from: from})
	}
	s.hang(id, wake)
}

const tickMs = int64(tick / time.Millisecond)

// hang makes sure that the row is looked at by wake; 0 is never. A row that comes up earlier anyway is left there.
func (s *Service) hang(id int32, wake int64) {
	r := &s.t.rows[id]
	if wake == 0 {
		r.hung = 0
		return
	}
	at := (wake + tickMs - 1) / tickMs
	if r.hung > s.wheel.now && r.hung <= at {
		return
	}
	r.hung = s.wheel.put(id, at)
}

package fleet

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
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
	Notify     func(context.Context, []ops.Alert)                      // is told what devices that are not well share; nil: nobody is
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

	makes   *makes
	shards  [shardCount]shard
	devices atomic.Int64 // rows in all shards
	stores  atomic.Int64 // sites in all shards

	// Read under the lock of any shard, written under those of all.
	catalog *ops.Catalog
	ready   int64 // since when we listen, Unix ms
	ticked  int64 // when the loop last ran
	flip    int64 // when the next store opens or closes; 0: look at all

	calmed int64 // when calm last looked

	flap flapRules
	skew int64 // Config.MaxSkew, ms
	odd  odd

	wall   wall
	shared shared
	notify func(context.Context, []ops.Alert)
}

// New loads the table from the journal. Run must be running for deadlines to be kept.
func New(ctx context.Context, o Options) (*Service, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	if o.Catalog == nil || o.Journal == nil {
		return nil, ops.Errorf(ops.Internal, "fleet: Catalog and Journal are required")
	}
	s := &Service{cfg: o.Config.filled(), journal: o.Journal, log: o.Logger, now: o.Now, problem: o.Problem, notify: o.Notify, count: newCounters()}
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
	s.makes = newMakes(s.kindInfo)
	s.skew = time.Duration(s.cfg.MaxSkew).Milliseconds()
	s.flap = flapRules{
		changes: s.cfg.Flap.Changes, window: time.Duration(s.cfg.Flap.Window).Milliseconds(), calm: time.Duration(s.cfg.Flap.Calm).Milliseconds(),
	}
	for i := range s.shards {
		s.shards[i].init(now.UnixMilli() / tickMs)
	}
	s.ready, s.ticked = now.UnixMilli(), now.UnixMilli()
	s.adopt(o.Catalog, now)
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
	s.lock(allShards)
	defer s.unlock(allShards)
	now := s.now()
	s.adopt(c, now)
	for i := range s.shards {
		s.shards[i].rejudge(s.makes.list(), now.Unix())
		s.shards[i].rehang(now.UnixMilli() + 1)
		s.shards[i].remake = true
	}
	return nil
}

// adopt takes a catalog, which has been indexed.
func (s *Service) adopt(c *ops.Catalog, now time.Time) {
	s.catalog, s.flip = c, 0
	known := moment{now: now}
	for _, st := range c.Stores {
		sh := &s.shards[shardOf(st.ID)]
		site := s.siteFor(sh, st)
		site.Store, site.hours = st, c.Hours(st.ID)
		site.openOrClose(&known)
	}
	s.makes.refresh()
}

// siteFor returns the site of a store, which is made if need be.
func (s *Service) siteFor(sh *shard, st ops.Store) *site {
	if id, ok := sh.index[st.ID]; ok {
		return &sh.sites[id]
	}
	return s.addSite(sh, st)
}

// addSite makes room for a store; on the wall it comes after those that were there.
func (s *Service) addSite(sh *shard, st ops.Store) *site {
	return sh.addSite(st, uint32(s.stores.Add(1)))
}

// kindInfo is the interval and grace of a kind: the catalog's, else the configuration's.
func (s *Service) kindInfo(name string) kindInfo {
	interval, grace := s.cfg.DefaultInterval, s.cfg.DefaultGrace
	gateway, lim := false, (*limits)(nil)
	for _, k := range s.catalog.DeviceKinds {
		if k.Name != name {
			continue
		}
		gateway = k.Gateway
		if k.Interval > 0 {
			interval = k.Interval
		}
		if k.Grace > 0 {
			grace = k.Grace
		}
		lim = limitsOf(k.Telemetry)
	}
	return kindInfo{interval: time.Duration(interval).Milliseconds(), grace: time.Duration(grace).Milliseconds(), gateway: gateway, limits: lim}
}

// facts gathers what decides the state of a row.
func (s *Service) facts(sh *shard, id uint32) facts {
	r := sh.rows.at(id)
	c := sh.cells.at(r.cell)
	st, m := &sh.sites[c.site], &s.makes.list()[c.mk]
	f := facts{
		seen: r.seen, well: r.status() == 0 && (r.flags&gauged == 0 || sh.beyondOf(id) == 0), interval: m.interval, grace: m.grace,
		retired: r.state == ops.Retired, open: st.isOpen, ready: s.ready,
	}
	if st.opened > r.seen {
		f.opened = st.opened + time.Duration(s.cfg.OpeningGrace).Milliseconds()
	}
	return f
}

// settle brings a row's state up to date and hangs it for when it may change next.
func (s *Service) settle(sh *shard, id uint32, now int64, b *batch) {
	r := sh.rows.at(id)
	from, f := r.state, s.facts(sh, id)
	to, wake := decide(from, f, now)
	if to != from {
		s.turn(sh, id, to, now, b)
	}
	// Never further ahead than a beat would put it: so no beat ever needs to take a row from its slot.
	sh.hang(id, min(wake, now+f.interval+1))
}

const tickMs = int64(tick / time.Millisecond)

// hang makes sure that the row is looked at by wake; 0 is never. A row that comes up earlier anyway is left there.
func (s *shard) hang(id uint32, wake int64) {
	r := s.rows.at(id)
	if wake == 0 || r.hung != 0 && int64(r.hung)+s.firstTick <= ceilTick(wake) {
		return // one that waits for nothing comes up once more, and is then left alone
	}
	s.unhang(id)
	s.put(id, ceilTick(wake))
}

func ceilTick(ms int64) int64 { return (ms + tickMs - 1) / tickMs }

// rehang hangs every row anew, for a time.
func (s *shard) rehang(ms int64) {
	s.wheel.slots = [wheelSlots]uint32{}
	for id := range s.rows.n {
		s.rows.at(id).hung = 0
		if s.nameOf(id) != "" { // else it was moved away
			s.put(id, ceilTick(ms))
		}
	}
}

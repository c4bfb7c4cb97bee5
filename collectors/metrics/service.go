package metrics

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"golang.org/x/sync/errgroup"

	"goc/ops"
)

// exprParser is Prometheus' PromQL without its experiments.
var exprParser = parser.NewParser(parser.Options{})

// Options of Open. Dir is required.
type Options struct {
	Config     Config
	Dir        string                // folder of the embedded store, which is made when it does not exist
	ConfigDir  string                // against which relative paths in scrape_configs are resolved
	Catalog    *ops.Catalog          // whose indicators are sampled; nil means none
	Registerer prometheus.Registerer // nil means that nothing is registered
	Gatherer   prometheus.Gatherer   // our own metrics, stored as job goc at the sample interval; nil means that they are not
	SelfURL    string                // our own URL, whose host is the instance label of our own metrics
	Logger     *slog.Logger
	Now        func() time.Time
}

// Service is the embedded store with all that fills it and asks it. Close it after Run has returned.
type Service struct {
	db           *tsdb.DB
	engine       *promql.Engine
	remote       *remote // nil when the embedded store answers everything
	scraper      *scraper
	gatherer     prometheus.Gatherer
	instance     string
	configDir    string
	turns        chan struct{} // a place for each query of a person or dashboard that may run
	queryTimeout time.Duration
	log          *slog.Logger
	now          func() time.Time
	counters     *samplerMetrics

	ours       ours
	indicators *writer[seriesKey]
	self       *writer[model.Fingerprint]

	mu          sync.Mutex
	config      Config
	sampler     *sampler
	probes      []probe
	subscribers map[int]func([]ops.Sample)
	nextID      int
	latest      []ops.Sample
}

// Open opens the store and prepares scraping, which starts with Run. It refuses a configuration that Validate refuses.
func Open(ctx context.Context, o Options) (*Service, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	s := newService(o)
	if err := s.open(o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func newService(o Options) *Service {
	c := o.Config.withDefaults()
	s := &Service{
		gatherer: o.Gatherer, instance: instanceOf(o.SelfURL), configDir: o.ConfigDir,
		turns: make(chan struct{}, c.QueryParallel), queryTimeout: time.Duration(c.QueryTimeout),
		log: o.Logger, now: o.Now, config: c,
		indicators: newWriter[seriesKey](), self: newWriter[model.Fingerprint](),
		probes: probesOf(o.Catalog), subscribers: map[int]func([]ops.Sample){},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

func (s *Service) open(o Options) (err error) {
	c := s.config
	if s.db, err = openStore(filepath.Clean(o.Dir), c, o.Registerer, quietLogger(s.log, "tsdb")); err != nil {
		return err
	}
	s.engine = promql.NewEngine(promql.EngineOpts{
		Logger: quietLogger(s.log, "promql"), Reg: o.Registerer, Parser: exprParser,
		MaxSamples: c.QueryMaxSamples, Timeout: time.Duration(c.QueryTimeout),
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Duration(c.Global.EvaluationInterval).Milliseconds() },
		EnableAtModifier:         true, EnableNegativeOffset: true,
	})
	s.counters = newSamplerMetrics(o.Registerer)
	registerDisk(o.Registerer, filepath.Clean(o.Dir))
	s.sampler = s.newSampler(c)
	if c.Remote != "" {
		if s.remote, err = newRemote(c); err != nil {
			return err
		}
		if o.Registerer != nil {
			o.Registerer.MustRegister(exposed{s.Latest})
		}
	}
	s.scraper, err = newScraper(s.db, o.Registerer, s.log)
	if err != nil {
		return err
	}
	return s.applyScrapes(c)
}

func (s *Service) newSampler(c Config) *sampler {
	return &sampler{query: s.Vector, limit: c.IndicatorLimit, counters: s.counters, log: s.log, failing: map[probe]bool{}}
}

func (s *Service) applyScrapes(c Config) error {
	parsed, err := c.prometheus(s.configDir)
	if err != nil {
		return err
	}
	return s.scraper.apply(parsed)
}

// Reload takes a new configuration and catalog: scrape configs, intervals and indicators. What the store and the
// engine were opened with (retention, query bounds, remote) takes a restart.
func (s *Service) Reload(c Config, catalog *ops.Catalog) error {
	if err := c.Validate(); err != nil {
		return err
	}
	c = c.withDefaults()
	if err := s.applyScrapes(c); err != nil {
		return err
	}
	s.mu.Lock()
	s.config, s.probes, s.sampler = c, probesOf(catalog), s.newSampler(c)
	s.mu.Unlock()
	return nil
}

// Run scrapes and samples until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.scraper.run(ctx) })
	group.Go(func() error { return s.tick(ctx, s.SampleOnce) })
	if s.gatherer != nil {
		group.Go(func() error { return s.tick(ctx, s.gatherOnce) })
	}
	return group.Wait()
}

// tick calls do at the sample interval until ctx ends. A call that takes longer than the interval makes the next one
// later, never two at a time. A reloaded interval counts from the next call.
func (s *Service) tick(ctx context.Context, do func(context.Context, time.Time)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for next := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			do(ctx, s.now())
		}
		next = next.Add(s.sampleInterval())
		if wait := time.Until(next); wait > 0 {
			timer.Reset(wait)
		} else {
			next = time.Now()
			timer.Reset(0)
		}
	}
}

func (s *Service) sampleInterval() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(s.config.SampleInterval)
}

// evaluationInterval is also the step of a subquery that names none.
func (s *Service) evaluationInterval() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(s.config.Global.EvaluationInterval)
}

// SampleOnce evaluates every indicator as of at, keeps the samples and hands them to the subscribers. Run calls it.
func (s *Service) SampleOnce(ctx context.Context, at time.Time) {
	s.mu.Lock()
	sampler, probes := s.sampler, s.probes
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, s.queryTimeout)
	defer cancel()
	start := time.Now()
	samples := sampler.sample(ctx, probes, at)
	s.counters.seconds.Observe(time.Since(start).Seconds())
	s.counters.series.Set(float64(len(samples)))
	if ctx.Err() != nil && len(samples) == 0 {
		return
	}
	if err := s.keep(ctx, samples, at); err != nil {
		s.counters.missed.Inc()
		s.log.Warn("indicators were not stored", "error", err)
	}
	s.publish(samples)
}

func (s *Service) gatherOnce(ctx context.Context, at time.Time) {
	if err := s.gatherSelf(ctx, at); err != nil {
		s.counters.missed.Inc()
		s.log.Warn("own metrics were not stored", "error", err)
	}
}

// Subscribe calls fn with the samples of each tick, one call at a time, until cancel is called. fn must not block and
// must not change the samples.
func (s *Service) Subscribe(fn func([]ops.Sample)) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.nextID
	s.nextID++
	s.subscribers[id] = fn
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subscribers, id)
	}
}

func (s *Service) publish(samples []ops.Sample) {
	s.mu.Lock()
	s.latest = samples
	fns := make([]func([]ops.Sample), 0, len(s.subscribers))
	for _, fn := range s.subscribers {
		fns = append(fns, fn)
	}
	s.mu.Unlock()
	for _, fn := range fns {
		fn(samples)
	}
}

// Latest returns the samples of the last tick. They must not be changed.
func (s *Service) Latest() []ops.Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

// Appender writes to the embedded store; rules keep their state there.
func (s *Service) Appender(ctx context.Context) storage.Appender { return s.db.Appender(ctx) }

// Querier reads the embedded store between two times in Unix milliseconds.
func (s *Service) Querier(mint, maxt int64) (storage.Querier, error) { return s.db.Querier(mint, maxt) }

// Close closes the store. What was appended before is on disk after.
func (s *Service) Close() error {
	var errs []error
	if s.scraper != nil {
		s.scraper.close()
	}
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(errs...)
}

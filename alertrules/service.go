package alertrules

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"

	"goc/ops"
)

// Engine answers the rules' expressions, and keeps what rules write: recorded series, ALERTS and ALERTS_FOR_STATE. It
// must keep them over a restart, or pending alerts start over. collectors/metrics is one.
type Engine interface {
	Vector(ctx context.Context, expr string, at time.Time) (promql.Vector, error)
	Appender(ctx context.Context) storage.Appender
	Querier(mint, maxt int64) (storage.Querier, error)
}

// How Prometheus' rules engine is set up.
const (
	// resendDelay is how often an alert that goes on firing is sent again, as in Prometheus.
	resendDelay = time.Minute
	// outageTolerance is how long we may have been away for pending alerts to go on where they stood, as in Prometheus.
	outageTolerance = time.Hour
	// forGracePeriod would be the least time that a restored alert waits before it fires. Prometheus waits ten
	// minutes, for the sake of targets that it has not scraped yet; that is the whole budget of 1-5-10. Nothing waits
	// longer than its own `for` here: the engine evaluates twice before it restores, so a condition that is over is gone.
	forGracePeriod = 0
)

// Options of New. Engine and Notify are required.
type Options struct {
	Files              []string // patterns of rule files
	Builtin            bool     // the shipped rules too
	Engine             Engine
	Notify             func(context.Context, []ops.Alert) // called for each rule whose alerts changed or are due again; may block
	ExternalURL        string                             // where people reach us; alerts link to it
	ExternalLabels     map[string]string                  // for rules' templates
	EvaluationInterval time.Duration                      // of groups that name none; 15s
	Registerer         prometheus.Registerer              // nil means that nothing is registered
	Logger             *slog.Logger
}

// Service evaluates rules.
type Service struct {
	options Options
	manager *rules.Manager
	url     *url.URL
	cancel  context.CancelFunc

	mu       sync.Mutex
	files    []string
	interval time.Duration
	running  bool // Run was called
}

// New loads the rules; it refuses files that Check refuses. Evaluation starts with Run.
func New(_ context.Context, o Options) (*Service, error) {
	if o.Engine == nil || o.Notify == nil {
		return nil, errors.New("alertrules: Engine and Notify are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	external, err := url.Parse(o.ExternalURL)
	if err != nil {
		return nil, ops.Errorf(ops.Invalid, "the external URL does not parse: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Service{options: o, url: external, cancel: cancel}
	quiet := slog.New(quiet{o.Logger.Handler()}).With("part", "rules")
	s.manager = rules.NewManager(&rules.ManagerOptions{
		ExternalURL: external, QueryFunc: o.Engine.Vector, NotifyFunc: s.notify, Context: ctx,
		Appendable: o.Engine, Queryable: o.Engine, Logger: quiet, Registerer: o.Registerer,
		OutageTolerance: outageTolerance, ForGracePeriod: forGracePeriod, ResendDelay: resendDelay,
		GroupLoader: loader{quiet}, Parser: exprParser,
	})
	if err := s.Reload(o.Files, o.Builtin, o.EvaluationInterval); err != nil {
		cancel()
		return nil, err
	}
	return s, nil
}

// Reload reads the rule files again. Rules that stay the same keep their state; when one file is wrong, all the old
// rules stay. An interval of 0 is 15 seconds.
func (s *Service) Reload(patterns []string, builtin bool, interval time.Duration) error {
	files, err := expand(patterns)
	if err != nil {
		return err
	}
	if builtin {
		files = append(Shipped(), files...)
	}
	if err := checkFiles(files); err != nil {
		return err
	}
	if interval == 0 {
		interval = 15 * time.Second
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files, s.interval = files, interval
	if !s.running {
		return nil // Run takes them; before it, groups that are replaced would be waited for without end
	}
	return s.update()
}

// update makes the files the rules that are evaluated. The caller holds mu.
func (s *Service) update() error {
	if err := s.manager.Update(s.interval, s.files, labels.FromMap(s.options.ExternalLabels), s.url.String(), nil); err != nil {
		return ops.Errorf(ops.Invalid, "%w", err)
	}
	return nil
}

// Run evaluates until ctx ends, and then waits for the evaluations under way. It can be called once.
func (s *Service) Run(ctx context.Context) error {
	s.mu.Lock()
	s.running = true
	err := s.update()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.manager.Run()
	}()
	<-ctx.Done()
	s.manager.Stop()
	s.cancel()
	<-done
	return nil
}

// notify hands alerts on. rules.Manager calls it after each evaluation of a rule, mostly with nothing.
func (s *Service) notify(ctx context.Context, expr string, alerts ...*rules.Alert) {
	if len(alerts) == 0 {
		return
	}
	out := make([]ops.Alert, len(alerts))
	for i, a := range alerts {
		out[i] = convert(s.url, expr, a)
	}
	s.options.Notify(ctx, out)
}

// convert makes our noun of Prometheus'. StartsAt is when the condition began to hold, not when it had held for long
// enough: that is nearer to the onset, and stays the same over a restart.
func convert(external *url.URL, expr string, a *rules.Alert) ops.Alert {
	out := ops.Alert{
		Status: ops.Firing, Labels: a.Labels.Map(), Annotations: a.Annotations.Map(), Source: "rules",
		StartsAt: ops.At(a.ActiveAt.UTC()), EndsAt: ops.At(a.ValidUntil.UTC()), UpdatedAt: ops.At(a.LastSentAt.UTC()),
		GeneratorURL: external.String() + "/prometheus/api/v1/query?query=" + url.QueryEscape(expr),
	}
	if !a.ResolvedAt.IsZero() {
		out.Status, out.EndsAt = ops.Resolved, ops.At(a.ResolvedAt.UTC())
	}
	out.Fingerprint = ops.Fingerprint(out.Labels)
	return out
}

// checkFiles is Check for files that are known, as one error.
func checkFiles(files []string) error {
	if errs := check(files); len(errs) > 0 {
		return ops.Errorf(ops.Invalid, "%w", errors.Join(errs...)).WithHint("goc rules check FILE says the same")
	}
	return nil
}

// quiet lets only warnings and errors of Prometheus' engine through.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(a)} }
func (q quiet) WithGroup(n string) slog.Handler      { return quiet{q.Handler.WithGroup(n)} }

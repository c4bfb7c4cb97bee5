package alertrules

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb"

	"goc/ops"
)

// BacktestOptions say which rules to evaluate over a recorded history. Files are required.
type BacktestOptions struct {
	Files              []string // patterns
	Builtin            bool     // the shipped rules too
	ExternalLabels     map[string]string
	EvaluationInterval time.Duration // of groups that name none; 15s
}

// Backtest evaluates rule files over recorded indicators with Prometheus' own engine, on virtual time. All it knows is
// goc_indicator, as the live store has it: rules that ask for anything else are left out and listed.
type Backtest struct {
	db      *tsdb.DB
	dir     string
	groups  []*timedGroup
	asks    map[string][]string // names of the alerts, by the indicator that they ask for
	seen    map[string]bool     // indicators that came
	skipped []SkippedRule
	pending []ops.Alert
}

// timedGroup is a group with the time at which it is due.
type timedGroup struct {
	*rules.Group
	next time.Time
}

// SkippedRule is a rule that cannot be evaluated over a history, and why.
type SkippedRule struct {
	Rule  string `json:"rule"`
	Alert bool   `json:"alert"` // it would make alerts of that name
	Why   string `json:"why"`
}

// NewBacktest loads the rules into a store of its own, in a temporary folder that Close removes.
func NewBacktest(o BacktestOptions) (_ *Backtest, err error) {
	files, err := expand(o.Files)
	if err != nil {
		return nil, err
	}
	if o.Builtin {
		files = append(Shipped(), files...)
	}
	if err := checkFiles(files); err != nil {
		return nil, err
	}
	b := &Backtest{asks: map[string][]string{}, seen: map[string]bool{}}
	if b.dir, err = os.MkdirTemp("", "goc-backtest-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	opts := tsdb.DefaultOptions()
	opts.WALSegmentSize, opts.RetentionDuration = -1, 0 // nothing of it is kept
	opts.OutOfOrderTimeWindow = int64(time.Hour / time.Millisecond)
	if b.db, err = tsdb.Open(b.dir, nil, nil, opts, tsdb.NewDBStats()); err != nil {
		return nil, err
	}
	return b, b.load(files, o)
}

// load reads the rules that can be evaluated into groups.
func (b *Backtest) load(files []string, o BacktestOptions) error {
	if o.EvaluationInterval <= 0 {
		o.EvaluationInterval = 15 * time.Second
	}
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: time.Minute, Parser: exprParser, EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return o.EvaluationInterval.Milliseconds() },
	})
	none := &url.URL{}
	opts := &rules.ManagerOptions{
		QueryFunc: rules.EngineQueryFunc(engine, b.db), Appendable: b.db, Queryable: b.db, Context: context.Background(),
		Logger: slog.New(slog.DiscardHandler), ExternalURL: none, ResendDelay: resendDelay, Parser: exprParser,
		GroupLoader: loader{slog.New(slog.DiscardHandler)},
		NotifyFunc: func(_ context.Context, expr string, alerts ...*rules.Alert) {
			for _, a := range alerts {
				b.pending = append(b.pending, convert(none, expr, a))
			}
		},
	}
	groups, errs := rules.NewManager(opts).LoadGroups(o.EvaluationInterval, labels.FromMap(o.ExternalLabels), "", nil, false, files...)
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	known := b.choose(groups)
	for _, key := range sortedGroups(groups) {
		g := groups[key]
		var kept []rules.Rule
		for _, r := range g.Rules() {
			if known[r] {
				kept = append(kept, r)
			}
		}
		if len(kept) > 0 {
			b.groups = append(b.groups, &timedGroup{Group: rules.NewGroup(rules.GroupOptions{Name: g.Name(), File: g.File(), Interval: g.Interval(), Limit: g.Limit(), Rules: kept, Opts: opts})})
		}
	}
	return nil
}

func sortedGroups(groups map[string]*rules.Group) []string {
	var out []string
	for key := range groups {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}

// Append takes samples in. Times may be a little out of order, as they are live.
func (b *Backtest) Append(samples []ops.Sample) error {
	app := b.db.Appender(context.Background())
	for _, s := range samples {
		b.seen[s.Indicator] = true
		// What comes twice, or is too old, is refused, as the live store does.
		_, _ = app.Append(0, indicatorLabels(s), s.At.UnixMilli(), s.Value)
	}
	return app.Commit()
}

// indicatorLabels are those of goc_indicator in the live store.
func indicatorLabels(s ops.Sample) labels.Labels {
	lb := labels.NewScratchBuilder(7)
	for _, l := range [...]labels.Label{
		{Name: "__name__", Value: indicatorMetric},
		{Name: "caller", Value: s.Caller},
		{Name: "caller_unit", Value: s.CallerUnit},
		{Name: "indicator", Value: s.Indicator},
		{Name: "service", Value: s.Service},
		{Name: "store", Value: s.Store},
		{Name: "unit", Value: s.Unit},
	} {
		if l.Value != "" {
			lb.Add(l.Name, l.Value)
		}
	}
	return lb.Labels()
}

// maxCatchUp is how long a silence of the history may be for every evaluation in it to be made.
const maxCatchUp = 10 * time.Minute

// Eval evaluates the groups that are due until at, and returns the alerts that are to be told.
func (b *Backtest) Eval(at time.Time) []ops.Alert {
	for _, g := range b.groups {
		if g.next.IsZero() || at.Sub(g.next) > maxCatchUp {
			g.next = at.Truncate(g.Interval())
		}
		for ; !g.next.After(at); g.next = g.next.Add(g.Interval()) {
			g.Group.Eval(context.Background(), g.next)
		}
	}
	out := b.pending
	b.pending = nil
	return out
}

// Close removes the store.
func (b *Backtest) Close() error {
	var err error
	if b.db != nil {
		err = b.db.Close()
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

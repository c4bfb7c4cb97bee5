package alertrules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sort"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

// ErrTestsFailed says that rule tests ran and at least one did not hold; what failed was written out.
var ErrTestsFailed = errors.New("rule tests failed")

// Test runs rule tests in the format of `promtool test rules` and writes what it finds to out. It returns
// ErrTestsFailed when a file cannot be read or one of its expectations does not hold.
func Test(files []string, out io.Writer) error {
	failed := false
	for _, f := range files {
		fmt.Fprintln(out, "Unit Testing: ", f)
		if errs := testOne(f, out); len(errs) > 0 {
			failed = true
			fmt.Fprintln(out, "  FAILED:")
			for _, e := range errs {
				fmt.Fprintln(out, e)
			}
		} else {
			fmt.Fprintln(out, "  SUCCESS")
		}
		fmt.Fprintln(out)
	}
	if failed {
		return ErrTestsFailed
	}
	return nil
}

func testOne(name string, out io.Writer) (errs []error) {
	f, err := readTestFile(name, out)
	if err != nil {
		return []error{fmt.Errorf("    %s: %w", name, err)}
	}
	order, err := f.groupOrder()
	if err != nil {
		return []error{fmt.Errorf("    %s: %w", name, err)}
	}
	for i := range f.Tests {
		errs = append(errs, f.runGroup(&f.Tests[i], order)...)
	}
	return errs
}

// testRun is one group of tests while it runs.
type testRun struct {
	*testGroup
	suite   *promqltest.LazyLoader
	rules   []*rules.Group
	compare comparison
	every   time.Duration
}

func (f *testFile) runGroup(g *testGroup, order map[string]int) (errs []error) {
	for _, a := range g.AlertTests {
		if a.Alertname == "" {
			return []error{fmt.Errorf("    an item under alert_rule_test misses required attribute alertname at eval_time %v (in TestGroup %s)", a.EvalTime, g.Name)}
		}
	}
	suite, err := promqltest.NewLazyLoader(g.load(), promqltest.LazyLoaderOpts{
		EnableAtModifier: true, EnableNegativeOffset: true, StartTime: g.StartTimestamp.Time,
	})
	if err != nil {
		return []error{fmt.Errorf("    %s: %w", g.Name, err)}
	}
	defer func() {
		if err := suite.Close(); err != nil {
			errs = append(errs, err)
		}
	}()
	r := &testRun{testGroup: g, suite: suite, compare: comparison{fuzzy: f.FuzzyCompare}, every: time.Duration(f.EvaluationInterval)}
	suite.SubqueryInterval = r.every
	if errs := r.loadRules(f.RuleFiles, order); len(errs) > 0 {
		return errs
	}
	errs, broken := r.evaluate()
	if broken {
		return errs
	}
	return append(errs, r.testExprs()...)
}

// loadRules loads the rule files as Prometheus does, and puts the groups in order.
func (r *testRun) loadRules(files []string, order map[string]int) []error {
	quiet := slog.New(slog.DiscardHandler)
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc:  rules.EngineQueryFunc(r.suite.QueryEngine(), r.suite.Storage()),
		Appendable: r.suite.Storage(), Context: context.Background(), Logger: quiet,
		NotifyFunc:  func(context.Context, string, ...*rules.Alert) {},
		GroupLoader: loader{quiet}, Parser: exprParser,
	})
	groups, errs := manager.LoadGroups(time.Duration(r.Interval), r.ExternalLabels, r.ExternalURL, nil, false, files...)
	if errs != nil {
		return errs
	}
	for _, g := range groups {
		r.rules = append(r.rules, g)
		for _, rule := range g.Rules() {
			if a, ok := rule.(*rules.AlertingRule); ok {
				a.SetRestored(true) // or the first evaluations would write no ALERTS
			}
		}
	}
	sort.Slice(r.rules, func(i, j int) bool {
		a, b := r.rules[i], r.rules[j]
		if order[a.Name()] != order[b.Name()] {
			return order[a.Name()] < order[b.Name()]
		}
		return rules.GroupKey(a.File(), a.Name()) < rules.GroupKey(b.File(), b.Name())
	})
	return nil
}

// evaluate goes through time, evaluates all rules at each step, and compares alerts whenever a test asks for them.
// broken means that a rule could not be evaluated, so that nothing more can be said.
func (r *testRun) evaluate() (errs []error, broken bool) {
	begin, end := r.start(), r.start().Add(r.lastEvalTime())
	times := r.alertTimes()
	for now := begin; !now.After(end); now = now.Add(r.every) {
		evalErrs := r.step(now)
		errs = append(errs, evalErrs...)
		if len(evalErrs) > 0 {
			return errs, true
		}
		for len(times) > 0 && time.Duration(times[0]) < now.Add(r.every).Sub(begin) {
			errs = append(errs, r.testAlerts(times[0])...)
			times = times[1:]
		}
	}
	return errs, false
}

func (r *testRun) step(now time.Time) (errs []error) {
	r.suite.WithSamplesTill(now, func(err error) {
		if err != nil {
			errs = append(errs, err)
			return
		}
		for _, g := range r.rules {
			g.Eval(r.suite.Context(), now)
			for _, rule := range g.Rules() {
				if rule.LastError() != nil {
					errs = append(errs, fmt.Errorf("    rule: %s, time: %s, err: %w",
						rule.Name(), now.Sub(time.Unix(0, 0).UTC()), rule.LastError()))
				}
			}
		}
	})
	return errs
}

// alertTimes lists the times at which alerts are asked for, each once, in order.
func (r *testRun) alertTimes() []model.Duration {
	var times []model.Duration
	for _, a := range r.AlertTests {
		times = append(times, a.EvalTime)
	}
	slices.Sort(times)
	return slices.Compact(times)
}

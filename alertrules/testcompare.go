package alertrules

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

// comparison says when two numbers count as the same.
type comparison struct{ fuzzy bool }

func (c comparison) same(x, y float64) bool {
	return x == y || c.fuzzy && (math.Nextafter(x, math.Inf(-1)) == y || math.Nextafter(x, math.Inf(1)) == y)
}

// testedAlert is an alert as a test sees it.
type testedAlert struct{ labels, annotations labels.Labels }

func compareTested(a, b testedAlert) int {
	if d := labels.Compare(a.labels, b.labels); d != 0 {
		return d
	}
	return labels.Compare(a.annotations, b.annotations)
}

// testAlerts compares the alerts that fire now with those that the tests of this eval_time expect.
func (r *testRun) testAlerts(at model.Duration) (errs []error) {
	for _, test := range r.AlertTests {
		if test.EvalTime != at {
			continue
		}
		want, got := test.expected(), r.firing(test.Alertname)
		if !slices.EqualFunc(want, got, func(a, b testedAlert) bool { return compareTested(a, b) == 0 }) {
			errs = append(errs, fmt.Errorf("    name: %s,\n    alertname: %s, time: %s, \n        exp:%s, \n        got:%s\n        diff:\n%s",
				r.Name, test.Alertname, test.EvalTime, indent(alertLines(want)), indent(alertLines(got)), diff(alertLines(want), alertLines(got))))
		}
	}
	return errs
}

// expected is what the test expects. A person leaves out the label alertname, which Prometheus adds.
func (t alertTest) expected() []testedAlert {
	var out []testedAlert
	for _, e := range t.ExpAlerts {
		l := map[string]string{labels.AlertName: t.Alertname}
		for k, v := range e.Labels {
			if k != labels.AlertName {
				l[k] = v
			}
		}
		out = append(out, testedAlert{labels.FromMap(l), labels.FromMap(e.Annotations)})
	}
	slices.SortFunc(out, compareTested)
	return out
}

func (r *testRun) firing(name string) []testedAlert {
	var out []testedAlert
	for _, g := range r.rules {
		for _, rule := range g.Rules() {
			alerting, ok := rule.(*rules.AlertingRule)
			if !ok || alerting.Name() != name {
				continue
			}
			for _, a := range alerting.ActiveAlerts() {
				if a.State == rules.StateFiring {
					out = append(out, testedAlert{a.Labels.Copy(), a.Annotations.Copy()})
				}
			}
		}
	}
	slices.SortFunc(out, compareTested)
	return out
}

func alertLines(alerts []testedAlert) []string {
	if len(alerts) == 0 {
		return []string{"[]"}
	}
	lines := []string{"["}
	for i, a := range alerts {
		comma := ","
		if i == len(alerts)-1 {
			comma = ""
		}
		lines = append(lines, fmt.Sprintf("%d:", i), "  Labels:"+a.labels.String(), "  Annotations:"+a.annotations.String()+comma)
	}
	return append(lines, "]")
}

// indent writes lines as promtool does, below the word that they explain.
func indent(lines []string) string { return strings.Join(lines, "\n            ") }

// testedSample is a sample as a test sees it.
type testedSample struct {
	labels    labels.Labels
	value     float64
	histogram string
}

func (s testedSample) String() string {
	if s.histogram != "" {
		return s.labels.String() + " " + s.histogram
	}
	return s.labels.String() + " " + strconv.FormatFloat(s.value, 'E', -1, 64)
}

// testExprs compares the answers to expressions with the samples that are expected.
func (r *testRun) testExprs() (errs []error) {
	query := rules.EngineQueryFunc(r.suite.QueryEngine(), r.suite.Queryable())
	for _, test := range r.ExprTests {
		want, err := test.expected()
		if err != nil {
			errs = append(errs, fmt.Errorf("    expr: %q, time: %s, err: %w", test.Expr, test.EvalTime, err))
			continue
		}
		vector, err := query(r.suite.Context(), test.Expr, r.start().Add(time.Duration(test.EvalTime)))
		if err != nil {
			errs = append(errs, fmt.Errorf("    expr: %q, time: %s, err: %w", test.Expr, test.EvalTime, err))
			continue
		}
		var got []testedSample
		for _, s := range vector {
			got = append(got, testedSample{s.Metric.Copy(), s.F, promqltest.HistogramTestExpression(s.H)})
		}
		sortSamples(got)
		same := func(a, b testedSample) bool {
			return labels.Equal(a.labels, b.labels) && r.compare.same(a.value, b.value) && a.histogram == b.histogram
		}
		if !slices.EqualFunc(want, got, same) {
			errs = append(errs, fmt.Errorf("    expr: %q, time: %s,\n        exp: %s\n        got: %s\n        diff:\n%s",
				test.Expr, test.EvalTime, sampleText(want), sampleText(got), diff(sampleLines(want), sampleLines(got))))
		}
	}
	return errs
}

func (t exprTest) expected() ([]testedSample, error) {
	var out []testedSample
	for _, e := range t.ExpSamples {
		l, err := exprParser.ParseMetric(e.Labels)
		if err != nil {
			return nil, fmt.Errorf("labels %q: %w", e.Labels, err)
		}
		s := testedSample{labels: l, value: e.Value}
		if e.Histogram != "" {
			_, values, err := exprParser.ParseSeriesDesc("{} " + e.Histogram)
			if err != nil || len(values) != 1 || values[0].Histogram == nil {
				return nil, fmt.Errorf("labels %q: expected one histogram: %w", e.Labels, parseErr(err, values))
			}
			s.value, s.histogram = 0, promqltest.HistogramTestExpression(values[0].Histogram)
		}
		out = append(out, s)
	}
	sortSamples(out)
	return out, nil
}

func parseErr(err error, values []parser.SequenceValue) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("got %d values", len(values))
}

func sortSamples(s []testedSample) {
	slices.SortStableFunc(s, func(a, b testedSample) int { return labels.Compare(a.labels, b.labels) })
}

func sampleText(s []testedSample) string {
	if len(s) == 0 {
		return "nil"
	}
	return strings.Join(sampleLines(s), ", ")
}

func sampleLines(samples []testedSample) (lines []string) {
	for _, s := range samples {
		lines = append(lines, s.String())
	}
	return lines
}

// diff writes both lists of lines as one, with - before what is only expected and + before what is only there. It
// keeps the longest common subsequence.
func diff(want, got []string) string {
	common := make([][]int, len(want)+1) // length of the longest common subsequence of want[i:] and got[j:]
	for i := range common {
		common[i] = make([]int, len(got)+1)
	}
	for i := len(want) - 1; i >= 0; i-- {
		for j := len(got) - 1; j >= 0; j-- {
			if want[i] == got[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var b strings.Builder
	line := func(sign, text string) { fmt.Fprintf(&b, "          %s %s\n", sign, text) }
	i, j := 0, 0
	for i < len(want) && j < len(got) {
		switch {
		case want[i] == got[j]:
			line(" ", want[i])
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			line("-", want[i])
			i++
		default:
			line("+", got[j])
			j++
		}
	}
	for ; i < len(want); i++ {
		line("-", want[i])
	}
	for ; j < len(got); j++ {
		line("+", got[j])
	}
	return b.String()
}

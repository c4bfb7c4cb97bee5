package alertrules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"go.yaml.in/yaml/v3"

	"goc/ops"
)

// testFile is a file for `promtool test rules`, whose format and behaviour this follows (cmd/promtool/unittest.go).
type testFile struct {
	RuleFiles          []string       `yaml:"rule_files"`
	EvaluationInterval model.Duration `yaml:"evaluation_interval,omitempty"`
	GroupEvalOrder     []string       `yaml:"group_eval_order"`
	Tests              []testGroup    `yaml:"tests"`
	FuzzyCompare       bool           `yaml:"fuzzy_compare,omitempty"`
}

// testGroup is some input series, and what must be true of them and of the rules at certain times.
type testGroup struct {
	Interval       model.Duration `yaml:"interval"`
	InputSeries    []inputSeries  `yaml:"input_series"`
	AlertTests     []alertTest    `yaml:"alert_rule_test,omitempty"`
	ExprTests      []exprTest     `yaml:"promql_expr_test,omitempty"`
	ExternalLabels labels.Labels  `yaml:"external_labels,omitempty"`
	ExternalURL    string         `yaml:"external_url,omitempty"`
	Name           string         `yaml:"name,omitempty"`
	StartTimestamp startTimestamp `yaml:"start_timestamp,omitempty"`
}

type inputSeries struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type alertTest struct {
	EvalTime  model.Duration  `yaml:"eval_time"`
	Alertname string          `yaml:"alertname"`
	ExpAlerts []expectedAlert `yaml:"exp_alerts"`
}

type expectedAlert struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

type exprTest struct {
	Expr       string           `yaml:"expr"`
	EvalTime   model.Duration   `yaml:"eval_time"`
	ExpSamples []expectedSample `yaml:"exp_samples"`
}

type expectedSample struct {
	Labels    string  `yaml:"labels"`
	Value     float64 `yaml:"value"`
	Histogram string  `yaml:"histogram"` // when it is set, Value is ignored
}

// startTimestamp is RFC 3339 or Unix seconds.
type startTimestamp struct{ time.Time }

// UnmarshalYAML implements yaml.Unmarshaler.
func (t *startTimestamp) UnmarshalYAML(n *yaml.Node) (err error) {
	t.Time, err = ops.ParseTime(n.Value)
	return err
}

// readTestFile reads a test file strictly, and finds its rule files, whose names are relative to it. It warns on out
// of patterns that name no file, as promtool does.
func readTestFile(name string, out io.Writer) (*testFile, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var f testFile
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if f.EvaluationInterval == 0 {
		f.EvaluationInterval = model.Duration(time.Minute)
	}
	f.RuleFiles, err = resolve(filepath.Dir(name), f.RuleFiles, out)
	if err != nil {
		return nil, err
	}
	for i := range f.Tests {
		if f.Tests[i].Interval == 0 {
			f.Tests[i].Interval = f.EvaluationInterval
		}
		if f.Tests[i].Name == "" {
			f.Tests[i].Name = fmt.Sprintf("unnamed#%d", i)
		}
	}
	return &f, nil
}

func resolve(dir string, patterns []string, out io.Writer) (files []string, err error) {
	for _, p := range patterns {
		if p != "" && !filepath.IsAbs(p) && !strings.HasPrefix(p, shippedPrefix) {
			p = filepath.Join(dir, p)
		}
		matches := []string{p}
		if !strings.HasPrefix(p, shippedPrefix) {
			if matches, err = filepath.Glob(p); err != nil {
				return nil, err
			}
		}
		if len(matches) == 0 {
			fmt.Fprintln(out, "  WARNING: no file match pattern", p)
		}
		files = append(files, matches...)
	}
	return files, nil
}

// groupOrder numbers the groups that must be evaluated in a certain order.
func (f *testFile) groupOrder() (map[string]int, error) {
	order := map[string]int{}
	for i, name := range f.GroupEvalOrder {
		if _, twice := order[name]; twice {
			return nil, fmt.Errorf("group name repeated in evaluation order: %s", name)
		}
		order[name] = i
	}
	return order, nil
}

// load is the group's input series in the language of promqltest.
func (g *testGroup) load() string {
	var b strings.Builder
	fmt.Fprintf(&b, "load %v\n", g.Interval)
	for _, s := range g.InputSeries {
		fmt.Fprintf(&b, "  %v %v\n", s.Series, s.Values)
	}
	return b.String()
}

// lastEvalTime is the latest time that the group looks at.
func (g *testGroup) lastEvalTime() time.Duration {
	var last model.Duration
	for _, a := range g.AlertTests {
		last = max(last, a.EvalTime)
	}
	for _, e := range g.ExprTests {
		last = max(last, e.EvalTime)
	}
	return time.Duration(last)
}

// start is the time of the first sample: the beginning of 1970 unless the group says otherwise.
func (g *testGroup) start() time.Time {
	if g.StartTimestamp.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return g.StartTimestamp.Time
}

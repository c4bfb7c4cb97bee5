package alertrules_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"goc/alertrules"
)

// TestShippedRulesAskForMetricsThatExist holds that each name in a shipped expression is recorded by a shipped rule, is
// Prometheus' own, or stands in the program's source: a rule that asks for nothing never fires, and nobody notices.
func TestShippedRulesAskForMetricsThatExist(t *testing.T) {
	known := sourceNames(t)
	p := parser.NewParser(parser.Options{})
	var groups []rulefmt.RuleGroup
	for _, name := range alertrules.Shipped() {
		content, err := os.ReadFile(filepath.Join("rules", strings.TrimPrefix(name, "goc:")))
		if err != nil {
			t.Fatal(err)
		}
		file, errs := rulefmt.Parse(content, false, model.UTF8Validation, p, nil)
		if errs != nil {
			t.Fatal(errs)
		}
		groups = append(groups, file.Groups...)
	}
	for _, g := range groups {
		for _, r := range g.Rules {
			known[r.Record] = true
		}
	}
	for _, g := range groups {
		for _, r := range g.Rules {
			expr, err := p.ParseExpr(r.Expr)
			if err != nil {
				t.Fatal(err)
			}
			parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
				if v, ok := n.(*parser.VectorSelector); ok && !known[strings.TrimSuffix(v.Name, "_bucket")] {
					t.Errorf("%s%s asks for %s, which nothing exposes", r.Alert, r.Record, v.Name)
				}
				return nil
			})
		}
	}
}

var quotedName = regexp.MustCompile(`"(goc_[a-z_]+)["{]|` + "`(goc_[a-z_]+)[`{]")

// sourceNames are the names of metrics that stand in the program's source, and those that Prometheus' own parts expose.
func sourceNames(t *testing.T) map[string]bool {
	known := map[string]bool{
		"up": true, "prometheus_rule_evaluation_failures_total": true,
		"prometheus_rule_group_iterations_total": true, "prometheus_rule_group_iterations_missed_total": true,
	}
	err := filepath.WalkDir(root(t), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // a file that another process removes meanwhile
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata"):
			return fs.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for _, m := range quotedName.FindAllStringSubmatch(string(text), -1) {
			known[m[1]+m[2]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}

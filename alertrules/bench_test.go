package alertrules_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// shippedGroups loads the shipped rules for evaluation by hand.
func shippedGroups(b *testing.B, db *store) []*rules.Group {
	m := rules.NewManager(&rules.ManagerOptions{
		QueryFunc: db.Vector, Appendable: db, Queryable: db, Context: context.Background(),
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {}, Parser: parser.NewParser(parser.Options{}),
	})
	files, err := filepath.Glob("rules/*.yml")
	if err != nil {
		b.Fatal(err)
	}
	var out []*rules.Group
	for _, f := range files {
		if strings.HasSuffix(f, "_test.yml") {
			continue
		}
		groups, errs := m.LoadGroups(time.Second, labels.EmptyLabels(), "", nil, false, f)
		if errs != nil {
			b.Fatal(errs)
		}
		for _, g := range groups {
			out = append(out, g)
		}
	}
	return out
}

// BenchmarkShippedRules is one evaluation of all shipped rules over services with units, each with a success ratio, a
// latency and a rate of requests, all well.
func BenchmarkShippedRules(b *testing.B) {
	for _, size := range []struct{ services, units int }{{24, 20}, {200, 10}} {
		b.Run(fmt.Sprintf("services=%d/units=%d", size.services, size.units), func(b *testing.B) {
			db := openStore(b, b.TempDir())
			defer db.Close()
			groups := shippedGroups(b, db)
			now := time.Now()
			fill := func() {
				now = now.Add(time.Second)
				app := db.Appender(context.Background())
				for s := range size.services {
					for u := range size.units {
						for indicator, v := range map[string]float64{"success_ratio": 0.99, "latency_seconds": 0.02, "requests_per_s": 5} {
							l := labels.FromStrings("__name__", "goc_indicator", "indicator", indicator, "service", fmt.Sprint("s", s), "store", fmt.Sprint("u", u))
							if _, err := app.Append(0, l, now.UnixMilli(), v); err != nil {
								b.Fatal(err)
							}
						}
					}
				}
				if err := app.Commit(); err != nil {
					b.Fatal(err)
				}
			}
			for range 60 {
				fill()
				for _, g := range groups {
					g.Eval(context.Background(), now)
				}
			}
			spent := map[string]time.Duration{}
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				fill()
				b.StartTimer()
				for _, g := range groups {
					began := time.Now()
					g.Eval(context.Background(), now)
					spent[g.Name()] += time.Since(began)
				}
			}
			for name, d := range spent {
				b.ReportMetric(float64(d.Milliseconds())/float64(b.N), name+"-ms/op")
			}
		})
	}
}

// BenchmarkCheck is what `goc rules check` does with all real rule files.
func BenchmarkCheck(b *testing.B) {
	files := realRules(b)
	p := parser.NewParser(parser.Options{})
	for b.Loop() {
		n := 0
		for _, f := range files {
			content, err := os.ReadFile(f)
			if err != nil {
				b.Fatal(err)
			}
			groups, errs := rulefmt.Parse(content, false, model.UTF8Validation, p, nil)
			if errs != nil {
				b.Fatal(errs)
			}
			n += len(groups.Groups)
		}
	}
}

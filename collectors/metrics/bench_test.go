package metrics_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"goc/collectors/metrics"
	"goc/ops"
)

// realExposition is what a node_exporter says, from the folder with real-world data.
func realExposition(t testing.TB) []byte {
	folder := os.Getenv("GOC_REALWORLD")
	if folder == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for dir != "/" {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
			dir = filepath.Dir(dir)
		}
		folder = filepath.Join(dir, "..", "shared", "realworld")
	}
	text, err := os.ReadFile(filepath.Join(folder, "exposition", "node_exporter.txt"))
	if err != nil {
		t.Skipf("SKIPPED: %v; set GOC_REALWORLD to the folder with real-world data", err)
	}
	return text
}

func TestARealNodeExporterIsScrapedWhole(t *testing.T) {
	text := realExposition(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write(text)
	}))
	defer srv.Close()
	s := open(t, metrics.Options{Config: parse(t, `
sample_interval: 100ms
global: {scrape_interval: 200ms}
scrape_configs:
- job_name: node
  static_configs: [{targets: ["`+srv.Listener.Addr().String()+`"], labels: {store: SH-001}}]`)})
	ticks := make(chan []ops.Sample, 1)
	defer s.Subscribe(func(samples []ops.Sample) {
		select {
		case ticks <- samples:
		default:
		}
	})()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	var scraped float64
	wait(t, ticks, func([]ops.Sample) bool {
		points, err := s.Query(ctx, `scrape_samples_post_metric_relabeling{job="node",store="SH-001"}`, time.Time{})
		if err == nil && len(points) == 1 {
			scraped = points[0].Value
		}
		return scraped > 0
	})
	if want := float64(countSamples(t, text)); scraped != want {
		t.Errorf("%v series were scraped of %v", scraped, want)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func countSamples(t testing.TB, text []byte) (n int) {
	p := textparse.NewPromParser(text, labels.NewSymbolTable(), false)
	for {
		entry, err := p.Next()
		if err != nil {
			return n
		}
		if entry == textparse.EntrySeries {
			n++
		}
	}
}

// BenchmarkIngestNodeExporter is what one scrape of a node_exporter costs: parsed, appended and committed to the log.
func BenchmarkIngestNodeExporter(b *testing.B) {
	text := realExposition(b)
	s := open(b, metrics.Options{})
	refs := map[string]labels.Labels{}
	b.SetBytes(int64(len(text)))
	at := time.Now()
	series := 0
	for b.Loop() {
		at = at.Add(time.Second)
		app := s.Appender(b.Context())
		p := textparse.NewPromParser(text, labels.NewSymbolTable(), false)
		series = 0
		for {
			entry, err := p.Next()
			if err != nil {
				break
			}
			if entry != textparse.EntrySeries {
				continue
			}
			raw, _, v := p.Series()
			l, ok := refs[string(raw)]
			if !ok {
				p.Labels(&l)
				refs[string(raw)] = l
			}
			if _, err := app.Append(0, l, at.UnixMilli(), v); err != nil {
				b.Fatal(err)
			}
			series++
		}
		if err := app.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(series), "series/scrape")
}

// BenchmarkSample is one tick of the sampler over services with two indicators on ten units each.
func BenchmarkSample(b *testing.B) {
	for _, services := range []int{24, 200} {
		b.Run(fmt.Sprintf("services=%d", services), func(b *testing.B) {
			var list []ops.Service
			for i := range services {
				list = append(list, ops.Service{Name: fmt.Sprint("s", i), Indicators: []ops.Indicator{
					{Name: "success_ratio", Expr: fmt.Sprintf(`1 - sum by (unit) (rate(errors_total{service="s%d"}[15s])) / sum by (unit) (rate(requests_total{service="s%d"}[15s]))`, i, i)},
					{Name: "requests_per_s", Expr: fmt.Sprintf(`sum by (unit) (rate(requests_total{service="s%d"}[15s]))`, i)},
				}})
			}
			s := open(b, metrics.Options{Catalog: catalog(b, list...)})
			at := time.Now()
			second := func() {
				at = at.Add(time.Second)
				app := s.Appender(b.Context())
				for i := range services {
					for u := range 10 {
						for name, v := range map[string]float64{"errors_total": 1, "requests_total": 100} {
							l := labels.FromStrings("__name__", name, "service", fmt.Sprint("s", i), "unit", fmt.Sprint("u", u))
							if _, err := app.Append(0, l, at.UnixMilli(), v*float64(at.Unix()%1e6)); err != nil {
								b.Fatal(err)
							}
						}
					}
				}
				if err := app.Commit(); err != nil {
					b.Fatal(err)
				}
			}
			for range 20 {
				second()
			}
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				second()
				b.StartTimer()
				s.SampleOnce(b.Context(), at)
			}
			if n := len(s.Latest()); n != services*20 {
				b.Fatalf("%d samples", n)
			}
		})
	}
}

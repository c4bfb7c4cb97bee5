package metrics_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"goc/collectors/metrics"
	"goc/ops"
)

// parse reads the section `metrics` as goc.yaml has it.
func parse(t testing.TB, text string) metrics.Config {
	t.Helper()
	var c metrics.Config
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t testing.TB, o metrics.Options) *metrics.Service {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := metrics.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func catalog(t testing.TB, services ...ops.Service) *ops.Catalog {
	t.Helper()
	c := &ops.Catalog{Services: services}
	if err := c.Index(); err != nil {
		t.Fatal(err)
	}
	return c
}

// shop exposes what a service of the demo world would.
func shop(t testing.TB) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "# HELP shop_success Share of orders that went well.\n# TYPE shop_success gauge\n"+
			"shop_success{store=\"SH-001\",pod=\"a\"} 0.75\nshop_success{store=\"SH-002\",pod=\"b\"} 0.5\nshop_success{store=\"SH-003\"} NaN\n")
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestTargetsAreScrapedAndIndicatorsSampled(t *testing.T) {
	target := shop(t).Listener.Addr().String()
	reg := prometheus.NewRegistry()
	s := open(t, metrics.Options{
		Config: parse(t, `
sample_interval: 100ms
global: {scrape_interval: 100ms}
scrape_configs:
- job_name: shop
  static_configs: [{targets: ["`+target+`"]}]`),
		Registerer: reg, Gatherer: reg, SelfURL: "http://goc:8420",
		Catalog: catalog(t, ops.Service{Name: "shop", Indicators: []ops.Indicator{
			{Name: "success_ratio", Expr: `shop_success`},
			{Name: "broken", Expr: `rate(`},
		}}),
	})
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
	wait(t, ticks, func(samples []ops.Sample) bool { return len(samples) == 2 })
	got := map[string]float64{}
	for _, sample := range <-ticks {
		got[sample.Service+"/"+sample.Indicator+"/"+sample.Store] = sample.Value
	}
	if want := "map[shop/success_ratio/SH-001:0.75 shop/success_ratio/SH-002:0.5]"; fmt.Sprint(got) != want {
		t.Errorf("samples are %v, want %s", got, want)
	}
	for expr, want := range map[string]float64{
		`goc_indicator{store="SH-001",indicator="success_ratio",service="shop"}`: 0.75,
		`up{job="shop"}`:                                                    1,
		`up{job="goc",instance="goc:8420"}`:                                 1,
		`goc_sampler_failures_total{job="goc"} > bool 0`:                    1,
		`goc_sampler_dropped_total{job="goc",reason="not_finite"} > bool 0`: 1,
		`1 + 1`: 2,
	} {
		wait(t, ticks, func([]ops.Sample) bool {
			points, err := s.Query(ctx, expr, time.Time{})
			return err == nil && len(points) == 1 && points[0].Value == want
		})
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// wait reads ticks until one is as wanted.
func wait(t *testing.T, ticks <-chan []ops.Sample, ok func([]ops.Sample) bool) {
	t.Helper()
	deadline := time.After(15 * time.Second)
	for {
		select {
		case samples := <-ticks:
			if ok(samples) {
				return
			}
		case <-deadline:
			t.Fatal("no tick was as expected within 15 s")
		}
	}
}

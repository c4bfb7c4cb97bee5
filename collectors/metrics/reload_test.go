package metrics_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"

	"goc/collectors/metrics"
	"goc/ops"
)

func TestAReloadChangesTargetsAndIndicatorsAndABadOneChangesNothing(t *testing.T) {
	one, two := shop(t).Listener.Addr().String(), shop(t).Listener.Addr().String()
	config := func(target string) metrics.Config {
		return parse(t, `
sample_interval: 100ms
global: {scrape_interval: 100ms}
scrape_configs: [{job_name: shop, static_configs: [{targets: ["`+target+`"]}]}]`)
	}
	indicator := func(name string) *ops.Catalog {
		return catalog(t, ops.Service{Name: "shop", Indicators: []ops.Indicator{{Name: name, Expr: "max(shop_success)"}}})
	}
	s := open(t, metrics.Options{Config: config(one), Catalog: indicator("before")})
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
	sees := func(name, target string) {
		t.Helper()
		wait(t, ticks, func(samples []ops.Sample) bool {
			points, err := s.Query(ctx, `up{job="shop"} == 1`, time.Time{})
			return err == nil && len(points) == 1 && points[0].Labels["instance"] == target && len(samples) == 1 && samples[0].Indicator == name
		})
	}
	sees("before", one)
	bad := config(two)
	bad.SampleInterval = ops.Duration(time.Nanosecond)
	if err := s.Reload(bad, indicator("bad")); ops.KindOf(err) != ops.Invalid {
		t.Errorf("a bad configuration gives %v", err)
	}
	sees("before", one)
	if err := s.Reload(config(two), indicator("after")); err != nil {
		t.Fatal(err)
	}
	sees("after", two)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestNothingIsLeftRunningAfterClose(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s, err := metrics.Open(t.Context(), metrics.Options{Dir: t.TempDir(), Config: parse(t, "scrape_configs: [{job_name: a, static_configs: [{targets: ['127.0.0.1:1']}]}]")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// FuzzConfig holds that no section breaks the reader, and that a message about a line names one that exists.
func FuzzConfig(f *testing.F) {
	f.Add("scrape_configs:\n- job_name: a\n  static_configs: [{targets: ['a:1']}]\n")
	f.Add("scrape_configs: [{job_name: a, scrape_interval: 1s, relabel_configs: [{action: drop}]}]")
	f.Add("remote: http://a\nremote_auth: {username: a, password_file: /b}\nglobal: {external_labels: {a: b}}")
	f.Add("scrape_configs:\n- &a {job_name: a}\n- *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		var c metrics.Config
		if err := yaml.Unmarshal([]byte(text), &c); err != nil {
			return
		}
		if err := c.Validate(); err != nil && ops.KindOf(err) != ops.Invalid {
			t.Errorf("%s: %v", ops.KindOf(err), err)
		}
	})
}

// FuzzQuery holds that no expression breaks the query, and that only the asker is blamed for what does not parse.
func FuzzQuery(f *testing.F) {
	for _, expr := range []string{"up", "sum by (a) (rate(b[5m]))", "1/0", `label_replace(up, "a", "$1", "b", "(.*)")`, "a offset 1y", "{}", "up[1m:1s] @ 5"} {
		f.Add(expr)
	}
	s := filled(f, metrics.Options{Config: metrics.Config{QueryMaxSamples: 100_000, QueryTimeout: ops.Duration(time.Second)}})
	f.Fuzz(func(t *testing.T, expr string) {
		points, err := s.Query(t.Context(), expr, at)
		if err != nil && len(points) > 0 {
			t.Errorf("both %v and %v", points, err)
		}
		switch kind := ops.KindOf(err); kind {
		case "", ops.Invalid, ops.TooLarge, ops.Unavailable:
		default:
			t.Errorf("%s: %v", kind, err)
		}
	})
}

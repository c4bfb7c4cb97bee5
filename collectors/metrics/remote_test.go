package metrics_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"goc/collectors/metrics"
	"goc/ops"
)

func TestIndicatorsOfARemoteStoreAreKeptHereOnceAndExposed(t *testing.T) {
	behind := serve(t, filled(t, metrics.Options{}), "")
	reg := prometheus.NewRegistry()
	s := open(t, metrics.Options{
		Config:     metrics.Config{Remote: behind.URL, SampleInterval: ops.Duration(100 * time.Millisecond)},
		Registerer: reg, Gatherer: reg, SelfURL: "http://goc:8420",
		Catalog: catalog(t, ops.Service{Name: "pay", Indicators: []ops.Indicator{{Name: "up", Expr: `label_replace(sum(up @ 1795161600), "store", "SH-001", "", "")`}}}),
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
	wait(t, ticks, func(samples []ops.Sample) bool {
		self, err := s.Query(ctx, `goc_sampler_series{job="goc"}`, time.Time{})
		return err == nil && len(self) == 1 && self[0].Value == 1 && len(samples) == 1 && samples[0].Store == "SH-001"
	})
	points, err := s.Query(ctx, "goc_indicator", time.Time{})
	if err != nil || len(points) != 1 || points[0].Value != 1 || points[0].Labels["service"] != "pay" {
		t.Errorf("kept is %v, %v", points, err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var exposed *dto.MetricFamily
	for _, f := range families {
		if f.GetName() == metrics.IndicatorMetric {
			exposed = f
		}
	}
	if exposed == nil || len(exposed.Metric) != 1 || exposed.Metric[0].GetGauge().GetValue() != 1 {
		t.Errorf("exposed is %v", exposed)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

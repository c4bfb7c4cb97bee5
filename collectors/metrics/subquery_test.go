package metrics_test

import (
	"testing"
	"time"

	"goc/collectors/metrics"
	"goc/ops"
)

func TestASubqueryThatWouldNeverEndIsRefused(t *testing.T) {
	s, err := metrics.Open(t.Context(), metrics.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	for expr, want := range map[string]ops.Kind{
		`count_over_time({__name__=~".+"}[30d:1ms])`:                                ops.Invalid,
		`sum(max_over_time(max_over_time(max_over_time(up[1d:1m])[1d:1m])[1d:1m]))`: ops.Invalid,
		`max_over_time(up[2d:])`:                                                    "", // a step by default
		`max_over_time(rate(up[5m])[1d:15s])`:                                       "",
	} {
		if _, err := s.Query(t.Context(), expr, now); ops.KindOf(err) != want {
			t.Errorf("%s: %v, want kind %q", expr, err, want)
		}
	}
	// What is bearable once is not at ten thousand steps.
	if _, err := s.QueryRange(t.Context(), `max_over_time(up[1h:1s])`, now.Add(-10_000*time.Second), now, time.Second); ops.KindOf(err) != ops.Invalid {
		t.Errorf("over a long range: %v, want invalid", err)
	}
}

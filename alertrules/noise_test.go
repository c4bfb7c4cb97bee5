package alertrules_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"goc/alertrules"
	"goc/ops"
)

// crowd is customers who order in stores at random, and some of whose orders fail by chance: 3 a second in each store,
// counted over the last 8 seconds, as in the demo world.
type crowd struct {
	rng      *rand.Rand
	services []shopService
	stores   int
	broken   func(service, store string) (failing float64, slow time.Duration)
	calls    map[string]*[8]call // of the last 8 seconds, by service/store
}

// shopService is a service and the share of its calls that fail when all is well.
type shopService struct {
	name  string
	fails float64
}

type call struct{ n, failed, seconds float64 }

// second makes one second of calls and writes what the sampler would.
func (c *crowd) second(t testing.TB, db *store, now time.Time) {
	app := db.Appender(context.Background())
	put := func(indicator, service, store string, v float64) {
		l := labels.FromStrings("__name__", "goc_indicator", "caller", "shop", "indicator", indicator, "service", service, "store", store)
		if _, err := app.Append(0, l, now.UnixMilli(), v); err != nil {
			t.Error(err)
		}
	}
	for _, sv := range c.services {
		service, chance := sv.name, sv.fails
		for i := range c.stores {
			store := fmt.Sprintf("SH-%03d", i+1)
			window := c.window(service + store)
			failing, slow := c.broken(service, store)
			window[now.Unix()%8] = c.draw(max(chance, failing), slow)
			var sum call
			for _, w := range window {
				sum.n, sum.failed, sum.seconds = sum.n+w.n, sum.failed+w.failed, sum.seconds+w.seconds
			}
			put("requests_per_s", service, store, sum.n/8)
			put("orders_per_min", service, store, (sum.n-sum.failed)/8*60)
			if sum.n > 0 {
				put("success_ratio", service, store, 1-sum.failed/sum.n)
				put("latency_seconds", service, store, sum.seconds/sum.n)
			}
		}
	}
	if err := app.Commit(); err != nil {
		t.Error(err)
	}
}

func (c *crowd) window(key string) *[8]call {
	if c.calls[key] == nil {
		c.calls[key] = &[8]call{}
	}
	return c.calls[key]
}

// draw is one second of calls: a Poisson number of them, each of which fails by chance and takes about 20 ms.
func (c *crowd) draw(failing float64, slow time.Duration) (out call) {
	for left := c.rng.ExpFloat64() / 3; left < 1; left += c.rng.ExpFloat64() / 3 {
		out.n++
		out.seconds += 0.02*(0.5+c.rng.Float64()) + slow.Seconds()
		if c.rng.Float64() < failing {
			out.failed++
		}
	}
	return out
}

func TestChanceRaisesNoAlertAndAFaultDoesWithinEightSeconds(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var fired []ops.Alert
		db := openStore(t, dir)
		s, err := alertrules.New(t.Context(), alertrules.Options{
			Builtin: true, Engine: db, EvaluationInterval: time.Second,
			Notify: func(_ context.Context, a []ops.Alert) { mu.Lock(); fired = append(fired, a...); mu.Unlock() },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		onset := time.Now()
		c := &crowd{
			rng: rand.New(rand.NewPCG(1, 2)), stores: 10, calls: map[string]*[8]call{},
			services: []shopService{{"pricing", 0.0005}, {"gateway", 0.006}},
			broken:   func(string, string) (float64, time.Duration) { return 0, 0 },
		}
		run := func(d time.Duration) {
			for range int(d / time.Second) {
				c.second(t, db, time.Now())
				time.Sleep(time.Second)
			}
		}
		run(8 * time.Minute)
		mu.Lock()
		for _, a := range fired {
			t.Errorf("by chance %s after the start: %s", a.UpdatedAt.Sub(onset), a.Summary())
		}
		mu.Unlock()

		onset = time.Now()
		c.broken = func(service, store string) (float64, time.Duration) {
			switch {
			case service == "pricing" && store == "SH-003":
				return 0.7, 0
			case service == "gateway" && store == "SH-004":
				return 0, 1500 * time.Millisecond
			}
			return 0, 0
		}
		run(15 * time.Second)
		mu.Lock()
		first := map[string]time.Duration{}
		for _, a := range fired {
			key := strings.Join([]string{a.Name(), a.Labels["service"], a.Labels["store"]}, " ")
			if _, ok := first[key]; !ok {
				first[key] = a.UpdatedAt.Sub(onset)
			}
		}
		mu.Unlock()
		for _, want := range []string{"StoreSuccessLow pricing SH-003", "StoreSlow gateway SH-004"} {
			if d, ok := first[want]; !ok || d > 8*time.Second {
				t.Errorf("%s: %v after the fault; all: %v", want, d, first)
			}
			t.Logf("%s after %s", want, first[want])
		}
		for key := range first {
			if !strings.HasSuffix(key, "SH-003") && !strings.HasSuffix(key, "SH-004") {
				t.Errorf("%s fired, which nothing is wrong with", key)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"goc/changes"
	"goc/ops"
)

// BenchmarkGateCheck asks the whole program over HTTP, with 10,000 changes and 100 freezes on record on SQLite; each
// answer is audited on disk before it is given. It prints what a CI job would feel.
func BenchmarkGateCheck(b *testing.B) {
	url, client := benchServer(b)
	record(b, url, client)
	for _, jobs := range []int{1, 32} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			var mu sync.Mutex
			var took []time.Duration
			next := make(chan int)
			var wg sync.WaitGroup
			b.ResetTimer()
			for range jobs {
				wg.Go(func() {
					for n := range next {
						begin := time.Now()
						check(b, client, url, n)
						d := time.Since(begin)
						mu.Lock()
						took = append(took, d)
						mu.Unlock()
					}
				})
			}
			for n := range b.N {
				next <- n
			}
			close(next)
			wg.Wait()
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "checks/s")
		})
	}
}

// BenchmarkGateAtRate asks the whole program over HTTP 5,000 times a second, whether or not it keeps up, with every rule
// on, 100,000 changes, 1,000 freezes and 200 policies; p50 and p99 count from when each question was due. It asks b.N
// times: give -benchtime 50000x for ten seconds.
func BenchmarkGateAtRate(b *testing.B) {
	a, client := benchApp(b, everyRule)
	fill(b, a)
	b.Run("5000 a second", func(b *testing.B) { askAtRate(b, a.url, client, 5000) })
}

func askAtRate(b *testing.B, url string, client *http.Client, rate time.Duration) {
	const workers = 128
	took := make([]time.Duration, b.N)
	due := make(chan int, b.N)
	var wg sync.WaitGroup
	b.ResetTimer()
	began, used := time.Now(), cpuTime(b)
	for range workers {
		wg.Go(func() {
			for n := range due {
				check(b, client, url, n)
				took[n] = time.Since(began.Add(time.Duration(n) * time.Second / rate))
			}
		})
	}
	for n := range b.N {
		time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second / rate)))
		due <- n
	}
	close(due)
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "checks/s")
	b.ReportMetric(float64((cpuTime(b)-used).Microseconds())/float64(b.N), "cpu-µs/check")
}

// cpuTime is what this process, the asking included, has used of the processors.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// everyRule is a chain of 200 services and 5,000 stores, and a gate with all rules on.
func everyRule(c *config) {
	for i := range 200 {
		s := ops.Service{Name: fmt.Sprintf("svc-%d", i), Tier: fmt.Sprintf("T%d", i%3), Indicators: []ops.Indicator{{Name: "success_ratio", Expr: "1"}}}
		if i > 0 {
			s.Calls = []string{fmt.Sprintf("svc-%d", i/2)}
		}
		c.Catalog.Services = append(c.Catalog.Services, s)
		p := ops.GatePolicy{Name: fmt.Sprint("policy-", i), Expr: fmt.Sprintf(`change.service == "svc-%d" && change.risk == "high" && local.hour > 20`, i)}
		if i%10 == 0 {
			p.Expr = `change.risk == "high" && (local.hour < 9 || local.hour > 20)`
		}
		c.Gate.Policies = append(c.Gate.Policies, p)
	}
	for i := range 5000 {
		c.Catalog.Stores = append(c.Catalog.Stores, ops.Store{ID: fmt.Sprintf("S-%d", i), City: fmt.Sprintf("city-%d", i%50), Region: fmt.Sprintf("region-%d", i%5)})
	}
	floor := 0.5
	c.Gate.ErrorBudget.Objective, c.Gate.Collision.Effect, c.Gate.Timezone = 0.999, ops.EffectWait, "Asia/Shanghai"
	c.Gate.MaxShare = changes.MaxShare{City: 0.2, Region: 0.2, All: 0.2}
	c.Gate.Reviews = []changes.ReviewRule{{Tier: []string{"T0"}, Risk: []string{"high"}, Need: changes.Reviews[:]}}
	c.Gate.Approvals = map[string]changes.ApprovalRule{"high": {Need: 1}}
	c.Gate.RedLines = []changes.RedLine{{Name: "floor", Service: "svc-1", Indicator: "success_ratio", Below: &floor}}
}

// fill puts 100,000 changes, of which 200 are under way, and 1,000 freezes on record.
func fill(b *testing.B, a *app) {
	b.Helper()
	who := ops.Principal{Name: "bench", Role: ops.Admin}
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := w; i < 100_000; i += 64 {
				c := ops.Change{
					Kind: ops.KindRelease, Service: fmt.Sprintf("svc-%d", i%200), Version: fmt.Sprint(i), Scope: ops.Scope{Store: []string{fmt.Sprintf("S-%d", i%5000)}}, Status: ops.ChangeFinished,
				}
				if i%500 == 0 {
					c.Status = ops.ChangeStarted
				}
				if _, err := a.changes.Record(b.Context(), who, c); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range 1000 {
		f := ops.Freeze{Name: fmt.Sprint("night ", i), Scope: ops.Scope{Service: []string{fmt.Sprintf("svc-%d", i%200)}}, Schedule: &ops.FreezeSchedule{Cron: fmt.Sprintf("0 %d * * *", i%24), Duration: ops.Duration(time.Hour), Timezone: "Asia/Shanghai"}}
		if _, err := a.changes.AddFreeze(b.Context(), who, f); err != nil {
			b.Error(err)
		}
	}
	wg.Wait()
}

// benchServer starts the program in this process on a fresh folder.
func benchServer(b *testing.B) (string, *http.Client) {
	b.Helper()
	a, client := benchApp(b, nil)
	return a.url, client
}

// benchApp starts it with a configuration that with changed.
func benchApp(b *testing.B, with func(*config)) (*app, *http.Client) {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	no := false
	cfg := &config{Listen: ln.Addr().String(), Data: b.TempDir()}
	if with != nil {
		with(cfg)
	}
	cfg.Auth.Anonymous, cfg.AlertRules.Builtin, cfg.Metrics.SampleInterval = true, &no, ops.Duration(time.Hour)
	if err := cfg.validate(); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := start(ctx, cfg, ln, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cancel()
		if err := a.wait(); err != nil {
			b.Error(err)
		}
	})
	return a, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
}

// record puts 10,000 changes and 100 freezes on record.
func record(b *testing.B, url string, client *http.Client) {
	b.Helper()
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			for i := w; i < 10_000; i += 32 {
				send(b, client, url+"/api/v1/changes", map[string]any{
					"kind": "release", "service": fmt.Sprintf("svc-%d", i%200), "version": fmt.Sprint(i), "scope": map[string]any{"store": []string{fmt.Sprintf("S-%d", i%5000)}},
				}, nil)
			}
		})
	}
	for i := range 100 {
		send(b, client, url+"/api/v1/freezes", map[string]any{
			"name": fmt.Sprint("night ", i), "reason": "night", "scope": map[string]any{"service": []string{fmt.Sprintf("svc-%d", i)}},
			"schedule": map[string]any{"cron": "0 1 * * *", "duration": "4h", "timezone": "Asia/Shanghai"},
		}, nil)
	}
	wg.Wait()
}

func check(b *testing.B, client *http.Client, url string, n int) {
	var d ops.Decision
	send(b, client, url+"/api/v1/gate/check", map[string]any{"kind": "release", "service": fmt.Sprintf("svc-%d", n%200), "version": "next", "scope": map[string]any{"store": []string{fmt.Sprintf("S-%d", n%5000)}}}, &d)
	if d.Decision == "" {
		b.Error("no decision")
	}
}

func send(b *testing.B, client *http.Client, url string, body, out any) {
	j, err := json.Marshal(body)
	if err != nil {
		b.Error(err)
		return
	}
	resp, err := client.Post(url, "application/json", bytes.NewReader(j))
	if err != nil {
		b.Error(err)
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		b.Errorf("%s answered %d: %.200s", url, resp.StatusCode, answer)
		return
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			b.Error(err)
		}
	}
}

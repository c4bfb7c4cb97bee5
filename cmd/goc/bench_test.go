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
	"testing"
	"time"

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

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goc/changes"
	"goc/ops"
)

// BenchmarkGateAtRate asks the whole program over HTTP 5,000 times a second, whether or not it keeps up, with every rule
// on, 100,000 changes, 1,000 freezes and 200 policies; p50 and p99 count from when each question was due. It asks b.N
// times: give -benchtime 50000x for ten seconds. Those who ask share the two processors, so they do little: they write
// and read HTTP by hand on connections that they keep.
func BenchmarkGateAtRate(b *testing.B) {
	a, _ := benchApp(b, everyRule)
	fill(b, a)
	b.Run("5000 a second", func(b *testing.B) { askAtRate(b, a.url, 5000) })
}

func askAtRate(b *testing.B, at string, rate time.Duration) {
	const askers = 128
	took := make([]time.Duration, b.N)
	due := make(chan int, b.N)
	var wg sync.WaitGroup
	asking := make([]*asker, askers)
	for i := range asking {
		asking[i] = newAsker(b, at)
	}
	b.ResetTimer()
	commits := commitsOf(b, at)
	began, used := time.Now(), usage(b)
	for _, who := range asking {
		wg.Go(func() {
			for n := range due {
				who.ask(b, n)
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
	b.ReportMetric(milliseconds(took[len(took)/2]), "p50-ms")
	b.ReportMetric(milliseconds(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(milliseconds(took[len(took)-1]), "worst-ms")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "checks/s")
	b.ReportMetric(float64((usage(b)-used).Microseconds())/float64(b.N), "cpu-µs/check")
	b.ReportMetric(float64(b.N)/(commitsOf(b, at)-commits), "checks/commit")
}

// commitsOf is how often the program has waited for the disk.
func commitsOf(b *testing.B, at string) (n float64) {
	b.Helper()
	resp, err := http.Get(at + "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\ngoc_storage_commit_seconds_count ")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		b.Fatal(err)
	}
	return n
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// usage is what this process, the asking included, has used of the processors.
func usage(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// asker is a CI job at its cheapest: one connection, one question after the other.
type asker struct {
	conn   net.Conn
	r      *bufio.Reader
	head   string
	body   []byte
	answer []byte
}

func newAsker(b *testing.B, at string) *asker {
	b.Helper()
	u, err := url.Parse(at)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return &asker{conn: conn, r: bufio.NewReader(conn), head: "POST /api/v1/gate/check HTTP/1.1\r\nHost: " + u.Host + "\r\nContent-Type: application/json\r\nContent-Length: "}
}

// ask sends a question and reads its answer whole.
func (a *asker) ask(b *testing.B, n int) {
	body := fmt.Sprintf(`{"kind":"release","service":"svc-%d","version":"next","scope":{"store":["S-%d"]}}`, n%200, n%5000)
	a.body = fmt.Appendf(a.body[:0], "%s%d\r\n\r\n%s", a.head, len(body), body)
	if _, err := a.conn.Write(a.body); err != nil {
		b.Error(err)
		return
	}
	if err := a.read(); err != nil {
		b.Error(err)
	}
}

func (a *asker) read() error {
	status, err := a.r.ReadSlice('\n')
	if err != nil || !bytes.HasSuffix(status, []byte(" 200 OK\r\n")) {
		return fmt.Errorf("answered %q: %w", status, err)
	}
	length := 0
	for line := status; len(line) > 2; {
		if line, err = a.r.ReadSlice('\n'); err != nil {
			return err
		}
		if size, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(size))); err != nil {
				return err
			}
		}
	}
	a.answer = slices.Grow(a.answer[:0], length)[:length]
	if _, err = io.ReadFull(a.r, a.answer); err != nil {
		return err
	}
	if !bytes.Contains(a.answer, []byte(`"decision":"`)) {
		return fmt.Errorf("no decision: %.200s", a.answer)
	}
	return nil
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
	a.changes.Watch(func(ops.Change) {})() // returns once the incident engine has seen them all
}

package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// aDay writes a day of history as a chain of 40 services and 500 stores would give it, in time order: about 1,000,000
// lines, nearly all of them samples, with 1,000 changes and 13,000 alerts that fire and end; it returns how many.
func aDay(b *testing.B, path string) (lines int) {
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	gz := gzip.NewWriter(f)
	w := bufio.NewWriter(gz)
	say := func(format string, args ...any) {
		lines++
		fmt.Fprintf(w, format+"\n", args...)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	at, ends := 1_763_600_000, map[int][]string{}
	calls := ""
	for s := 1; s < 40; s++ {
		calls += fmt.Sprintf(`,["svc-%d","svc-%d"]`, s/2, s)
	}
	say(`{"at":%d,"kind":"topology","calls":[%s]}`, at, calls[1:])
	for end := at + 86400; at < end; at += 10 {
		for s := range 109 {
			store := ""
			if s >= 40 {
				store = fmt.Sprintf(`,"store":"S-%03d"`, s)
			}
			say(`{"at":%d,"kind":"indicator","indicator":"success_ratio","service":"svc-%d"%s,"value":%.5f}`, at, s%40, store, 0.99+rnd.Float64()/100)
		}
		for _, labels := range ends[at] {
			say(`{"at":%d,"kind":"alert","status":"resolved","labels":%s}`, at, labels)
		}
		if rnd.IntN(86) < 100/10 {
			n := lines
			say(`{"at":%d,"kind":"change","change":{"id":"CHG-%d","kind":"release","title":"release","service":"svc-%d","scope":{"store":["S-%03d"]}}}`, at, n, rnd.IntN(40), rnd.IntN(500))
		}
		for range rnd.IntN(4) {
			labels := fmt.Sprintf(`{"alertname":"SuccessLow","service":"svc-%d","store":"S-%03d","severity":"warning"}`, rnd.IntN(40), rnd.IntN(500))
			say(`{"at":%d,"kind":"alert","status":"firing","labels":%s,"annotations":{"summary":"it fails"}}`, at, labels)
			until := at + 10*(6+rnd.IntN(60))
			ends[until] = append(ends[until], labels)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return lines
}

// BenchmarkReplayADay replays a day of history, read from a gzip file, and says how long a million lines take.
func BenchmarkReplayADay(b *testing.B) {
	path := filepath.Join(b.TempDir(), "day.jsonl.gz")
	lines := aDay(b, path)
	began := cpuSeconds(b)
	for b.Loop() {
		r := newReplay(setup{}, func(any) error { return nil })
		if err := r.file(b.Context(), path); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpuSeconds(b)-began)/float64(b.N)/float64(lines)*1e6, "cpu-s/1M-lines")
	b.ReportMetric(float64(lines), "lines")
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/float64(lines)*1e6, "s/1M-lines")
}

// cpuSeconds is the processor time that this process has used: on a busy machine it says more than the clock.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

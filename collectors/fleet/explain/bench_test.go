package explain_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"goc/collectors/fleet/explain"
)

// BenchmarkExplain explains 50,000 affected of a million devices, hit by two causes at once with noise about them.
func BenchmarkExplain(b *testing.B) {
	for _, shape := range [][2]int{{2000, 500}, {10000, 100}, {20000, 50}} {
		r := rand.New(rand.NewPCG(7, 7))
		c := newChain(r, shape[0], shape[1])
		causes := []set{{firmware: 0, network: 1}, {region: 2, kind: 1}}
		in := explain.Counts{Total: c.total, Affected: c.strike(r, causes, []float64{.6, .7}, .004)}
		benchmarkCounts(b, fmt.Sprintf("%d stores of %d", shape[0], shape[1]), c, causes, in)
		benchmarkCounts(b, fmt.Sprintf("%d stores of %d, old ones known", shape[0], shape[1]), c, causes, c.old(r, in))
	}
}

func benchmarkCounts(b *testing.B, name string, c chain, causes []set, in explain.Counts) {
	b.Run(name, func(b *testing.B) {
		x, err := explain.NewIndex(c.axes, len(c.total))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := x.Explain(in, explain.Options{}); err != nil { // the first call counts the totals
			b.Fatal(err)
		}
		b.ResetTimer()
		busy := processor()
		var got explain.Result
		best := time.Hour
		for range b.N {
			start := time.Now()
			if got, err = x.Explain(in, explain.Options{}); err != nil {
				b.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		if want := []scope{causes[0].scope(c), causes[1].scope(c)}; !sameSet(scopes(got), want) {
			b.Errorf("named %v, not %v", scopes(got), want)
		}
		b.ReportMetric(float64((processor()-busy).Microseconds())/1000/float64(b.N), "processor-ms/op")
		b.ReportMetric(float64(best.Microseconds())/1000, "best-ms")
		b.ReportMetric(float64(len(c.total)), "cells")
		b.ReportMetric(float64(sum(in.Affected)), "affected")
		b.ReportMetric(float64(sum(in.Total)), "devices")
	})
}

func sum(counts []uint32) (n uint64) {
	for _, c := range counts {
		n += uint64(c)
	}
	return n
}

// processor is the processor time that the process has used.
func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

package storage_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"goc/ops"
	"goc/storage"
)

const benchWriters = 1000

var benchIDs atomic.Int64

// BenchmarkCommit measures durable mutations (one row and one event each) a second: one writer, and so one commit
// each, against 1,000 writers that share commits. It prints the
// medians of both and their ratio.
func BenchmarkCommit(b *testing.B) {
	for _, db := range databases {
		b.Run(db.name, func(b *testing.B) {
			s := open(b, db.fresh(b))
			defer s.Close()
			var alone, together []float64
			for b.Loop() { // by turns, so that a noisy neighbour disturbs both
				for range 3 {
					alone = append(alone, rate(b, s, 1, 700*time.Millisecond))
					together = append(together, rate(b, s, benchWriters, 1500*time.Millisecond))
				}
			}
			b.ReportMetric(median(alone), "alone/s")
			b.ReportMetric(median(together), "together/s")
			b.ReportMetric(median(together)/median(alone), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// rate runs writers for d and returns how many mutations a second became durable.
func rate(tb testing.TB, s *storage.Store, writers int, d time.Duration) float64 {
	var done atomic.Int64
	ids := &benchIDs
	var wg sync.WaitGroup
	start := time.Now()
	for range writers {
		wg.Go(func() {
			for time.Since(start) < d {
				id := fmt.Sprintf("CHG-%d", ids.Add(1))
				if _, err := s.Append(mutation(id)).Wait(context.Background()); err != nil {
					tb.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(done.Load()) / time.Since(start).Seconds()
}

var benchBody = []byte(`{"id":"CHG-1","kind":"release","service":"checkout","title":"checkout 2026.11.20-3","by":"wang","risk":"high","stage":1,"at":"2026-11-20T08:00:00.000Z"}`)

func mutation(id string) ops.Mutation {
	return ops.Mutation{
		Put: []ops.Record{{Kind: "change", ID: id, Body: benchBody}},
		Events: []ops.Event{{
			At: ops.At(time.Unix(1_800_000_000, 0)), Name: "change.recorded", Topic: "changes", Subject: id, Actor: "ci",
			Data: []byte(`{"text":"checkout 2026.11.20-3 was recorded"}`),
		}},
	}
}

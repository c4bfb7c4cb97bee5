package metrics

import (
	"math"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
)

// writer appends one value to each of a set of series at each tick, and marks as stale, at once, those that a tick no
// longer has: without that PromQL would go on showing them for five minutes. It is not safe for concurrent use.
type writer[K comparable] struct {
	known map[K]*writtenSeries
	tick  uint64
}

type writtenSeries struct {
	labels labels.Labels
	ref    storage.SeriesRef
	tick   uint64
}

func newWriter[K comparable]() *writer[K] { return &writer[K]{known: map[K]*writtenSeries{}} }

// batch starts a tick at atMs.
func (w *writer[K]) batch(app storage.Appender, atMs int64) *writing[K] {
	w.tick++
	return &writing[K]{writer: w, app: app, at: atMs}
}

type writing[K comparable] struct {
	writer *writer[K]
	app    storage.Appender
	at     int64
	err    error
}

// add appends v to the series of key, whose labels are asked for only when it is new. It says whether the tick had no
// value for the key yet.
func (b *writing[K]) add(key K, v float64, lset func() labels.Labels) bool {
	series, ok := b.writer.known[key]
	if !ok {
		series = &writtenSeries{labels: lset()}
		b.writer.known[key] = series
	}
	if series.tick == b.writer.tick {
		return false
	}
	series.tick = b.writer.tick
	b.append(series, v)
	return true
}

func (b *writing[K]) append(series *writtenSeries, v float64) {
	if b.err != nil {
		return
	}
	series.ref, b.err = b.app.Append(series.ref, series.labels, b.at, v)
}

// commit ends the tick: what had no value is marked stale and forgotten. After an error nothing of the tick is kept.
func (b *writing[K]) commit() error {
	for key, series := range b.writer.known {
		if series.tick != b.writer.tick {
			b.append(series, math.Float64frombits(value.StaleNaN))
			delete(b.writer.known, key)
		}
	}
	if b.err != nil {
		_ = b.app.Rollback()
		return b.err
	}
	return b.app.Commit()
}

package history

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"goc/incidents/engine"
	"goc/ops"
)

// Options of a recorder. Dir is required.
type Options struct {
	Dir        string // of the segments; made when it is not there
	Config     Config
	Version    string // of the program, for the record
	Registerer prometheus.Registerer
	Logger     *slog.Logger
}

// Bounds of what waits for the disk.
const (
	maxWaiting = 4_096   // steps
	maxValues  = 200_000 // samples and alerts in them
)

// Recorder writes what an engine is told. Step, Needs and Begin are called under the engine's mutex, never wait for the
// disk, and do not fail: what cannot be written is counted and marked as a gap, and incidents go on. Close it at the end.
type Recorder struct {
	o       Options
	log     *slog.Logger
	figures *figures
	queue   chan entry
	waiting atomic.Int64         // values in the queue
	stopped atomic.Bool          // the disk did not take it; the writer tries again later
	needs   atomic.Pointer[Need] // what the writer wants
	closing chan struct{}
	ended   chan struct{}

	step   uint64
	lost   int // inputs since the gap began, 0 when there is none
	lostAt time.Time
}

// Need is why a recording wants to begin anew: segment, gap or start; "" when it does not.
type Need string

// entry is one thing for the writer: a step, a beginning, or somebody who waits until all before is on file.
type entry struct {
	step    uint64
	at      time.Time
	in      engine.Input
	answers []engine.Answer
	begins  []byte // lines of a beginning
	flushed chan error
}

// Start begins to record into o.Dir. The first thing it needs is a beginning.
func Start(o Options) *Recorder {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Recorder{o: o, log: o.Logger, queue: make(chan entry, maxWaiting), closing: make(chan struct{}), ended: make(chan struct{})}
	r.figures = newFigures(o.Registerer, r)
	r.want("start")
	go newWriter(r).run()
	return r
}

func (r *Recorder) want(n Need) { r.needs.Store(&n) }

// Step records one step that has run.
func (r *Recorder) Step(at time.Time, in engine.Input, answers []engine.Answer) {
	r.step++
	if r.lost > 0 || r.stopped.Load() || !r.offer(entry{step: r.step, at: at, in: in, answers: answers}) {
		r.lose(at)
	}
}

func (r *Recorder) lose(at time.Time) {
	if r.lost == 0 {
		r.lostAt = at
	}
	r.lost++
	r.figures.lost.Inc()
}

// offer hands an entry to the writer; false when too much waits already.
func (r *Recorder) offer(e entry) bool {
	n := valuesOf(e.in)
	if r.waiting.Load()+n > maxValues {
		return false
	}
	select {
	case r.queue <- e:
		r.waiting.Add(n)
		return true
	default:
		return false
	}
}

// valuesOf is how much an input weighs in the queue.
func valuesOf(in engine.Input) int64 {
	switch in := in.(type) {
	case engine.Samples:
		return int64(len(in.Samples))
	case engine.Alerts:
		return int64(len(in.Alerts))
	}
	return 1
}

// Needs says whether the recording wants a beginning now, and why: to be asked after each step.
func (r *Recorder) Needs() Need {
	switch {
	case r.stopped.Load():
		return ""
	case r.lost > 0 && len(r.queue) < maxWaiting/2:
		return "gap"
	case r.lost > 0:
		return ""
	}
	if n := r.needs.Load(); n != nil {
		return *n
	}
	return ""
}

// Begin records the state from which the steps that follow go on. It takes it as it is now, so nothing of it is kept.
func (r *Recorder) Begin(why Need, at time.Time, settings engine.Config, cat *ops.Catalog, saved engine.Saved, next int) {
	b, err := r.gapLine(nil, at)
	if err == nil {
		b, err = appendBeginning(b, at, engine.Beginning{Why: string(why), Version: r.o.Version, Settings: settings, Next: next}, cat, saved)
	}
	if err != nil {
		r.log.Error("the state cannot be recorded", "err", err)
		r.figures.lost.Inc()
		return
	}
	if r.offer(entry{at: at, begins: b}) {
		r.lost = 0
		r.needs.Store(nil)
	}
}

// gapLine says what was lost since the last beginning, if anything was.
func (r *Recorder) gapLine(b []byte, at time.Time) ([]byte, error) {
	if r.lost == 0 {
		return b, nil
	}
	text := fmt.Sprintf("from %s to %s %d inputs could not be recorded", ops.At(r.lostAt), ops.At(at), r.lost)
	return engine.AppendLine(b, engine.Head{Kind: "gap", At: r.lostAt}, engine.Recorded{Until: ops.At(at), Lost: r.lost, Text: text})
}

// Reload records that the engine has a new catalog.
func (r *Recorder) Reload(at time.Time, cat *ops.Catalog) {
	b, err := appendCatalog(nil, at, cat)
	if err == nil {
		b, err = engine.AppendLine(b, engine.Head{Kind: "reload", At: at}, nil)
	}
	if err != nil || r.lost > 0 || r.stopped.Load() || !r.offer(entry{at: at, begins: b, in: engine.Topology{}}) {
		r.lose(at)
	}
}

// Flush returns when everything recorded so far can be read.
func (r *Recorder) Flush(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case r.queue <- entry{flushed: done}:
	case <-r.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-r.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes what waits and ends the recording. It must be called once, after the last step.
func (r *Recorder) Close() error {
	close(r.closing)
	<-r.ended
	return nil
}

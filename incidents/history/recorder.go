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
	valueBytes = 128     // of a catalog that waits weigh as much as one
)

// Recorder writes what an engine is told. Step, Needs and Begin are called under the engine's mutex, never wait for the
// disk, and do not fail: what cannot be written is counted and marked as a gap, and incidents go on. Close it at the end.
type Recorder struct {
	o       Options
	log     *slog.Logger
	figures *figures
	queue   chan entry
	waiting atomic.Int64         // values in the queue
	begins  atomic.Bool          // a beginning is in the queue, or is being written
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
	r := newRecorder(o)
	go newWriter(r).run()
	return r
}

func newRecorder(o Options) *Recorder {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Recorder{o: o, log: o.Logger, queue: make(chan entry, maxWaiting), closing: make(chan struct{}), ended: make(chan struct{})}
	r.figures = newFigures(o.Registerer, r)
	r.want("start")
	return r
}

func (r *Recorder) want(n Need) { r.needs.Store(&n) }

// Step records one step that has run.
func (r *Recorder) Step(at time.Time, in engine.Input, answers []engine.Answer) {
	r.step++
	if r.broken() || !r.offer(entry{step: r.step, at: at, in: in, answers: answers}) {
		r.lose(at)
	}
}

// broken says whether what is recorded could not be told from what went before: only a beginning helps.
func (r *Recorder) broken() bool {
	n := r.needs.Load()
	return r.lost > 0 || r.stopped.Load() || n != nil && *n != "segment"
}

// Lost notes that an input changed the engine and cannot be recorded. What follows begins anew.
func (r *Recorder) Lost(at time.Time) { r.lose(at) }

func (r *Recorder) lose(at time.Time) {
	if r.lost == 0 {
		r.lostAt = at
	}
	r.lost++
	r.figures.lost.Inc()
}

// offer hands an entry to the writer; false when too much waits already.
func (r *Recorder) offer(e entry) bool {
	n := e.weight()
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

// idle says whether the queue is half empty or more.
func (r *Recorder) idle() bool {
	return len(r.queue) < maxWaiting/2 && r.waiting.Load() < maxValues/2
}

// isBeginning says whether a segment begins with e.
func (e *entry) isBeginning() bool { return e.begins != nil && e.in == nil }

// weight is how much an entry weighs in the queue. A beginning is as large as the state is and cannot be told in parts:
// of those only one waits, and what follows it may still come.
func (e *entry) weight() int64 {
	if e.isBeginning() {
		return 0
	}
	if e.begins != nil {
		return 1 + int64(len(e.begins))/valueBytes
	}
	switch in := e.in.(type) {
	case engine.Samples:
		return int64(len(in.Samples))
	case engine.Alerts:
		return int64(len(in.Alerts))
	}
	return 1
}

// Needs says whether the recording wants a beginning now, and why: to be asked after each step. While much waits for the
// disk, or a beginning does, it wants none: one is a copy of the whole state, and would not be taken.
func (r *Recorder) Needs() Need {
	switch {
	case r.stopped.Load() || r.begins.Load() || !r.idle():
		return ""
	case r.lost > 0:
		return "gap"
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
	if !r.begins.CompareAndSwap(false, true) {
		r.want(why) // later
		return
	}
	if !r.offer(entry{at: at, begins: b}) {
		r.begins.Store(false)
		r.want(why)
		return
	}
	r.lost = 0
	r.needs.Store(nil)
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
	if err != nil || r.broken() || !r.offer(entry{at: at, begins: b, in: engine.Topology{}}) {
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

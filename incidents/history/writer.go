package history

import (
	"errors"
	"os"
	"time"

	"github.com/klauspost/compress/gzip"
)

// How the writer goes about.
const (
	flushEvery = 2 * time.Second // what a crash may lose
	retryAfter = time.Minute     // after the disk refused
)

// writer is the goroutine that owns the file.
type writer struct {
	r       *Recorder
	file    *os.File // nil while there is none
	gz      *gzip.Writer
	began   time.Time // of the segment
	written int64     // bytes of the segment
	base    int64     // bytes of its beginning: the state, which is as large as it is
	create  func(dir string, from time.Time) (*os.File, error)
	dirty   bool
	buf     []byte
	retry   time.Time // when to try again after a failure
}

func newWriter(r *Recorder) *writer { return &writer{r: r, create: create} }

func (w *writer) run() {
	defer close(w.r.ended)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case e := <-w.r.queue:
			w.take(e)
		case now := <-tick.C:
			w.idle(now)
		case <-w.r.closing:
			for len(w.r.queue) > 0 {
				w.take(<-w.r.queue)
			}
			w.fail(w.end())
			return
		}
	}
}

// take writes one entry.
func (w *writer) take(e entry) {
	switch {
	case e.flushed != nil:
		err := w.flush()
		w.fail(err)
		e.flushed <- err
		return
	case e.isBeginning():
		w.fail(w.begin(e))
		w.settle()
	case w.file == nil: // it is lost: the beginning that follows a failure says so
		w.r.figures.lost.Inc()
	case e.begins != nil:
		w.fail(w.write(e.begins))
	default:
		w.fail(w.append(e))
	}
	w.r.waiting.Add(-e.weight())
}

// begin starts a segment. Where it cannot be begun no file is left behind: it would say that nothing happened then.
func (w *writer) begin(e entry) error {
	if err := errors.Join(w.end(), os.MkdirAll(w.r.o.Dir, 0o700)); err != nil {
		return err
	}
	c := w.r.o.Config
	if err := retain(w.r.o.Dir, c.keep(), c.maxBytes()-c.segmentBytes()-w.base, e.at); err != nil {
		return err
	}
	f, err := w.create(w.r.o.Dir, e.at)
	if err != nil {
		return err
	}
	w.file, w.began, w.written = f, e.at, 0
	if w.gz, err = gzip.NewWriterLevel(w, gzip.BestSpeed); err == nil {
		err = errors.Join(w.write(e.begins), w.flush())
	}
	if err != nil {
		return errors.Join(err, w.remove())
	}
	w.base = w.written
	return nil
}

// settle lets the next beginning come. A new segment that was asked for while this one waited is no longer needed.
func (w *writer) settle() {
	if n := w.r.needs.Load(); n != nil && *n == "segment" {
		w.r.needs.CompareAndSwap(n, nil)
	}
	w.r.begins.Store(false)
}

// remove takes back the segment that was to begin.
func (w *writer) remove() error {
	name := w.file.Name()
	w.file.Close() // what it says is no news
	w.file, w.gz, w.dirty = nil, nil, false
	return os.Remove(name)
}

func (w *writer) append(e entry) error {
	b, err := appendStep(w.buf[:0], e)
	w.buf = b[:0]
	if err != nil { // not the disk's fault: what cannot be recorded is lost, and what follows begins anew
		w.r.log.Error("an input cannot be recorded", "err", err)
		w.r.figures.lost.Inc()
		w.r.want("gap")
		return nil
	}
	w.r.figures.steps.Inc()
	if w.written-w.base > w.r.o.Config.segmentBytes() || e.at.Sub(w.began) > segmentTime {
		w.wantSegment()
	}
	return w.write(b)
}

func (w *writer) wantSegment() {
	if w.r.needs.Load() == nil {
		w.r.want("segment")
	}
}

func (w *writer) write(b []byte) error {
	w.dirty = true
	_, err := w.gz.Write(b)
	return err
}

// Write counts what goes to the file.
func (w *writer) Write(b []byte) (int, error) {
	n, err := w.file.Write(b)
	w.written += int64(n)
	w.r.figures.bytes.Add(float64(n))
	return n, err
}

// flush makes everything written readable.
func (w *writer) flush() error {
	if w.file == nil || !w.dirty {
		return nil
	}
	w.dirty = false
	return w.gz.Flush()
}

// end closes the segment.
func (w *writer) end() error {
	if w.file == nil {
		return nil
	}
	err := errors.Join(w.gz.Close(), w.file.Sync(), w.file.Close())
	w.file, w.gz, w.dirty = nil, nil, false
	return err
}

// idle flushes now and then, and after a failure asks for another beginning when it is time.
func (w *writer) idle(now time.Time) {
	w.fail(w.flush())
	if w.r.stopped.Load() && now.After(w.retry) {
		w.r.want("gap")
		w.r.stopped.Store(false)
	}
}

// fail stops the recording when err is not nil. Incidents go on.
func (w *writer) fail(err error) {
	if err == nil {
		return
	}
	if w.file != nil {
		w.file.Close() // what it says is no news
		w.file, w.gz, w.dirty = nil, nil, false
	}
	w.retry = time.Now().Add(retryAfter)
	w.r.stopped.Store(true)
	w.r.log.Error("the history is not recorded: its disk does not take it; incidents go on", "dir", w.r.o.Dir, "retry_in", retryAfter, "err", err)
}

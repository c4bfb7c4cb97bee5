package history

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// These look inside: what they are about goes wrong only when a disk fails at one moment, or is slow for one.

var then = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

func TestASegmentThatCannotBeBegunLeavesNoFileBehind(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(newRecorder(Options{Dir: dir}))
	w.create = func(dir string, from time.Time) (*os.File, error) { // a disk that takes names and no bytes
		return os.OpenFile(filepath.Join(dir, from.Format(stamp)+suffix), os.O_CREATE|os.O_RDONLY, 0o600)
	}
	w.take(entry{at: then, begins: []byte("{}\n")})
	if left, err := segments(dir); err != nil || len(left) != 0 {
		t.Errorf("%d segments are left, %v; want none", len(left), err)
	}
	if !w.r.stopped.Load() || w.file != nil {
		t.Error("the recording does not know that its disk fails")
	}
}

func TestASegmentThatSomebodyElseRemovedIsNoFailure(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		f, err := create(dir, then.Add(time.Duration(i)*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	all, err := segments(dir)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d segments, %v", len(all), err)
	}
	if err := os.Remove(all[0].path); err != nil {
		t.Fatal(err)
	}
	if err := prune(all, time.Hour, 1<<30, then.Add(10*time.Hour)); err != nil {
		t.Error(err)
	}
	if left, err := segments(dir); err != nil || len(left) != 1 {
		t.Errorf("%d segments are left, %v; want the newest", len(left), err)
	}
}

// noise is lines that do not get smaller.
func noise(size int) []byte {
	b, rnd := make([]byte, size), rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return append(bytes.ReplaceAll(b, []byte("\n"), []byte(" ")), '\n')
}

func TestTheSizeOfASegmentIsThatOfWhatCameAfterItsBeginning(t *testing.T) {
	r := newRecorder(Options{Dir: t.TempDir(), Config: Config{MaxBytes: minBytes}})
	w := newWriter(r)
	r.Begin("start", then, engine.Config{}, &ops.Catalog{}, engine.Saved{}, 1)
	e := <-r.queue
	e.begins = noise(int(3 * r.o.Config.segmentBytes()))
	w.take(e)
	w.take(entry{step: 1, at: then, in: engine.Tick{}})
	if n := r.Needs(); n != "" {
		t.Errorf("after one step on a large state the recording needs a %q", n)
	}
	w.written += r.o.Config.segmentBytes() + 1
	w.take(entry{step: 2, at: then, in: engine.Tick{}})
	if n := r.Needs(); n != "segment" {
		t.Errorf("after as many steps as a segment holds it needs %q", n)
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
}

func TestOneBeginningAtATimeWaitsForTheDisk(t *testing.T) {
	r := newRecorder(Options{Dir: t.TempDir()})
	begin := func(why Need) { r.Begin(why, then, engine.Config{}, &ops.Catalog{}, engine.Saved{}, 1) }
	begin(r.Needs())
	r.want("segment") // by steps that wait before the beginning
	if n := r.Needs(); n != "" {
		t.Errorf("while a beginning waits another is needed: %q", n)
	}
	begin("gap") // by an input that cannot be recorded
	if len(r.queue) != 1 {
		t.Errorf("%d beginnings wait, want 1", len(r.queue))
	}
	r.Step(then, engine.Tick{}, nil)
	if len(r.queue) != 1 || r.lost != 1 {
		t.Errorf("%d wait and %d are lost; a step after what could not be recorded must not look as if it followed", len(r.queue), r.lost)
	}
	w := newWriter(r)
	w.take(<-r.queue)
	if n := r.Needs(); n != "gap" {
		t.Errorf("then it needs %q, want a gap", n)
	}
	begin("gap")
	w.take(<-r.queue)
	if n := r.Needs(); n != "" || r.lost != 0 {
		t.Errorf("after that it needs %q, and %d are lost", n, r.lost)
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
}

func TestWhileMuchWaitsNoBeginningIsMade(t *testing.T) {
	r := newRecorder(Options{Dir: t.TempDir()})
	r.Begin("start", then, engine.Config{}, &ops.Catalog{}, engine.Saved{}, 1)
	w := newWriter(r)
	w.take(<-r.queue)
	r.waiting.Store(maxValues / 2)
	r.lose(then)
	if n := r.Needs(); n != "" {
		t.Errorf("it needs %q", n)
	}
	r.waiting.Store(maxValues/2 - 1)
	if n := r.Needs(); n != "gap" {
		t.Errorf("it needs %q, want a gap", n)
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
}

func TestACatalogWaitsWithItsSize(t *testing.T) {
	small, large := entry{begins: []byte("{}"), in: engine.Topology{}}, entry{begins: []byte(strings.Repeat("x", 10_000*valueBytes)), in: engine.Topology{}}
	if small.weight() != 1 || large.weight() != 10_001 {
		t.Errorf("%d and %d", small.weight(), large.weight())
	}
}

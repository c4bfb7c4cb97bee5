package storage

import (
	"encoding/hex"
	"runtime"
	"time"

	"goc/ops"
)

// earlyAckDelay is how long the negative control holds a commit back after it has acknowledged it.
const earlyAckDelay = 50 * time.Millisecond

// commitLoop is the only goroutine that writes. It ends when the queue is closed and empty, or at the first failure.
func (s *Store) commitLoop() {
	defer close(s.stopped)
	var batch []*op
	var tempo tempo
	for {
		s.gather(len(batch))
		if batch = s.queue.take(batch, tempo.worth()); batch == nil {
			return
		}
		tempo.took(len(batch), time.Now())
		if err := s.commit(batch); err != nil {
			s.fail(batch, err)
			return
		}
	}
}

// gather lets writers that the last commit has just answered queue again, so that a full batch is followed by a full
// batch and not by the few that were quickest. It yields only while the queue grows and is smaller than the last batch:
// a lone writer never waits.
func (s *Store) gather(last int) {
	for seen := 0; last > 1; {
		runtime.Gosched()
		n := s.queue.length()
		if n <= seen || n >= last {
			return
		}
		seen = n
	}
}

// commit writes one batch and then answers its writers and tells the subscribers.
func (s *Store) commit(batch []*op) error {
	start := time.Now()
	b := s.writer.batch(batch, s.now)
	if s.early {
		settle(batch, b.events)
		time.Sleep(earlyAckDelay)
	}
	if err := s.writer.write(b); err != nil {
		return err
	}
	s.lastSeq.Store(s.writer.chain.seq)
	s.metrics.committed(len(batch), time.Since(start))
	if !s.early {
		settle(batch, b.events)
	}
	s.feed.publish(b.events)
	s.copier.after(batch)
	if len(b.effects) > 0 {
		select {
		case s.effects <- struct{}{}:
		default:
		}
	}
	return nil
}

// settle gives each writer its numbered events out of those of the batch.
func settle(batch []*op, events []ops.Event) {
	for _, o := range batch {
		n := len(o.m.Events)
		o.receipt.Settle(events[:n:n], nil)
		events = events[n:]
	}
}

// fail stops the journal: nothing of the batch, of the queue and of what comes later is acknowledged any more. What
// failed may or may not be on disk, so it is never tried again.
func (s *Store) fail(batch []*op, cause error) {
	err := explain(cause)
	s.failure.Store(err)
	s.log.Error("the journal has stopped", "error", err, "hint", err.Hint)
	s.queue.close()
	if s.early {
		batch = s.queue.take(nil, 1) // this one was answered before it failed
	}
	for ; batch != nil; batch = s.queue.take(nil, 1) {
		for _, o := range batch {
			o.receipt.Settle(nil, err)
		}
	}
}

// batch is what one transaction writes.
type batch struct {
	ops     []*op
	events  []ops.Event
	hashes  [][]byte
	puts    []ops.Record
	deletes []ops.Record
	effects []ops.Effect
	index   map[recordKey]int // into writes
	writes  []write
	pending map[recordKey]int // into effects, by kind and key
}

type recordKey struct{ kind, id string }

// write is the last that a batch does to one record.
type write struct {
	record  ops.Record
	deleted bool
}

// batch numbers and chains the events of all ops, and keeps of each record and each pending effect only the last
// version. The result is good until the next call.
func (w *writer) batch(all []*op, now func() time.Time) *batch {
	b := w.reuse(all)
	at := ops.At(now())
	for _, o := range all {
		w.addEvents(b, o.m.Events, at)
		for _, r := range o.m.Delete {
			b.set(r, true)
		}
		for _, r := range o.m.Put {
			r.Seq = w.chain.seq
			b.set(r, false)
		}
		for _, e := range o.m.Effects {
			w.addEffect(b, e, at)
		}
	}
	for i := range b.writes {
		if x := &b.writes[i]; x.deleted {
			b.deletes = append(b.deletes, x.record)
		} else {
			b.puts = append(b.puts, x.record)
		}
	}
	return b
}

// reuse empties the last batch but for the events, which the writers keep.
func (w *writer) reuse(all []*op) *batch {
	b := &w.last
	n := 0
	for _, o := range all {
		n += len(o.m.Events)
	}
	clear(b.index)
	clear(b.pending)
	clear(b.writes)
	clear(b.puts)
	*b = batch{
		ops: all, events: make([]ops.Event, 0, n), hashes: b.hashes[:0], puts: b.puts[:0], deletes: b.deletes[:0],
		effects: b.effects[:0], index: b.index, writes: b.writes[:0], pending: b.pending,
	}
	if b.index == nil {
		b.index, b.pending = map[recordKey]int{}, map[recordKey]int{}
	}
	return b
}

func (w *writer) addEvents(b *batch, events []ops.Event, now ops.Time) {
	for _, e := range events {
		if e.At.IsZero() {
			e.At = now
		}
		e.At = stored(e.At)
		hash := w.chain.next(&e)
		e.Hash = hex.EncodeToString(hash)
		b.events = append(b.events, e)
		b.hashes = append(b.hashes, hash)
	}
}

func (b *batch) set(r ops.Record, deleted bool) {
	key := recordKey{r.Kind, r.ID}
	if i, ok := b.index[key]; ok {
		b.writes[i] = write{r, deleted}
		return
	}
	b.index[key] = len(b.writes)
	b.writes = append(b.writes, write{r, deleted})
}

func (w *writer) addEffect(b *batch, e ops.Effect, now ops.Time) {
	if e.Created.IsZero() {
		e.Created = now
	}
	if e.NotUntil.IsZero() {
		e.NotUntil = fromMilli(0)
	}
	key := recordKey{e.Kind, e.Key}
	if i, ok := b.pending[key]; ok {
		e.ID = b.effects[i].ID
		b.effects[i] = e
		return
	}
	w.lastEffect++
	e.ID = w.lastEffect
	if e.Key != "" {
		b.pending[key] = len(b.effects)
	}
	b.effects = append(b.effects, e)
}

// Package storage keeps GOC's state: rows, hash-chained events and effects, in SQLite or PostgreSQL.
//
// One committer writes everything. Append queues a mutation; the committer takes all that wait, numbers and chains
// their events, writes them in one transaction and only then settles their receipts, so that a thousand writers share
// one fsync and nobody is answered before the disk has it. Where thousands come a second a commit waits a millisecond for
// more of them (tempo); a lone writer never waits. The first commit that fails is the last: the journal stops,
// says why (Err), and refuses everything after.
package storage

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"goc/ops"
)

// Options says where the state lives. URL or Dir is required.
type Options struct {
	URL        string                // "sqlite" or "" (goc.db in Dir), "sqlite:/dir/goc.db", or "postgres://…"
	Dir        string                // data folder, holds the lock file; default for SQLite: the folder of the database
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil registers nowhere
	Now        func() time.Time      // nil is time.Now

	// UnsafeEarlyAck settles receipts before the commit and delays it. It is the negative control of the kill test and
	// must never be set in production.
	UnsafeEarlyAck bool
}

const watchEvery = 5 * time.Second

// Store is the journal. It is safe for concurrent use; Close ends it.
type Store struct {
	*Reader
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
	early   bool

	lock   *dirLock // nil when there is no data folder
	writer *writer  // owned by the committer
	copier *checkpointer

	queue    queue
	feed     feed
	effects  chan struct{} // holds one token while effects were committed that nobody has looked for
	lastSeq  atomic.Int64
	failure  atomic.Pointer[ops.Error]
	stopped  chan struct{} // closed when the committer has ended
	closeOne sync.Once
	closeErr error
}

// Open locks the data folder or database, brings its schema up to date and starts the committer. It refuses a database
// that another goc uses or that a newer goc wrote. ctx bounds opening only.
func Open(ctx context.Context, o Options) (*Store, error) {
	place, err := o.resolve()
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(place.dir)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, o, place)
	if err != nil {
		return nil, errors.Join(err, lock.release())
	}
	s.lock = lock
	return s, nil
}

func open(ctx context.Context, o Options, place place) (*Store, error) {
	d, err := place.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err = migrate(ctx, d); err != nil {
		return nil, errors.Join(err, d.close())
	}
	w, err := newWriter(ctx, d)
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	s := &Store{
		Reader: &Reader{d: d}, log: o.Logger, now: o.Now, early: o.UnsafeEarlyAck, writer: w,
		effects: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if d.unsafe != "" {
		s.log.Warn("the database does not keep what was acknowledged through a power cut", "setting", d.unsafe)
	}
	if s.copier, err = newCheckpointer(ctx, d, w, s.log); err != nil {
		return nil, errors.Join(err, w.close(), d.close())
	}
	s.lastSeq.Store(w.chain.seq)
	s.queue.init()
	s.metrics = newMetrics(o.Registerer, s)
	s.feed.start()
	go s.commitLoop()
	if d.timeout > 0 {
		go s.watch()
	}
	return s, nil
}

// Append queues m and returns its receipt. It keeps no clock and does no I/O; it blocks only while the queue is full.
// Mutations become durable in the order of their Appends. The journal owns m and everything in it from here on. Within
// one mutation deletes come before puts. A mutation over a bound (see check) is refused alone.
func (s *Store) Append(m ops.Mutation) *ops.Receipt {
	r := ops.NewReceipt()
	size, refused := check(&m)
	if refused != nil {
		s.metrics.refused.Inc()
		r.Settle(nil, refused)
		return r
	}
	if err := s.enqueue(&op{m: m, receipt: r, size: size}); err != nil {
		r.Settle(nil, err)
	}
	return r
}

func (s *Store) enqueue(o *op) error {
	if s.queue.put(o) {
		return nil
	}
	if err := s.failure.Load(); err != nil {
		return err
	}
	return ops.Errorf(ops.Unavailable, "the journal is closed")
}

// LastSeq is the number of the last event on disk, 0 when there is none.
func (s *Store) LastSeq() int64 { return s.lastSeq.Load() }

// Err is what made the journal stop, nil while it works.
func (s *Store) Err() error {
	if err := s.failure.Load(); err != nil {
		return err
	}
	return nil
}

// Subscribe calls fn after each commit with its events in order, one call at a time for all subscribers. fn must not
// block: later commits wait in memory for it. It may call Append. cancel does not wait for a call under way.
func (s *Store) Subscribe(fn func([]ops.Event)) (cancel func()) { return s.feed.subscribe(fn) }

// EffectsCommitted receives after commits with effects; several commits may share one token. It has one reader, the
// outbox.
func (s *Store) EffectsCommitted() <-chan struct{} { return s.effects }

// watch commits nothing every few seconds, so that a lost connection, and with it a lost lock, stops the journal even
// when nobody writes.
func (s *Store) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stopped:
			return
		case <-tick.C:
			s.submit(context.Background(), func(context.Context, *writer) error { return nil }) // a failure is in Err
		}
	}
}

// Close commits what is queued, ends the committer and frees the database and its lock.
func (s *Store) Close() error {
	s.closeOne.Do(func() {
		s.queue.close()
		<-s.stopped
		s.copier.stop()
		s.feed.stop()
		s.metrics.unregister()
		s.closeErr = errors.Join(s.writer.close(), s.d.close(), s.lock.release())
	})
	return s.closeErr
}

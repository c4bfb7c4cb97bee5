package storage

import (
	"context"
	"time"
)

// Hold keeps the committer busy, so that what is appended until release becomes one batch.
func (s *Store) Hold() (release func()) {
	held, free := make(chan struct{}), make(chan struct{})
	go s.submit(context.Background(), func(context.Context, *writer) error {
		close(held)
		<-free
		return nil
	})
	<-held
	return func() { close(free) }
}

// Ping does what watch does every few seconds.
func (s *Store) Ping(ctx context.Context) error {
	return s.submit(ctx, func(context.Context, *writer) error { return nil })
}

// MaxQueued is the bound of the queue.
const MaxQueued = maxQueued

// Setting asks the connection that writes.
func (s *Store) Setting(ctx context.Context, query string) (value string, err error) {
	err = s.submit(ctx, func(ctx context.Context, w *writer) error {
		return w.conn.QueryRowContext(ctx, query).Scan(&value)
	})
	return value, err
}

// Tempo is how fast mutations come.
type Tempo struct{ t tempo }

// Took notes n mutations that were taken.
func (t *Tempo) Took(n int, now time.Time) { t.t.took(n, now) }

// Worth is for how many the next commit waits.
func (t *Tempo) Worth() int { return t.t.worth() }

// Waiting is a queue without a committer.
type Waiting struct{ q queue }

// NewWaiting is an empty one.
func NewWaiting() *Waiting {
	w := &Waiting{}
	w.q.init()
	return w
}

// Put puts n mutations in.
func (w *Waiting) Put(n int) {
	for range n {
		w.q.put(&op{})
	}
}

// Take takes what a commit would.
func (w *Waiting) Take(worth int) int { return len(w.q.take(nil, worth)) }

// Close ends it.
func (w *Waiting) Close() { w.q.close() }

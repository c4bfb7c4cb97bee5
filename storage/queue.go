package storage

import (
	"context"
	"sync"
	"time"

	"goc/ops"
)

// Bounds of what may wait for the committer. A writer that meets them blocks until the committer has taken the queue.
const (
	maxQueued      = 8192
	maxQueuedBytes = 64 << 20
)

// op is one entry of the queue: a mutation, or work of the outbox that must be in the same transaction order.
type op struct {
	m       ops.Mutation
	receipt *ops.Receipt
	size    int
	do      func(context.Context, *writer) error // before the mutations of the batch; an error stops the journal
}

// queue is what waits for the committer, in order.
type queue struct {
	mu     sync.Mutex
	filled sync.Cond // the committer waits here
	free   sync.Cond // writers wait here
	ops    []*op
	bytes  int
	closed bool
	want   int // how many the committer waits for, 0 when it does not wait for more
}

func (q *queue) init() {
	q.filled.L, q.free.L = &q.mu, &q.mu
}

// put appends o and reports whether the queue still took it.
func (q *queue) put(o *op) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && len(q.ops) > 0 && (len(q.ops) >= maxQueued || q.bytes+o.size > maxQueuedBytes) {
		q.free.Wait()
	}
	if q.closed {
		return false
	}
	q.ops = append(q.ops, o)
	q.bytes += o.size
	if len(q.ops) == 1 || len(q.ops) == q.want {
		q.filled.Signal()
	}
	return true
}

// take waits for work and returns all of it, reusing the slice of the batch before; nil when closed and empty. Once there
// is some it lets more come, until there are worth or commitEvery has passed.
func (q *queue) take(reuse []*op, worth int) []*op {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ops) == 0 && !q.closed {
		q.filled.Wait()
	}
	if len(q.ops) < worth {
		q.await(worth)
	}
	if len(q.ops) == 0 {
		return nil
	}
	clear(reuse)
	taken := q.ops
	q.ops, q.bytes = reuse[:0], 0
	q.free.Broadcast()
	return taken
}

// await waits for n in all. The caller holds the lock.
func (q *queue) await(n int) {
	late := false
	timer := time.AfterFunc(commitEvery, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		late = true
		q.filled.Signal()
	})
	defer timer.Stop()
	for q.want = n; len(q.ops) < n && !late && !q.closed; {
		q.filled.Wait()
	}
	q.want = 0
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ops)
}

// close lets take drain the queue and refuses every later put.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Broadcast()
	q.free.Broadcast()
}

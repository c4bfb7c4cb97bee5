package storage

import (
	"context"
	"sync"

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
	if len(q.ops) == 1 {
		q.filled.Signal()
	}
	return true
}

// take waits for work and returns all of it, reusing the slice of the batch before; nil when closed and empty.
func (q *queue) take(reuse []*op) []*op {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ops) == 0 && !q.closed {
		q.filled.Wait()
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

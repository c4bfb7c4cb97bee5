package changes

import (
	"context"
	"sync"
	"sync/atomic"

	"goc/ops"
)

// feed tells those who watch of each change as it moves, in the order of the journal and after the commit.
type feed struct {
	mu      sync.Mutex
	queue   []message
	waiting chan struct{} // holds one token while the queue is not empty
	ended   chan struct{}
}

// message is either a change that moved, or someone who begins to watch.
type message struct {
	receipt *ops.Receipt
	change  ops.Change
	watcher *watcher
	first   []ops.Change
	done    chan struct{}
}

type watcher struct {
	fn        func(ops.Change)
	cancelled atomic.Bool
}

func newFeed() *feed {
	return &feed{waiting: make(chan struct{}, 1), ended: make(chan struct{})}
}

func (f *feed) push(receipt *ops.Receipt, c ops.Change) { f.add(message{receipt: receipt, change: c}) }

// watch queues a watcher behind all that was appended before it, so that what it sees first is on disk as well.
func (f *feed) watch(fn func(ops.Change), first []ops.Change) (done <-chan struct{}, cancel func()) {
	w := &watcher{fn: fn}
	ready := make(chan struct{})
	f.add(message{watcher: w, first: first, done: ready})
	either := make(chan struct{})
	go func() {
		defer close(either)
		select {
		case <-ready:
		case <-f.ended:
		}
	}()
	return either, func() { w.cancelled.Store(true) }
}

func (f *feed) add(m message) {
	f.mu.Lock()
	f.queue = append(f.queue, m)
	f.mu.Unlock()
	select {
	case f.waiting <- struct{}{}:
	default:
	}
}

// take empties the queue.
func (f *feed) take() []message {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.queue
	f.queue = nil
	return q
}

// run delivers until ctx ends. What the journal refused is not told; what comes after it may be good.
func (f *feed) run(ctx context.Context) {
	defer close(f.ended)
	var watchers []*watcher
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.waiting:
		}
		for _, m := range f.take() {
			if m.watcher != nil {
				watchers = append(watchers, m.watcher)
				tell([]*watcher{m.watcher}, m.first)
				close(m.done)
				continue
			}
			switch _, err := m.receipt.Wait(ctx); {
			case ctx.Err() != nil:
				return
			case err != nil:
				continue
			}
			watchers = tell(watchers, []ops.Change{m.change})
		}
	}
}

// tell calls each watcher with each change and returns those that go on.
func tell(watchers []*watcher, changes []ops.Change) []*watcher {
	keep := watchers[:0]
	for _, w := range watchers {
		for _, c := range changes {
			if !w.cancelled.Load() {
				w.fn(c)
			}
		}
		if !w.cancelled.Load() {
			keep = append(keep, w)
		}
	}
	return keep
}

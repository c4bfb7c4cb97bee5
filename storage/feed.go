package storage

import (
	"sync"

	"goc/ops"
)

// feed hands committed events to subscribers on a goroutine of its own. If the committer called them itself, a
// subscriber that waits for a room's lock, while that room waits in Append for a full queue, would stop everything.
type feed struct {
	mu      sync.Mutex
	wake    sync.Cond
	waiting [][]ops.Event
	subs    []*subscriber
	closed  bool
	ended   chan struct{}
}

type subscriber struct{ fn func([]ops.Event) }

func (f *feed) start() {
	f.wake.L = &f.mu
	f.ended = make(chan struct{})
	go f.run()
}

func (f *feed) subscribe(fn func([]ops.Event)) (cancel func()) {
	sub := &subscriber{fn}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subs = append(f.subs[:len(f.subs):len(f.subs)], sub)
	return func() { f.unsubscribe(sub) }
}

func (f *feed) unsubscribe(sub *subscriber) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := make([]*subscriber, 0, len(f.subs))
	for _, s := range f.subs {
		if s != sub {
			kept = append(kept, s)
		}
	}
	f.subs = kept
}

// publish queues the events of one commit.
func (f *feed) publish(events []ops.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.subs) == 0 || len(events) == 0 {
		return
	}
	f.waiting = append(f.waiting, events)
	f.wake.Signal()
}

func (f *feed) backlog() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.waiting)
}

func (f *feed) run() {
	defer close(f.ended)
	for {
		commits, subs := f.next()
		if commits == nil {
			return
		}
		for _, events := range commits {
			for _, s := range subs {
				s.fn(events)
			}
		}
	}
}

// next waits for commits; nil when closed and all are delivered.
func (f *feed) next() ([][]ops.Event, []*subscriber) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.waiting) == 0 && !f.closed {
		f.wake.Wait()
	}
	commits := f.waiting
	f.waiting = nil
	return commits, f.subs
}

// stop delivers what waits and ends the goroutine.
func (f *feed) stop() {
	f.mu.Lock()
	f.closed = true
	f.wake.Broadcast()
	f.mu.Unlock()
	<-f.ended
}

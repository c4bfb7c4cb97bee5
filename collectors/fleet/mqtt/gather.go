package mqtt

import (
	"context"
	"sync"
	"time"

	"goc/ops"
)

const (
	maxBatch   = 5_000                // beats that Receive gets at once
	maxWaiting = 20_000               // beats that may wait; whoever brings more waits too
	linger     = 2 * time.Millisecond // how long a small batch waits for more, so that the journal commits once for them
)

// source is where messages come from, and is told when they are dealt with.
type source interface {
	// settle acknowledges messages that are in the table, or that will never be. It keeps none of them.
	settle(marks []mark)
}

// mark is what its source knows a message by.
type mark struct {
	from   source // nil: nobody waits for it (QoS 0)
	reply  string // the embedded server's
	packet any    // a broker's
}

// gatherer collects beats of its sources into batches for Receive, one at a time.
type gatherer struct {
	receive func(context.Context, ops.Principal, []ops.Heartbeat) (int, []ops.Rejected, error)
	who     ops.Principal
	count   *counters
	failed  func(error) // told of each batch that was not taken

	mu      sync.Mutex
	room    sync.Cond // signalled when the batch was taken, or at the end
	beats   []ops.Heartbeat
	marks   []mark
	first   time.Time // when the oldest of them came
	over    bool
	arrived chan struct{} // one slot: something waits
}

func newGatherer(o Options, c *counters, who ops.Principal) *gatherer {
	g := &gatherer{receive: o.Fleet.Receive, who: who, count: c, arrived: make(chan struct{}, 1)}
	g.room.L = &g.mu
	g.failed = func(err error) {
		o.Logger.Error("heartbeats over MQTT were not taken, nor acknowledged", "err", err)
	}
	return g
}

// put adds one beat, and waits where too many wait already. It is false when nobody takes beats any more.
func (g *gatherer) put(h ops.Heartbeat, m mark) bool {
	g.mu.Lock()
	for len(g.beats) >= maxWaiting && !g.over {
		g.room.Wait()
	}
	if g.over {
		g.mu.Unlock()
		return false
	}
	if len(g.beats) == 0 {
		g.first = time.Now()
	}
	g.beats, g.marks = append(g.beats, h), append(g.marks, m)
	wake := len(g.beats) == 1 || len(g.beats) == maxBatch
	g.mu.Unlock()
	if wake {
		select {
		case g.arrived <- struct{}{}:
		default:
		}
	}
	return true
}

// waiting is how many beats wait.
func (g *gatherer) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.beats)
}

// run hands batches to Receive until ctx ends. What then waits is not acknowledged, so it comes again.
func (g *gatherer) run(ctx context.Context) {
	defer g.end()
	var beats []ops.Heartbeat
	var marks []mark
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.arrived:
		}
		for more := true; more; {
			g.await(ctx)
			var first time.Time
			beats, marks, first = g.take(beats[:0], marks[:0])
			if len(beats) == 0 {
				break
			}
			g.hand(ctx, beats, marks, first)
			more = ctx.Err() == nil && g.waiting() > 0
		}
	}
}

// end makes put false from now on.
func (g *gatherer) end() {
	g.mu.Lock()
	g.over = true
	g.mu.Unlock()
	g.room.Broadcast()
}

// await lets a small batch grow a little.
func (g *gatherer) await(ctx context.Context) {
	if n := g.waiting(); n == 0 || n >= maxBatch {
		return
	}
	t := time.NewTimer(linger)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// take exchanges what waits for the empty slices of the batch before; more than maxBatch stays.
func (g *gatherer) take(beats []ops.Heartbeat, marks []mark) ([]ops.Heartbeat, []mark, time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := g.first
	if len(g.beats) <= maxBatch {
		beats, g.beats = g.beats, beats
		marks, g.marks = g.marks, marks
	} else {
		beats, marks = append(beats, g.beats[:maxBatch]...), append(marks, g.marks[:maxBatch]...)
		g.beats = append(g.beats[:0], g.beats[maxBatch:]...)
		g.marks = append(g.marks[:0], g.marks[maxBatch:]...)
		g.first = time.Now()
	}
	g.room.Broadcast()
	return beats, marks, first
}

// Who sends what comes over MQTT. At our own door each was let in for its own store or device only, so that the fleet may
// take what is said for true, and a device that it does not know for enrolled; a broker's word is an agent's.
var (
	ours   = ops.Principal{Name: "mqtt", Role: ops.Admin}
	theirs = ops.Principal{Name: "mqtt-broker", Role: ops.Agent}
)

// hand gives a batch to the fleet and tells each source that its messages are dealt with.
func (g *gatherer) hand(ctx context.Context, beats []ops.Heartbeat, marks []mark, first time.Time) {
	if _, _, err := g.receive(ctx, g.who, beats); err != nil {
		g.count.failed.Add(len(beats))
		if ctx.Err() == nil {
			g.failed(err)
		}
		return
	}
	g.count.taken.Add(len(beats))
	for len(marks) > 0 {
		n := 1
		for n < len(marks) && marks[n].from == marks[0].from {
			n++
		}
		if marks[0].from != nil {
			marks[0].from.settle(marks[:n])
		}
		marks = marks[n:]
	}
	g.count.lag.Store(int64(time.Since(first)))
}

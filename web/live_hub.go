package web

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"goc/ops"
)

// liveLimits bound the live feed.
type liveLimits struct {
	connections int
	backlog     int           // events that a slow listener may be behind before it loses them and gets snapshots
	deltas      int           // the same for changes of the fleet's wall
	write       time.Duration // how long one write may take before the connection is given up
	ping        time.Duration
	replay      int64 // events that a client which comes back is told one by one; beyond, it gets snapshots
}

// maxBacklogBytes bounds the events of the backlog: a fleet that enrols writes large ones.
const maxBacklogBytes = 4 << 20

var defaultLiveLimits = liveLimits{connections: 2000, backlog: 4096, deltas: 256, write: 10 * time.Second, ping: 20 * time.Second, replay: 2000}

// entry is one event of the backlog with its frames, each encoded once for all listeners.
type entry struct {
	event    ops.Event
	incident string // whom it is about
	mu       sync.Mutex
	frames   map[string]*websocket.PreparedMessage // by topic
}

// delta is one change of the fleet's wall, encoded.
type delta struct {
	layout uint32
	cells  int // how many
	msg    *websocket.PreparedMessage
}

// latest is the newest of something of which only the newest matters.
type latest struct {
	n   uint64
	msg *websocket.PreparedMessage
}

// hub is the live feed. What happens is put into bounded rings; each connection reads from them at its own pace. So the
// publisher never waits, and a listener that falls off a ring's end is told what is instead of what happened.
type hub struct {
	s      *Server
	limits liveLimits
	cancel func() // ends the journal's subscription

	mu      sync.Mutex
	ring    []*entry // by seq modulo its length
	size    int      // bytes of the events in it
	first   int64    // the oldest seq in it
	head    int64    // the newest
	deltas  []delta  // by number modulo its length
	deltaN  uint64   // number of the newest; 0 is none
	deltaA  uint64   // and of the oldest that is kept
	changed int      // cells of those that are kept
	whole   int      // cells of the wall when it was last read
	wallOld bool     // the roll-up of the fleet is to be said anew
	newest  map[string]latest
	conns   map[*conn]struct{}
	closed  bool
	stop    chan struct{}
	running sync.WaitGroup // connections

	wallMu   sync.Mutex // held while the wall is read
	wall     *websocket.PreparedMessage
	wallN    uint64 // the delta up to which wall is true
	layout   uint32
	wallRead bool
}

func newHub(s *Server) *hub {
	l := defaultLiveLimits
	h := &hub{s: s, limits: l, ring: make([]*entry, l.backlog), deltas: make([]delta, l.deltas), newest: map[string]latest{}, conns: map[*conn]struct{}{}, stop: make(chan struct{})}
	h.head = s.o.Journal.LastSeq()
	h.first, h.deltaA = h.head+1, 1
	h.cancel = s.o.Journal.Subscribe(h.publish)
	return h
}

// publish takes events from the journal. It does not block.
func (h *hub) publish(events []ops.Event) {
	h.s.situation.note(events)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range events {
		if e.Seq <= h.head {
			continue
		}
		if e.Seq != h.head+1 { // it came while nobody listened
			h.first = e.Seq
		}
		h.head = e.Seq
		h.put(&entry{event: e, incident: incidentOf(e)})
	}
	h.wake()
}

// put takes the newest event into the ring, and drops what there is no room for any more. The caller holds the lock.
func (h *hub) put(e *entry) {
	at := &h.ring[e.event.Seq%int64(len(h.ring))]
	if *at != nil {
		h.size -= len((*at).event.Data)
	}
	*at = e
	h.size += len(e.event.Data)
	h.first = max(h.first, h.head-int64(len(h.ring))+1)
	for h.size > maxBacklogBytes && h.first < h.head {
		old := &h.ring[h.first%int64(len(h.ring))]
		if *old != nil {
			h.size -= len((*old).event.Data)
			*old = nil
		}
		h.first++
	}
}

// wake tells the connections that there is something to read. The caller holds the lock.
func (h *hub) wake() {
	for c := range h.conns {
		select {
		case c.wake <- struct{}{}:
		default: // it has not looked since the last time
		}
	}
}

// after returns the events after seq, at most 256. whole is false when some of them are gone.
func (h *hub) after(seq int64) (out []*entry, whole bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if seq+1 < h.first && seq < h.head {
		return nil, false
	}
	for n := seq + 1; n <= h.head && len(out) < 256; n++ {
		out = append(out, h.ring[n%int64(len(h.ring))])
	}
	return out, true
}

// last is the newest seq.
func (h *hub) last() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.head
}

// message is the event's frame under a topic, encoded once.
func (e *entry) message(h *hub, topic string) *websocket.PreparedMessage {
	e.mu.Lock()
	defer e.mu.Unlock()
	if m, ok := e.frames[topic]; ok {
		return m
	}
	data := e.event.Data
	if id, ok := cutIncident(topic); ok {
		data = h.incidentData(e.event, id)
	}
	m := prepared(websocket.TextMessage, eventFrame(e.event, topic, data))
	if e.frames == nil {
		e.frames = map[string]*websocket.PreparedMessage{}
	}
	e.frames[topic] = m
	return m
}

// incidentData is an event's data with the incident as it is now.
func (h *hub) incidentData(e ops.Event, id string) json.RawMessage {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	i, err := h.s.o.Incidents.Get(ctx, id)
	if err != nil {
		return e.Data // the event itself is true all the same
	}
	b, err := json.Marshal(i)
	if err != nil {
		return e.Data
	}
	return withIncident(e.Data, b)
}

// prepared encodes a message once for many connections.
func prepared(kind int, data []byte) *websocket.PreparedMessage {
	m, err := websocket.NewPreparedMessage(kind, data)
	if err != nil {
		panic("web: a live message cannot be prepared: " + err.Error()) // only of an unknown kind
	}
	return m
}

// run says the situation and the fleet's roll-up as they change, until ctx ends; then it closes all connections.
func (h *hub) run(ctx context.Context) {
	unwatch := h.s.o.Fleet.WatchWall(h.wallChanged)
	tick := time.NewTicker(situationEvery / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			unwatch()
			h.cancel()
			h.close()
			h.s.situation.chart.wait()
			return
		case <-tick.C:
			if h.wanted(topicSituation) {
				h.saySituation(ctx)
			}
			if h.wanted(topicFleet) {
				h.sayFleet(ctx)
			}
		}
	}
}

// wanted says whether anyone listens to a topic.
func (h *hub) wanted(topic string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.conns {
		if c.wants(topic) {
			return true
		}
	}
	return false
}

// saySituation publishes the situation when it is a new one.
func (h *hub) saySituation(ctx context.Context) latest {
	now, err := h.s.situation.current(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	had := h.newest[topicSituation]
	if err != nil || now.n <= had.n {
		return had
	}
	f := frame{Seq: now.seq, At: ops.At(now.at), Topic: topicSituation, Type: "snapshot", Name: "snapshot", Data: now.json}
	h.newest[topicSituation] = latest{now.n, prepared(websocket.TextMessage, f.encode())}
	h.wake()
	return h.newest[topicSituation]
}

// close ends every connection and waits until they are gone. No new one is taken after.
func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	close(h.stop)
	h.mu.Unlock()
	h.running.Wait()
}

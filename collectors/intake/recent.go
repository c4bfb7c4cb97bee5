package intake

import "sync"

const maxDeliveries = 10_000 // ids of deliveries that are remembered

// recent remembers the last ids it saw: senders deliver again what they think was lost.
type recent struct {
	mu   sync.Mutex
	ids  map[string]int // → place in ring
	ring []string
	next int
}

func newRecent(size int) *recent { return &recent{ids: map[string]int{}, ring: make([]string, size)} }

// has says whether an id was added; "" never is.
func (r *recent) has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.ids[id]
	return ok
}

// add remembers an id, and forgets the oldest.
func (r *recent) add(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.ids[id]; ok || id == "" {
		return
	}
	if old := r.ring[r.next]; old != "" {
		delete(r.ids, old)
	}
	r.ring[r.next], r.ids[id] = id, r.next
	r.next = (r.next + 1) % len(r.ring)
}

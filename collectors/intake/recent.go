package intake

import (
	"crypto/sha256"
	"sync"
)

const maxDeliveries = 10_000 // ids of deliveries that are remembered

// recent remembers the last ids it saw, and what came with them: senders deliver again what they think was lost.
type recent struct {
	mu   sync.Mutex
	ids  map[string]seen
	ring []string
	next int
}

// seen is a body's hash.
type seen [sha256.Size]byte

func newRecent(size int) *recent { return &recent{ids: map[string]seen{}, ring: make([]string, size)} }

// has says whether an id was added, and with what; "" never is.
func (r *recent) has(id string) (body seen, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, ok = r.ids[id]
	return body, ok
}

// add remembers an id, and forgets the oldest.
func (r *recent) add(id string, body seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.ids[id]; ok || id == "" {
		return
	}
	if old := r.ring[r.next]; old != "" {
		delete(r.ids, old)
	}
	r.ring[r.next], r.ids[id] = id, body
	r.next = (r.next + 1) % len(r.ring)
}

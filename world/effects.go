package world

import (
	"sync"
	"time"
)

// base is the share of calls that fail when all is well.
const base = 0.0005

// effect is what a fault does to a service in a store.
type effect struct {
	failing float64       // share of calls that fail
	delay   time.Duration // added to each call
}

// broken is the reach of one fault while it holds.
type broken struct {
	service string          // "" when it is not a service that fails
	stores  map[string]bool // nil is all
	effect  effect
	dark    bool    // the stores' lines are down
	kind    string  // devices of this kind …
	silent  float64 // … of which this share falls silent
}

// effects are the faults that hold now. It is read on every call and written a few times a minute.
type effects struct {
	mu   sync.RWMutex
	held map[string]broken // by the fault's own key
}

func newEffects() *effects { return &effects{held: map[string]broken{}} }

func (e *effects) set(key string, b broken) { e.mu.Lock(); e.held[key] = b; e.mu.Unlock() }
func (e *effects) clear(key string)         { e.mu.Lock(); delete(e.held, key); e.mu.Unlock() }

// on adds up what holds for a service in a store.
func (e *effects) on(service, store string) effect {
	e.mu.RLock()
	defer e.mu.RUnlock()
	out := effect{failing: base}
	for _, b := range e.held {
		if b.service == service && (b.stores == nil || b.stores[store]) {
			out.failing = max(out.failing, b.effect.failing)
			out.delay += b.effect.delay
		}
	}
	return out
}

// dark says whether a store's line is down.
func (e *effects) dark(store string) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, b := range e.held {
		if b.dark && b.stores[store] {
			return true
		}
	}
	return false
}

// silenced is the share of a store's devices of one kind that say nothing.
func (e *effects) silenced(store, kind string) float64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var share float64
	for _, b := range e.held {
		if b.kind == kind && b.stores[store] {
			share = max(share, b.silent)
		}
	}
	return share
}

package web

import (
	"testing"

	"goc/ops"
)

// Large events push out those before them, so that the backlog has a bound in bytes as well as in number.
func TestTheBacklogIsBoundedInBytes(t *testing.T) {
	h := &hub{ring: make([]*entry, 64), first: 1}
	for seq := int64(1); seq <= 200; seq++ {
		h.head = seq
		h.put(&entry{event: ops.Event{Seq: seq, Data: make([]byte, 1<<20)}})
	}
	kept := 0
	for _, e := range h.ring {
		if e != nil {
			kept += len(e.event.Data)
		}
	}
	if kept > maxBacklogBytes || kept != h.size {
		t.Errorf("%d bytes are kept and %d counted, the bound is %d", kept, h.size, maxBacklogBytes)
	}
	if _, whole := h.after(h.first - 2); whole {
		t.Error("a listener that is behind what is kept was told that it missed nothing")
	}
	if out, whole := h.after(h.first - 1); !whole || len(out) != maxBacklogBytes>>20 {
		t.Errorf("%d events from the first that is kept, whole %v", len(out), whole)
	}
}

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

// A wall that changes faster than a listener reads costs no more memory than the wall, and who is behind is told it whole.
func TestTheChangesThatAreKeptAreNoMoreThanTheWall(t *testing.T) {
	h := &hub{deltas: make([]delta, 64), deltaA: 1, whole: 1000, layout: 7}
	for i := range 1000 {
		h.keep(delta{layout: 7, cells: i % 20})
		kept := 0
		for _, d := range h.deltas {
			kept += d.cells
		}
		if kept != h.changed || 4*kept > h.whole {
			t.Fatalf("%d changed cells are kept and %d counted, of a wall of %d", kept, h.changed, h.whole)
		}
	}
	behind := h.deltaA - 1
	if out, last, whole := h.deltasAfter(behind, 7); !whole || last != h.deltaN || len(out) != int(h.deltaN-behind) || len(out) < 20 {
		t.Errorf("%d changes up to %d, whole %v", len(out), last, whole)
	}
	if _, _, whole := h.deltasAfter(behind-1, 7); whole {
		t.Error("a listener that is behind what is kept was told that it missed nothing")
	}
	h.keep(delta{layout: 7, cells: 251})
	if _, _, whole := h.deltasAfter(h.deltaN-1, 7); whole || h.changed != 0 {
		t.Errorf("more than a quarter was kept: %d cells", h.changed)
	}
	if _, _, whole := h.deltasAfter(h.deltaN, 7); !whole {
		t.Error("who has all of it is told the wall again")
	}
}

package web

import (
	"context"
	"encoding/binary"
	"encoding/json"

	"github.com/gorilla/websocket"

	"goc/ops"
)

// Kinds of a binary frame of the fleet topic. Its header, little-endian: kind u8, version u8 (1), u16 0, layout u32.
const (
	wallSnapshot = 1 // then one byte a cell
	wallDelta    = 2 // then u32s: state<<24 | index
)

func wallHeader(kind byte, layout uint32, size int) []byte {
	b := make([]byte, 8, 8+size)
	b[0], b[1] = kind, 1
	binary.LittleEndian.PutUint32(b[4:], layout)
	return b
}

func encodeWall(w ops.Wall) []byte {
	return append(wallHeader(wallSnapshot, w.Layout, len(w.Cells)), w.Cells...)
}

func encodeDelta(layout uint32, cells []uint32) []byte {
	b := wallHeader(wallDelta, layout, 4*len(cells))
	for _, c := range cells {
		b = binary.LittleEndian.AppendUint32(b, c)
	}
	return b
}

// wallChanged takes cells from the fleet. It does not block.
func (h *hub) wallChanged(layout uint32, cells []uint32) {
	d := delta{layout: layout, cells: len(cells)}
	if !h.mostly(d.cells) {
		d.msg = prepared(websocket.BinaryMessage, encodeDelta(layout, cells))
	}
	h.s.situation.stale.Store(true)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keep(d)
	h.wallOld = true
	h.wake()
}

// mostly says whether so many changes take more bytes than the wall: four for each against one for each cell.
func (h *hub) mostly(cells int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return 4*cells > h.whole
}

// keep takes the newest change of the wall, and drops the oldest for as long as all together are more than the wall: who
// is that far behind is told the wall. The caller holds the lock.
func (h *hub) keep(d delta) {
	n := uint64(len(h.deltas))
	h.deltaN++
	at := &h.deltas[h.deltaN%n]
	h.changed += d.cells - at.cells
	*at = d
	if h.deltaN >= n {
		h.deltaA = max(h.deltaA, h.deltaN-n+1)
	}
	for ; 4*h.changed > h.whole; h.deltaA++ {
		old := &h.deltas[h.deltaA%n]
		h.changed -= old.cells
		*old = delta{}
	}
}

// deltasAfter returns the changes of the wall after number n, and the number of the last. whole is false when some of
// them are gone, are more than the wall, or belong to another layout: then the wall is to be sent whole.
func (h *hub) deltasAfter(n uint64, layout uint32) (out []*websocket.PreparedMessage, last uint64, whole bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n+1 < h.deltaA {
		return nil, h.deltaN, false
	}
	for i := n + 1; i <= h.deltaN; i++ {
		d := h.deltas[i%uint64(len(h.deltas))]
		if d.layout != layout {
			return nil, h.deltaN, false
		}
		out = append(out, d.msg)
	}
	return out, h.deltaN, true
}

// wholeWall is the wall as it is, and the number of the last change that is surely in it. Later ones may be in it too:
// they say what a cell is, not how it changes, so hearing them again does no harm.
func (h *hub) wholeWall(ctx context.Context) (msg *websocket.PreparedMessage, n uint64, layout uint32, err error) {
	h.wallMu.Lock()
	defer h.wallMu.Unlock()
	h.mu.Lock()
	n = h.deltaN
	h.mu.Unlock()
	if h.wallRead && h.wallN == n && n > 0 {
		return h.wall, n, h.layout, nil
	}
	w, err := h.s.o.Fleet.Wall(ctx)
	if err != nil {
		return nil, 0, 0, err
	}
	h.wall, h.wallN, h.layout, h.wallRead = prepared(websocket.BinaryMessage, encodeWall(w)), n, w.Layout, true
	h.mu.Lock()
	h.whole = len(w.Cells)
	h.mu.Unlock()
	return h.wall, n, w.Layout, nil
}

// sayFleet publishes the roll-up by city when the wall has changed since the last.
func (h *hub) sayFleet(ctx context.Context) latest {
	h.mu.Lock()
	had := h.newest[topicFleet]
	if had.n > 0 && !h.wallOld {
		h.mu.Unlock()
		return had
	}
	h.wallOld = false
	h.mu.Unlock()
	data, err := h.rollUp(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.wallOld = true
		return had
	}
	f := frame{Seq: h.head, At: ops.At(h.s.o.Now()), Topic: topicFleet, Type: "snapshot", Name: "snapshot", Data: data}
	h.newest[topicFleet] = latest{h.newest[topicFleet].n + 1, prepared(websocket.TextMessage, f.encode())}
	h.wake()
	return h.newest[topicFleet]
}

func (h *hub) rollUp(ctx context.Context) (json.RawMessage, error) {
	groups, err := h.s.o.Fleet.Rollup(ctx, ops.FleetQuery{GroupBy: []string{"city"}})
	if err != nil {
		return nil, err
	}
	return json.Marshal(ops.List[ops.FleetGroup]{Items: listed(groups)})
}

package fleet

import (
	"context"
	"sort"
	"sync"

	"goc/ops"
)

// wall is who watches, and what they were told.
type wall struct {
	mu       sync.Mutex // serialises the calls to watchers; taken before the Service's lock
	watchers map[int]func(uint32, []uint32)
	next     int
	flushed  int64 // Unix ms of the last call

	layout uint32 // the rest is guarded by the Service's lock
	told   uint32 // the layout that watchers were last told
	laid   int64  // when the layout was last made, Unix ms
}

const relayPeriod = 1000 // ms between two layouts that watchers are told of while devices stream in

// Wall answers the layout and every cell. Retired devices have none.
func (s *Service) Wall(context.Context) (ops.Wall, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lay()
	w := ops.Wall{Layout: s.wall.layout, Stores: []ops.WallStore{}, Cells: make([]byte, 0, len(s.t.rows))}
	for i := range s.t.stores {
		st := &s.t.stores[i]
		ws := ops.WallStore{ID: st.ID, Name: st.Name, City: st.City, Offset: len(w.Cells), Devices: make([]string, 0, len(st.rows))}
		for _, id := range st.rows {
			if r := &s.t.rows[id]; r.state != ops.Retired {
				w.Cells = append(w.Cells, byte(r.state))
				ws.Devices = append(ws.Devices, s.t.names.all[r.name])
			}
		}
		w.Stores = append(w.Stores, ws)
	}
	return w, nil
}

// lay gives every device its cell, when something came or went: stores in the order of the catalog and then as they
// appeared, devices by name. The caller holds the lock.
func (s *Service) lay() {
	if !s.t.remake {
		return
	}
	s.t.remake = false
	s.wall.layout++
	s.wall.laid = s.now().UnixMilli()
	cell := uint32(0)
	for i := range s.t.stores {
		st := &s.t.stores[i]
		if st.mixed {
			sort.Slice(st.rows, func(i, j int) bool {
				return s.t.names.all[s.t.rows[st.rows[i]].name] < s.t.names.all[s.t.rows[st.rows[j]].name]
			})
			st.mixed = false
		}
		for _, id := range st.rows {
			r := &s.t.rows[id]
			r.cell = noCell
			if r.state != ops.Retired {
				r.cell = cell
				cell++
			}
		}
	}
}

// WatchWall calls fn, one call at a time and at most ten times a second, with the cells that changed since the last
// call: state<<24 | index. A layout other than the client's means that it must fetch Wall again; such a call may have
// no cells. fn must not block. The returned function ends the watch: once it has returned, fn is not called again.
func (s *Service) WatchWall(fn func(layout uint32, cells []uint32)) (cancel func()) {
	w := &s.wall
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watchers == nil {
		w.watchers = map[int]func(uint32, []uint32){}
	}
	id := w.next
	w.next++
	w.watchers[id] = fn
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.watchers, id)
	}
}

// flushWall tells the watchers what changed. Only Run calls it.
func (s *Service) flushWall() {
	w := &s.wall
	w.mu.Lock()
	defer w.mu.Unlock()
	now := s.now().UnixMilli()
	if now-w.flushed < wallPeriod.Milliseconds() {
		return
	}
	layout, cells, news := s.deltas(now, len(w.watchers) > 0)
	if !news {
		return
	}
	w.flushed = now
	for _, fn := range w.watchers {
		fn(layout, cells)
	}
}

// deltas takes the cells that changed since the last call, and makes a new layout when one is due and someone watches.
func (s *Service) deltas(now int64, watched bool) (layout uint32, cells []uint32, news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if watched && s.t.remake && now-s.wall.laid >= relayPeriod {
		s.lay()
	}
	for _, id := range s.t.touched {
		r := &s.t.rows[id]
		r.touched = false
		if r.cell != noCell && watched {
			cells = append(cells, uint32(r.state)<<24|r.cell)
		}
	}
	s.t.touched = s.t.touched[:0]
	news = len(cells) > 0 || s.wall.told != s.wall.layout
	s.wall.told = s.wall.layout
	return s.wall.layout, cells, news
}

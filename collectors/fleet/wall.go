package fleet

import (
	"context"
	"slices"
	"sort"
	"strings"
	"sync"

	"goc/ops"
)

// wall is who watches, and what they were told.
type wall struct {
	mu       sync.Mutex // serialises the calls to watchers; taken before the Service's lock
	watchers map[int]func(uint32, []uint32)
	next     int
	flushed  int64    // Unix ms of the last call
	pending  *repaint // taken, and not yet told

	layout uint32 // the rest is guarded by the locks of all shards
	cells  uint32 // of the layout
	told   uint32 // the layout that watchers were last told
	laid   int64  // when the layout was last made, Unix ms
}

// repaint is what watchers are to be told once it is on disk: nothing is announced that a crash could take back.
type repaint struct {
	layout uint32
	cells  []uint32
	wait   receipts
}

const relayPeriod = 1000 // ms between two layouts that watchers are told of while devices stream in

// Wall answers the layout and every cell. Retired devices have none.
func (s *Service) Wall(context.Context) (ops.Wall, error) {
	s.lock(allShards)
	defer s.unlock(allShards)
	s.lay()
	sites := s.ordered()
	w := ops.Wall{Layout: s.wall.layout, Stores: make([]ops.WallStore, 0, len(sites)), Cells: make([]byte, s.wall.cells)}
	for _, on := range sites {
		st := on.site
		ws := ops.WallStore{ID: st.ID, Name: st.Name, City: st.City, Offset: int(st.offset), Devices: make([]string, st.count-uint32(st.n[ops.Retired]))}
		st.each(func(id uint32) {
			if at := *on.place.at(id); at != noPlace {
				w.Cells[at] = byte(on.rows.at(id).state)
				ws.Devices[at-st.offset] = on.nameOf(id)
			}
		})
		w.Stores = append(w.Stores, ws)
	}
	return w, nil
}

const noPlace = ^uint32(0)

// placed is a site with its shard.
type placed struct {
	*shard
	site *site
}

// ordered lists all sites as the wall shows them: in the order of the catalog, and then as they appeared.
func (s *Service) ordered() []placed {
	all := make([]placed, 0, s.stores.Load())
	for i := range s.shards {
		sh := &s.shards[i]
		for j := range sh.sites {
			all = append(all, placed{sh, &sh.sites[j]})
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].site.order < all[j].site.order })
	return all
}

// lay gives every device its cell, when something came or went: store after store, devices by name. The caller holds
// all locks.
func (s *Service) lay() {
	remake := false
	for i := range s.shards {
		remake = remake || s.shards[i].remake
		s.shards[i].remake = false
	}
	if !remake {
		return
	}
	s.wall.layout++
	s.wall.laid = s.now().UnixMilli()
	cell, ids := uint32(0), []uint32(nil)
	for _, on := range s.ordered() {
		on.site.offset = cell
		for on.place.n < on.rows.n {
			on.place.add(noPlace, on.shard)
		}
		ids = ids[:0]
		on.site.each(func(id uint32) { ids = append(ids, id) })
		slices.SortFunc(ids, func(a, b uint32) int { return strings.Compare(on.nameOf(a), on.nameOf(b)) })
		for _, id := range ids {
			*on.place.at(id) = noPlace
			if on.rows.at(id).state != ops.Retired {
				*on.place.at(id) = cell
				cell++
			}
		}
	}
	s.wall.cells = cell
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
	if w.pending == nil {
		w.pending = s.deltas(now, len(w.watchers) > 0)
	}
	if w.pending == nil {
		return
	}
	done, err := w.pending.wait.settled()
	if !done {
		return // the next tick looks again
	}
	n := w.pending
	if w.pending = nil; err != nil {
		return // the journal has stopped, and nothing more is told
	}
	w.flushed = now
	for _, fn := range w.watchers {
		fn(n.layout, n.cells)
	}
}

// deltas takes the cells that changed since the last call, and makes a new layout when one is due and someone watches.
func (s *Service) deltas(now int64, watched bool) *repaint {
	s.lock(allShards)
	out := s.changed(now, watched)
	wait := s.unlock(allShards)
	if out != nil {
		out.wait = wait
	}
	return out
}

func (s *Service) changed(now int64, watched bool) *repaint {
	var cells []uint32
	if watched && now-s.wall.laid >= relayPeriod {
		s.lay()
	}
	for i := range s.shards {
		sh := &s.shards[i]
		for _, id := range sh.touched {
			r := sh.rows.at(id)
			r.flags &^= touched
			if watched && id < sh.place.n && *sh.place.at(id) != noPlace {
				cells = append(cells, uint32(r.state)<<24|*sh.place.at(id))
			}
		}
		sh.touched = sh.touched[:0]
	}
	if len(cells) == 0 && s.wall.told == s.wall.layout {
		return nil
	}
	s.wall.told = s.wall.layout
	return &repaint{layout: s.wall.layout, cells: cells}
}

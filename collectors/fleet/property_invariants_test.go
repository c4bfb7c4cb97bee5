package fleet

import (
	"slices"

	"goc/ops"
)

// compare compares every device with its model.
func (w *walk) compare() {
	for _, d := range w.m.devices {
		sh, r := w.row(d)
		mk := &w.makes.list()[sh.cells.at(r.cell).mk]
		id := w.id(d)
		if sh.flapping(id) {
			d.flapped = true
		}
		if r.state != d.state || r.since != d.since {
			w.t.Errorf("%s is %s since %d, want %s since %d (seen %d, now %d)", d.id, r.state, r.since, d.state, d.since, d.seen, w.m.now)
		}
		if r.seen != d.seen || mk.kind != d.kind || mk.model != d.model || mk.firmware != d.firmware || r.status().String() != d.status {
			w.t.Errorf("%s is seen %d, %v %s; want %d, %s %s %s %s (its clock: %+v, %+v)", d.id, r.seen, *mk, r.status(), d.seen, d.kind, d.model, d.firmware, d.status, sh.clocks[id], d.clock)
		}
		want := int64(0)
		if d.clock != nil && d.clock.sure {
			want = d.clock.offset
		}
		if off := sh.off(id); off != want {
			w.t.Errorf("the clock of %s is off by %d, want %d", d.id, off, want)
		}
		w.waits(sh, id, r, d)
		w.flaps(sh, id, r, d)
	}
	if w.plain {
		w.follow()
		for id, state := range w.told {
			if d := w.m.devices[id]; d.state != state {
				w.t.Errorf("%s was last told to be %s, it is %s", id, state, d.state)
			}
		}
	}
}

// waits says whether a device comes up when its state may change next, and never later than a beat would need it.
func (w *walk) waits(sh *shard, id uint32, r *row, d *modelDevice) {
	now := w.m.now
	if now != w.ticked || r.state == ops.Offline {
		return // it has been looked at by a beat only; or only a beat changes it
	}
	f := w.facts(sh, id)
	_, wake := decide(r.state, f, now)
	at := int64(r.hung) + sh.firstTick
	if wake != 0 && (r.hung == 0 || at > ceilTick(min(wake, now+f.interval+1))) {
		w.t.Errorf("%s must be looked at by %d, and hangs at tick %d", d.id, wake, at)
	}
}

// flaps says whether flapping begins and ends where it should, and whether single changes are told only without it.
func (w *walk) flaps(sh *shard, id uint32, r *row, d *modelDevice) {
	rules, now := w.Service.flap, w.m.now
	if !d.flapped {
		var got []modelTurn
		sh.past.each(id, func(at int64, from, to ops.DeviceState) bool {
			got = append(got, modelTurn{at, from, to})
			return len(got) < maxTurns
		})
		if want := d.history(); !slices.Equal(got, want) {
			w.t.Errorf("the history of %s is %v, want %v", d.id, got, want)
		}
	}
	if n, _ := sh.past.links(id, now-rules.window, 99); n >= rules.changes && now-d.moved > rules.window {
		w.t.Errorf("%d changes of %s were told within the window", n, d.id)
	}
	own := r.flags&flapping != 0
	if f, kept := sh.flaps[id]; own != kept || kept && now-max(f.last, w.ready) > rules.calm+2*calmPeriod && !sh.storeFlaps(sh.cells.at(r.cell).site) && now == w.ticked && now-w.ready > 2*calmPeriod {
		w.t.Errorf("%s flaps since %d without a change since %d, now %d", d.id, f.since, f.last, now)
	} else if kept && f.changes == int32(rules.changes) && f.last == now && now != w.ready && d.links(now-rules.window, now) < rules.changes {
		w.t.Errorf("%s is said to flap after %d changes", d.id, d.links(now-rules.window, now))
	}
}

// recount counts by hand all that the table counts as it goes.
func (w *walk) recount() {
	w.compare()
	w.follow()
	total := 0
	flaps := map[string]bool{}
	for i := range w.shards {
		sh := &w.shards[i]
		cells, sites, all := make([]tally, sh.cells.n), make([]tally, len(sh.sites)), tally{}
		for id := range sh.rows.n {
			r := sh.rows.at(id)
			if sh.nameOf(id) == "" {
				continue // it was moved away
			}
			cells[r.cell][r.state]++
			sites[sh.cells.at(r.cell).site][r.state]++
			all[r.state]++
			total++
			if r.flags&changing != 0 {
				w.t.Error("a device is left as if its batch were still being worked on")
			}
			if w.flagged(r) {
				flaps[sh.id(id)] = true
			}
			if (r.flags&clocked != 0) != (sh.clocks[id] != nil) {
				w.t.Errorf("%s and the clocks disagree", sh.id(id))
			}
		}
		for c := range cells {
			if got := sh.cells.at(uint32(c)).n; got != cells[c] {
				w.t.Errorf("a cell counts %v, there are %v", got, cells[c])
			}
		}
		for j := range sites {
			st, n := &sh.sites[j], uint32(0)
			if st.n != sites[j] {
				w.t.Errorf("%s counts %v, there are %v", st.ID, st.n, sites[j])
			}
			st.each(func(id uint32) {
				n++
				if found, ok := sh.find(st, sh.nameOf(id)); !ok || found != id || sh.siteOf(id) != st {
					w.t.Errorf("%s is not where its store's table says", sh.id(id))
				}
			})
			if n != st.count {
				w.t.Errorf("%s has %d devices in its table, and counts %d", st.ID, n, st.count)
			}
			if sh.storeFlaps(uint32(j)) {
				flaps[st.ID] = true
			}
		}
		if sh.total != all {
			w.t.Errorf("a shard counts %v, there are %v", sh.total, all)
		}
		w.wheelHolds(sh)
	}
	if total != len(w.m.devices) || int64(total) != w.devices.Load() {
		w.t.Errorf("%d devices, %d are counted, want %d", total, w.devices.Load(), len(w.m.devices))
	}
	for id := range w.flapping {
		if !flaps[id] {
			w.t.Errorf("%s was told to flap and never to be calm", id)
		}
	}
	for id := range flaps {
		if !w.flapping[id] {
			w.t.Errorf("%s flaps, which was not told", id)
		}
	}
	w.looksAtTheWall()
}

func (w *walk) flagged(r *row) bool { return r.flags&flapping != 0 }

// wheelHolds walks all slots: every row that says that it hangs hangs once, where it says.
func (w *walk) wheelHolds(sh *shard) {
	hangs := make([]int, sh.rows.n)
	for slot := range sh.wheel.slots {
		for at := sh.wheel.slots[slot]; at != 0; at = sh.rows.at(at - 1).next {
			r := sh.rows.at(at - 1)
			if hangs[at-1]++; hangs[at-1] > 1 || (int64(r.hung)+sh.firstTick)%wheelSlots != int64(slot) {
				w.t.Fatalf("%s hangs in slot %d, and says tick %d", sh.id(at-1), slot, r.hung)
			}
		}
	}
	for id, n := range hangs {
		if r := sh.rows.at(uint32(id)); (r.hung != 0) != (n == 1) {
			w.t.Errorf("%s says that it hangs at %d, and is in %d slots", sh.id(uint32(id)), r.hung, n)
		}
	}
}

// looksAtTheWall compares the wall with the states, and what its watcher was told with the wall.
func (w *walk) looksAtTheWall() {
	w.c.t = w.c.t.Add(2 * tick)
	w.tick()
	w.m.tick(w.c)
	w.flushWall()
	wall, err := w.Wall(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	seen := 0
	for _, st := range wall.Stores {
		for i, device := range st.Devices {
			if d := w.m.devices[st.ID+"/"+device]; d == nil || d.state != ops.DeviceState(wall.Cells[st.Offset+i]) {
				w.t.Errorf("the wall shows %s/%s as %d", st.ID, device, wall.Cells[st.Offset+i])
			}
			seen++
		}
	}
	for _, d := range w.m.devices {
		if d.state != ops.Retired {
			seen--
		}
	}
	if seen != 0 {
		w.t.Errorf("the wall shows %d devices more than there are", seen)
	}
	if w.layout == wall.Layout && !slices.Equal(w.wall, wall.Cells) {
		w.t.Errorf("the watcher of the wall has %v, it is %v", w.wall, wall.Cells)
	}
	w.layout, w.wall = wall.Layout, slices.Clone(wall.Cells)
}

package fleet

import (
	"encoding/json"
	"fmt"
	"time"

	"goc/ops"
)

// A link that comes and goes is one fact, not one for each time: N changes between up (online, degraded) and down (late,
// offline) within a window begin it, a while without any ends it. In between the state that is shown is the true one, but
// single changes are neither told nor written, except with each checkpoint. When the gateway of a store flaps, that is
// the store's fact, and its devices' changes are part of it.

// flap is a link that comes and goes.
type flap struct {
	since   int64 // the first of the changes that began it, Unix ms; 0 when it does not flap
	last    int64 // the latest
	changes int32
}

// gate is the link of a store, as its devices together show it.
type gate struct {
	down  bool
	turns []int64 // when it changed, of late; as many as make it flap
	flap  flap
}

// maxFlaps bounds the devices of a shard that flap by themselves. Beyond it changes are told one by one.
const maxFlaps = 8_192

func isUp(s ops.DeviceState) bool   { return s == ops.Online || s == ops.Degraded }
func isDown(s ops.DeviceState) bool { return s == ops.Late || s == ops.Offline }

func linkChanges(from, to ops.DeviceState) bool {
	return isUp(from) && isDown(to) || isDown(from) && isUp(to)
}

// mayFlap says whether a change may be part of flapping: that a device is new, or retired, never is.
func mayFlap(from, to ops.DeviceState) bool {
	return from != ops.NeverSeen && from != ops.Retired && to != ops.NeverSeen && to != ops.Retired
}

// flapRules are Config.Flap in ms.
type flapRules struct {
	changes      int
	window, calm int64
}

// turn sets the state of a row that beats, silence or hours have changed. It is told with b, unless it is part of flapping.
func (s *Service) turn(sh *shard, id uint32, to ops.DeviceState, now int64, b *batch) {
	r := sh.rows.at(id)
	from, site := r.state, sh.cells.at(r.cell).site
	g := sh.gates[site]
	quiet := mayFlap(from, to) && (r.flags&flapping != 0 || g != nil && g.flap.since != 0)
	sh.move(id, to, now)
	if linkChanges(from, to) {
		quiet = s.link(sh, id, site, now, b) || quiet
	}
	if quiet {
		sh.quiet[id] = true
		return
	}
	sh.remember(id, from, to, now)
	b.add(sh, change{id: id, from: from, told: true})
}

// link counts a change of a device's link, and says whether it is part of flapping.
func (s *Service) link(sh *shard, id, site uint32, now int64, b *batch) bool {
	g := s.swing(sh, site, now)
	if g != nil && g.flap.since != 0 {
		return true
	}
	r := sh.rows.at(id)
	if r.flags&flapping != 0 {
		f := sh.flaps[id]
		f.last, f.changes = now, f.changes+1
		sh.flaps[id] = f
		return true
	}
	most := s.flap.changes - 1
	n, first := sh.past.links(id, now-s.flap.window, most)
	switch {
	case n < most:
		return false
	case g != nil && len(g.turns) >= most: // its whole store came and went with it
		g.flap = flap{since: g.turns[0], last: now, changes: int32(len(g.turns))}
		b.storeFlaps(sh, site, g.flap, true)
		return true
	case len(sh.flaps) >= maxFlaps:
		return false
	}
	f := flap{since: first, last: now, changes: int32(s.flap.changes)}
	sh.flaps[id] = f
	r.flags |= flapping
	b.deviceFlaps(sh, id, f, true)
	return true
}

// swing says how the link of a store is, by its devices: down when three quarters of those that count are, up again when
// half of them are. It returns nil for a store that has not been down of late.
func (s *Service) swing(sh *shard, site uint32, now int64) *gate {
	n, g := &sh.sites[site].n, sh.gates[site]
	up, down := n[ops.Online]+n[ops.Degraded], n[ops.Late]+n[ops.Offline]
	was := g != nil && g.down
	if was && 2*up < up+down || !was && (up+down < 2 || 4*down < 3*(up+down)) {
		return g
	}
	if g == nil {
		g = &gate{}
		sh.gates[site] = g
	}
	g.down = !was
	for len(g.turns) > 0 && (g.turns[0] <= now-s.flap.window || len(g.turns) >= s.flap.changes) {
		g.turns = g.turns[1:]
	}
	g.turns = append(g.turns, now)
	if g.flap.since != 0 {
		g.flap.last, g.flap.changes = now, g.flap.changes+1
	}
	return g
}

const calmPeriod = 1_000 // ms between two looks at what flaps

// calmAtOnce bounds what one look writes: a mutation has a bound, and what is refused would be lost.
const calmAtOnce = 4_000

// calm ends what has not changed for a while; where that is much, the next tick goes on.
func (s *Service) calm(now int64, b *batch) {
	if now < s.calmed+calmPeriod {
		return
	}
	for i := range s.shards {
		sh := &s.shards[i]
		for site, g := range sh.gates {
			if b.size() > calmAtOnce {
				return
			}
			if g.flap.since != 0 && now-g.flap.last >= s.flap.calm {
				sh.calmStore(site, g, b)
			}
			if g.flap.since == 0 && !g.down && g.turns[len(g.turns)-1] <= now-s.flap.window {
				delete(sh.gates, site)
			}
		}
		for id, f := range sh.flaps {
			if b.size() > calmAtOnce {
				return
			}
			g := sh.gates[sh.cells.at(sh.rows.at(id).cell).site]
			if now-f.last >= s.flap.calm && (g == nil || g.flap.since == 0) {
				sh.calmDevice(id, b)
				b.deviceFlaps(sh, id, f, false)
			}
		}
	}
	s.calmed = now
}

// calmDevice ends the flapping of a device, and writes how it is now.
func (s *shard) calmDevice(id uint32, b *batch) {
	r := s.rows.at(id)
	if _, ok := s.flaps[id]; ok {
		delete(s.flaps, id)
		r.flags &^= flapping
	}
	delete(s.quiet, id)
	s.catchUp(id)
	b.add(s, change{id: id, from: r.state, kept: true})
}

// catchUp remembers what a device has come to while its changes were quiet.
func (s *shard) catchUp(id uint32) {
	r := s.rows.at(id)
	if was, known := s.past.last(id); known && was != r.state {
		s.remember(id, was, r.state, r.since)
	}
}

// calmStore ends the flapping of a store, and writes how those of its devices are that changed meanwhile.
func (s *shard) calmStore(site uint32, g *gate, b *batch) {
	b.storeFlaps(s, site, g.flap, false)
	g.flap = flap{}
	for id := range s.quiet {
		if r := s.rows.at(id); s.cells.at(r.cell).site == site && r.flags&flapping == 0 {
			s.calmDevice(id, b)
		}
	}
}

// forget drops all that is known of a row besides the row itself.
func (s *shard) forget(id uint32) {
	delete(s.flaps, id)
	delete(s.quiet, id)
	delete(s.clocks, id)
	s.rows.at(id).flags &^= flapping | clocked
}

// flapRecord is a store that flaps, on disk (kind fleet_flap, id the store's).
type flapRecord struct {
	Since   int64 `json:"since"`
	Changes int32 `json:"changes"`
}

// restoreFlap goes on with the flapping of a store. What came before the restart counts as just now.
func (s *Service) restoreFlap(rec ops.Record) error {
	var f flapRecord
	if err := json.Unmarshal(rec.Body, &f); err != nil {
		return fmt.Errorf("the flapping of store %s cannot be read: %w", rec.ID, err)
	}
	sh := &s.shards[shardOf(rec.ID)]
	if site, ok := sh.index[rec.ID]; ok {
		n := &sh.sites[site].n
		sh.gates[site] = &gate{
			down: n[ops.Online]+n[ops.Degraded] == 0, turns: []int64{s.ready},
			flap: flap{since: f.Since, last: s.ready, changes: f.Changes},
		}
		sh.sites[site].each(func(id uint32) {
			if was, known := sh.past.last(id); known && was != sh.rows.at(id).state {
				sh.quiet[id] = false
			}
		})
	}
	return nil
}

// flapping says whether a row's link, or its store's, comes and goes.
func (s *shard) flapping(id uint32) bool {
	r := s.rows.at(id)
	return r.flags&flapping != 0 || s.storeFlaps(s.cells.at(r.cell).site)
}

func (s *shard) storeFlaps(site uint32) bool {
	g := s.gates[site]
	return g != nil && g.flap.since != 0
}

// flapped is one link that flaps, or is calm again, as the event tells it.
type flapped struct {
	ID      string         `json:"id"`
	Changes int32          `json:"changes"`
	Since   ops.Time       `json:"since"`
	State   string         `json:"state,omitempty"`  // of a device
	States  map[string]int `json:"states,omitempty"` // of a store's devices
}

// flaps is the data of fleet.flapping and fleet.calm.
type flaps struct {
	Text    string    `json:"text"`
	Total   int       `json:"total"`
	Stores  []flapped `json:"stores,omitempty"`  // at most 100
	Devices []flapped `json:"devices,omitempty"` // at most 100
	one     string    // the id of the only one
}

func (b *batch) flapsOf(begins bool) *flaps {
	if begins {
		return &b.begun
	}
	return &b.ended
}

func (b *batch) deviceFlaps(sh *shard, id uint32, f flap, begins bool) {
	out := b.flapsOf(begins)
	out.one = sh.id(id)
	if out.Total++; len(out.Devices) < maxListed {
		out.Devices = append(out.Devices, flapped{ID: out.one, Changes: f.changes, Since: when(f.since), State: sh.rows.at(id).state.String()})
	}
	if begins {
		b.add(sh, change{id: id, from: sh.rows.at(id).state, kept: true})
	}
}

func (b *batch) storeFlaps(sh *shard, site uint32, f flap, begins bool) {
	st, out := &sh.sites[site], b.flapsOf(begins)
	out.one = st.ID
	if out.Total++; len(out.Stores) < maxListed {
		out.Stores = append(out.Stores, flapped{ID: st.ID, Changes: f.changes, Since: when(f.since), States: st.n.byName()})
	}
	if begins {
		b.put = append(b.put, ops.Encode("fleet_flap", st.ID, flapRecord{f.since, f.changes}))
	} else {
		b.delete = append(b.delete, ops.Record{Kind: "fleet_flap", ID: st.ID})
	}
}

// byName is a tally by the names of the states.
func (t *tally) byName() map[string]int {
	out := map[string]int{}
	for state, n := range t {
		if n > 0 {
			out[ops.DeviceState(state).String()] = int(n)
		}
	}
	return out
}

// event tells of links that begin to flap, or are calm again.
func (f *flaps) event(name, verb, verbs string, at time.Time, actor string) ops.Event {
	subject := "fleet"
	if f.Total == 1 {
		subject, f.Text = f.one, fmt.Sprintf("the link of %s %s", f.one, verb)
	} else {
		f.Text = fmt.Sprintf("the links of %d stores and devices %s", f.Total, verbs)
	}
	return ops.NewEvent(ops.At(at), name, "fleet", subject, actor, f)
}

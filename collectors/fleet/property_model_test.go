package fleet

import (
	"slices"

	"goc/ops"
)

// model is what the table must come to, said without shards, rows, cells, a wheel or a ring: every device is looked at
// on every tick, and nothing is ever forgotten. Times are Unix ms.
type model struct {
	cfg     Config
	catalog *ops.Catalog
	stores  map[string]*modelStore
	devices map[string]*modelDevice // by store/device
	now     int64
	ready   int64
	ticked  int64
}

type modelStore struct {
	open   bool
	opened int64
}

type modelDevice struct {
	id, store, name       string
	kind, model, firmware string
	status                string
	seen, at              int64 // at is its own time, corrected, of what it last said
	state                 ops.DeviceState
	since                 int64
	turns                 []modelTurn // all that ever were
	kept                  []modelTurn // those that do not follow from the hours, or from its being new
	clock                 *modelClock
	flapped               bool  // it, or its store, has been seen to flap
	moved                 int64 // when it got its id; from a store that flaps it brings what it came to
}

type modelTurn struct {
	at       int64
	from, to ops.DeviceState
}

// modelClock is a clock that is, or may be, wrong, with all its samples.
type modelClock struct {
	samples []int64 // the largest at less arrival of beats that came together; the last goes on
	last    int64
	offset  int64
	sure    bool
}

func (m *model) kindOf(name string) (interval, grace int64) {
	interval, grace = 30_000, 30_000
	for _, k := range m.catalog.DeviceKinds {
		if k.Name == name && k.Interval > 0 {
			interval = int64(k.Interval) / 1e6
		}
		if k.Name == name && k.Grace > 0 {
			grace = int64(k.Grace) / 1e6
		}
	}
	return interval, grace
}

func (m *model) store(id string) *modelStore {
	if m.stores[id] == nil {
		m.stores[id] = &modelStore{open: true}
	}
	return m.stores[id]
}

// look sets the hours of the catalog's stores.
func (m *model) look(c *clock) {
	for _, st := range m.catalog.Stores {
		open, since, _ := m.catalog.Hours(st.ID).At(c.t)
		s := m.store(st.ID)
		s.open, s.opened = open, 0
		if open && !since.IsZero() {
			s.opened = since.UnixMilli()
		}
	}
}

// tick looks at every device.
func (m *model) tick(c *clock) {
	m.now = c.t.UnixMilli()
	if m.now-m.ticked > 5_000 {
		m.ready = m.now
	}
	m.ticked = m.now
	m.look(c)
	for _, d := range m.devices {
		m.settle(d)
	}
}

func (m *model) settle(d *modelDevice) {
	if to := m.state(d); to != d.state {
		m.turn(d, to)
	}
}

func (m *model) turn(d *modelDevice, to ops.DeviceState) {
	t := modelTurn{m.now, d.state, to}
	d.turns = append(d.turns, t)
	if to != ops.Closed && (t.from != ops.Closed || to != ops.Online) && (t.from != ops.NeverSeen || len(d.kept) > 0) {
		d.kept = append(d.kept, t)
	}
	d.state, d.since = to, m.now
}

// state says the rules of the states once more.
func (m *model) state(d *modelDevice) ops.DeviceState {
	interval, grace := m.kindOf(d.kind)
	st := m.store(d.store)
	begins := int64(0) // of the store's day, when the device has not beaten since
	if st.opened > d.seen {
		begins = st.opened + 5*60_000
	}
	expected := max(d.seen, m.ready, begins) + interval
	switch {
	case d.state == ops.Retired || d.seen == 0:
		return d.state
	case m.now <= d.seen+interval && d.status == "ok":
		return ops.Online
	case m.now <= d.seen+interval:
		return ops.Degraded
	case !st.open || m.now <= begins+interval:
		return ops.Closed
	case m.now <= expected || d.state == ops.Offline:
		return d.state
	case m.now <= expected+grace:
		return ops.Late
	}
	return ops.Offline
}

// beat takes a beat that is good.
func (m *model) beat(h ops.Heartbeat) {
	id := h.Store + "/" + h.Device
	d := m.devices[id]
	if d == nil {
		d = m.add(h)
	}
	at := m.now
	if !h.At.IsZero() {
		at = m.correct(d, h.At.UnixMilli())
	}
	d.seen = m.now
	if at >= d.at {
		d.say(h)
		d.status, d.at = h.Status, at
		if h.Status == "" {
			d.status = "ok"
		}
	}
	m.settle(d)
}

func (m *model) add(h ops.Heartbeat) *modelDevice {
	d := &modelDevice{id: h.Store + "/" + h.Device, store: h.Store, name: h.Device, status: "ok"}
	m.devices[d.id] = d
	d.say(h)
	return d
}

func (d *modelDevice) say(h ops.Heartbeat) {
	d.kind, d.model, d.firmware = or(h.Kind, d.kind), or(h.Model, d.model), or(h.Firmware, d.firmware)
}

// list takes a device of an import.
func (m *model) list(h ops.Heartbeat) {
	d := m.devices[h.Store+"/"+h.Device]
	if d == nil {
		m.add(h)
		return
	}
	if d.state == ops.Retired {
		d.seen, d.at = 0, 0
		m.turn(d, ops.NeverSeen)
	}
	d.say(h)
}

func (m *model) retire(d *modelDevice) {
	if d.state != ops.Retired {
		m.turn(d, ops.Retired)
		d.clock, d.flapped = nil, true // what it did while it flapped is not told any more
	}
}

// correct says what a device's time is by our clock, as far as can be known.
func (m *model) correct(d *modelDevice, at int64) int64 {
	const skew = 60_000
	off := at - m.now
	right := off <= skew && off >= -skew
	interval, _ := m.kindOf(d.kind)
	c := d.clock
	switch {
	case c == nil && right:
		return at
	case c == nil:
		c = &modelClock{samples: []int64{off}}
		d.clock = c
	case m.now-c.last < interval/2:
		n := len(c.samples) - 1
		c.samples[n] = max(c.samples[n], off)
	default:
		if n := len(c.samples); n >= 3 {
			lo, hi := slices.Min(c.samples[n-3:]), slices.Max(c.samples[n-3:])
			if agree := hi-lo <= skew/2; agree && hi <= skew && hi >= -skew {
				d.clock = nil
				return at
			} else if agree {
				c.offset, c.sure = hi, true
			}
		}
		c.samples = append(c.samples, off)
	}
	c.last = m.now
	c.offset = max(c.offset, off)
	if !c.sure && right {
		d.clock = nil
		return at
	}
	return at - c.offset
}

// restart forgets what no restart keeps.
func (m *model) restart(c *clock) {
	m.now = c.t.UnixMilli()
	m.ready, m.ticked = m.now, m.now
	m.look(c)
	for _, d := range m.devices {
		if c := d.clock; c != nil && c.sure {
			d.clock = &modelClock{samples: []int64{c.offset, c.offset, c.offset}, offset: c.offset, sure: true}
		} else {
			d.clock = nil
		}
	}
}

// history is what a device that never flapped shows.
func (d *modelDevice) history() []modelTurn {
	out := slices.Clone(d.kept[max(0, len(d.kept)-maxTurns):])
	slices.Reverse(out)
	return out
}

// links counts its changes between up and down in (from, to].
func (d *modelDevice) links(from, to int64) (n int) {
	for i := len(d.turns) - 1; i >= 0 && d.turns[i].at > from; i-- {
		if t := d.turns[i]; t.at <= to && linkChanges(t.from, t.to) {
			n++
		}
	}
	return n
}

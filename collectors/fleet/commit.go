package fleet

import (
	"fmt"
	"strings"
	"time"

	"goc/ops"
)

// change is what a batch did to one device.
type change struct {
	sh    *shard
	id    uint32
	from  ops.DeviceState // before the batch
	told  bool            // its change of state is told; else it is part of its flapping
	fresh bool            // it is new
	facts bool            // its kind, model, firmware or status changed, or which of its readings are beyond their limits
	kept  bool            // it is written, though nothing of this has changed
}

// batch gathers changes, one for each device.
type batch struct {
	changes      []change
	put, delete  []ops.Record // besides those of devices
	begun, ended flaps
	wrong, right clocks
}

// size is how many records a batch comes to.
func (b *batch) size() int { return len(b.changes) + len(b.put) + len(b.delete) }

// add merges c into what the batch knows of its device.
func (b *batch) add(sh *shard, c change) {
	r := sh.rows.at(c.id)
	if r.flags&changing == 0 {
		r.flags |= changing
		c.sh = sh
		b.changes = append(b.changes, c)
		return
	}
	for i := len(b.changes) - 1; i >= 0; i-- { // a device twice in one batch is rare, and mostly near
		if was := &b.changes[i]; was.id == c.id && was.sh == sh {
			was.told = was.told || c.told
			was.fresh = was.fresh || c.fresh
			was.facts = was.facts || c.facts
			was.kept = was.kept || c.kept
			return
		}
	}
}

// maxListed is how many changes an event lists; the rest is in its counts.
const maxListed = 100

// listed is one change as the event tells it.
type listed struct {
	ID   string          `json:"id"`
	From ops.DeviceState `json:"from"`
	To   ops.DeviceState `json:"to"`
}

// told is the data of fleet.changed.
type told struct {
	Text    string         `json:"text"`
	Total   int            `json:"total"`             // changes of state
	Counts  map[string]int `json:"counts"`            // changes by the state that they led to
	New     int            `json:"new,omitempty"`     // devices that were not known
	Updated int            `json:"updated,omitempty"` // devices with another kind, model, firmware or status
	Stores  int            `json:"stores"`
	Changes []listed       `json:"changes"` // at most 100
}

// commit makes a batch durable in one mutation with its events, which the shards of mask then wait for. The caller holds
// their locks.
func (s *Service) commit(b *batch, mask uint32, at time.Time, actor string) {
	if len(b.changes) == 0 && len(b.put) == 0 && len(b.delete) == 0 {
		return
	}
	m := ops.Mutation{Put: make([]ops.Record, 0, len(b.changes)+len(b.put)), Delete: b.delete}
	if data, subject := s.write(b, &m); data.Total+data.New+data.Updated > 0 {
		data.Text = sentence(data, subject)
		m.Events = append(m.Events, ops.NewEvent(ops.At(at), "fleet.changed", "fleet", subject, actor, data))
	}
	m.Put = append(m.Put, b.put...)
	m.Events = b.facts(m.Events, at, actor)
	if len(m.Put) == 0 && len(m.Delete) == 0 {
		return
	}
	s.wrote(s.journal.Append(m), mask)
}

// write puts the records of a batch's devices into m, and counts what is told of them.
func (s *Service) write(b *batch, m *ops.Mutation) (data *told, subject string) {
	data = &told{Counts: map[string]int{}, Changes: []listed{}}
	stores := map[*site]bool{}
	makes := s.makes.list()
	for _, c := range b.changes {
		r := c.sh.rows.at(c.id)
		r.flags &^= changing
		to := c.from
		if c.told {
			to = r.state
		}
		if to == c.from && !c.fresh && !c.facts && !c.kept {
			continue // there and back within the batch
		}
		id := c.sh.id(c.id)
		m.Put = append(m.Put, ops.Record{Kind: "device", ID: id, Body: c.sh.appendRecord(nil, makes, c.id)})
		if c.sh.quiet[c.id] {
			c.sh.quiet[c.id] = false
		}
		if to != c.from || c.fresh || c.facts {
			stores[c.sh.siteOf(c.id)] = true
			data.add(&c, id, to)
		}
	}
	subject = "fleet"
	if data.Stores = len(stores); data.Stores == 1 {
		for st := range stores {
			subject = st.ID
		}
	}
	return data, subject
}

// facts are the events of what a batch found about links and clocks.
func (b *batch) facts(out []ops.Event, at time.Time, actor string) []ops.Event {
	if b.begun.Total > 0 {
		out = append(out, b.begun.event("fleet.flapping", "comes and goes", "come and go", at, actor))
	}
	if b.ended.Total > 0 {
		out = append(out, b.ended.event("fleet.calm", "is calm again", "are calm again", at, actor))
	}
	if b.wrong.Total > 0 {
		out = append(out, b.wrong.event("fleet.clock_wrong", at, actor))
	}
	if b.right.Total > 0 {
		out = append(out, b.right.event("fleet.clock_right", at, actor))
	}
	return out
}

// add counts one change.
func (d *told) add(c *change, id string, to ops.DeviceState) {
	if c.fresh {
		d.New++
	} else if c.facts {
		d.Updated++
	}
	if to == c.from {
		return
	}
	d.Total++
	d.Counts[to.String()]++
	if len(d.Changes) < maxListed {
		d.Changes = append(d.Changes, listed{ID: id, From: c.from, To: to})
	}
}

// verbs say what a change to a state is, for one device and for more; the worst first.
var verbs = []struct {
	state     ops.DeviceState
	one, more string
}{
	{ops.Offline, "went offline", "went offline"},
	{ops.Late, "is late", "are late"},
	{ops.Degraded, "is not well", "are not well"},
	{ops.Online, "came online", "came online"},
	{ops.Closed, "closed with its store", "closed with their stores"},
	{ops.Retired, "was retired", "were retired"},
	{ops.NeverSeen, "is expected again", "are expected again"},
}

// sentence says a batch as the timeline shows it: "12 devices of SH-001 went offline, 3 came online".
func sentence(d *told, subject string) string {
	where := "of " + subject
	if d.Stores != 1 {
		where = fmt.Sprintf("in %d stores", d.Stores)
	}
	var parts []string
	say := func(n int, one, more string) {
		if n == 0 {
			return
		}
		verb, noun := more, "devices"
		if n == 1 {
			verb, noun = one, "device"
		}
		if len(parts) == 0 {
			parts = append(parts, fmt.Sprintf("%d %s %s %s", n, noun, where, verb))
			return
		}
		parts = append(parts, fmt.Sprintf("%d %s", n, verb))
	}
	for _, v := range verbs {
		say(d.Counts[v.state.String()], v.one, v.more)
	}
	if d.Total == 0 {
		say(d.New, "was listed", "were listed")
		say(d.Updated, "changed its kind, model, firmware, status or readings", "changed their kind, model, firmware, status or readings")
	}
	return strings.Join(parts, ", ")
}

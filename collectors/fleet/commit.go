package fleet

import (
	"fmt"
	"strings"
	"time"

	"goc/ops"
)

// change is what a batch did to one device.
type change struct {
	id    int32
	from  ops.DeviceState // before the batch
	fresh bool            // it is new
	facts bool            // its kind, model, firmware or status changed
}

// batch gathers changes, one for each device.
type batch struct {
	changes []change
	at      map[int32]int
}

// add merges c into what the batch knows of its device.
func (b *batch) add(c change) {
	if b.at == nil {
		b.at = map[int32]int{}
	}
	if i, ok := b.at[c.id]; ok {
		b.changes[i].fresh = b.changes[i].fresh || c.fresh
		b.changes[i].facts = b.changes[i].facts || c.facts
		return
	}
	b.at[c.id] = len(b.changes)
	b.changes = append(b.changes, c)
}

// record is a device on disk; its id is store/device. Times are Unix milliseconds.
type record struct {
	State    ops.DeviceState `json:"state"`
	Since    int64           `json:"since,omitempty"`
	Seen     int64           `json:"seen,omitempty"`
	At       int64           `json:"at,omitempty"`
	Kind     string          `json:"kind,omitempty"`
	Model    string          `json:"model,omitempty"`
	Firmware string          `json:"firmware,omitempty"`
	Status   string          `json:"status,omitempty"`
	Battery  *float32        `json:"battery,omitempty"`
	Note     string          `json:"note,omitempty"`
}

func (t *table) record(id int32) record {
	r := &t.rows[id]
	m := &t.makes[r.make]
	rec := record{
		State: r.state, Since: r.since, Seen: r.seen, At: r.at, Note: t.notes[id],
		Kind: t.kinds.all[m.kind], Model: t.models.all[m.model], Firmware: t.models.all[m.firmware],
	}
	if r.status != 0 {
		rec.Status = r.status.String()
	}
	if r.battery >= 0 {
		rec.Battery = &r.battery
	}
	return rec
}

// maxListed is how many changes an event lists; the rest is in its counts.
const maxListed = 1_000

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
	Changes []listed       `json:"changes"` // at most 1,000
}

// commit makes a batch durable in one mutation with one event. The caller holds the lock; s.last is its receipt.
func (s *Service) commit(b *batch, at time.Time, actor string) {
	if len(b.changes) == 0 {
		return
	}
	m := ops.Mutation{Put: make([]ops.Record, 0, len(b.changes))}
	data := told{Counts: map[string]int{}, Changes: []listed{}}
	stores := map[uint32]bool{}
	for _, c := range b.changes {
		r := &s.t.rows[c.id]
		if r.state == c.from && !c.fresh && !c.facts {
			continue // there and back within the batch
		}
		id := s.t.id(c.id)
		m.Put = append(m.Put, ops.Encode("device", id, s.t.record(c.id)))
		stores[r.store] = true
		if c.fresh {
			data.New++
		} else if c.facts {
			data.Updated++
		}
		if r.state == c.from {
			continue
		}
		data.Total++
		data.Counts[r.state.String()]++
		if len(data.Changes) < maxListed {
			data.Changes = append(data.Changes, listed{ID: id, From: c.from, To: r.state})
		}
	}
	if len(m.Put) == 0 {
		return
	}
	subject := "fleet"
	if data.Stores = len(stores); data.Stores == 1 {
		for st := range stores {
			subject = s.t.stores[st].ID
		}
	}
	data.Text = sentence(&data, subject)
	m.Events = []ops.Event{ops.NewEvent(ops.At(at), "fleet.changed", "fleet", subject, actor, data)}
	s.last = s.journal.Append(m)
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
		say(d.Updated, "changed its kind, model, firmware or status", "changed their kind, model, firmware or status")
	}
	return strings.Join(parts, ", ")
}

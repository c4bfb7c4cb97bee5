package fleet

import (
	"context"
	"fmt"

	"goc/ops"
)

// Retire takes devices out of service, in one event: they are no longer expected to beat, and leave the wall. Those that
// are not known are listed with their index; one that is retired already counts as done.
func (s *Service) Retire(ctx context.Context, who ops.Principal, devices []ops.DeviceRef) (rejected []ops.Rejected, err error) {
	if len(devices) > MaxBatch {
		return nil, tooMany
	}
	in := make([]beat, len(devices))
	for i, d := range devices {
		in[i] = beat{store: d.Store, device: d.Device}
	}
	return rejected, s.change(ctx, who, s.sort(in), func(t *turn) error {
		for i := range in {
			id, ok := t.find(&in[i])
			if !ok {
				rejected = append(rejected, ops.Rejected{Index: i, Reason: "no such device"})
				continue
			}
			if from := t.sh.rows.at(id).state; from != ops.Retired {
				t.batch.add(t.sh, change{id: id, from: from, told: true})
				t.sh.turn(id, ops.Retired, t.now)
				t.sh.forget(id)
				t.sh.dropTracks(id)
			}
		}
		return nil
	})
}

var tooMany = ops.Errorf(ops.TooLarge, "a batch may hold at most %d devices", MaxBatch).At("body")

// Move takes a device to another store, with its state, what it said last and since when it is so. NotFound when there
// is no such device, Conflict when the store has one of that name. It is told as one event, fleet.moved.
func (s *Service) Move(ctx context.Context, who ops.Principal, d ops.DeviceRef, store string) (ops.Device, error) {
	return s.relabel(ctx, who, d, ops.DeviceRef{Store: store, Device: d.Device}, "fleet.moved")
}

// Rename gives a device another name within its store; otherwise it is as Move. Its event is fleet.renamed.
func (s *Service) Rename(ctx context.Context, who ops.Principal, d ops.DeviceRef, name string) (ops.Device, error) {
	return s.relabel(ctx, who, d, ops.DeviceRef{Store: d.Store, Device: name}, "fleet.renamed")
}

// relabel makes a device the same device under another id.
func (s *Service) relabel(ctx context.Context, who ops.Principal, old, to ops.DeviceRef, event string) (d ops.Device, err error) {
	if old == to {
		return d, ops.Errorf(ops.Conflict, "the device is that already")
	}
	both := []beat{{store: old.Store, device: old.Device}, {store: to.Store, device: to.Device}}
	mask := s.sort(both)
	s.lock(mask)
	at := s.now()
	t := turn{s: s, makes: s.makes.list(), now: at.UnixMilli()}
	m, err := t.relabel(&both[0], &both[1])
	if err == nil {
		text := fmt.Sprintf("%s is now %s", old, to)
		m.Events = []ops.Event{ops.NewEvent(ops.At(at), event, "fleet", to.String(), who.Name, map[string]any{"text": text, "from": old.String(), "to": to.String()})}
		s.wrote(s.journal.Append(m), mask)
		d = s.device(t.sh, t.row)
		d.History = t.sh.history(t.row)
	}
	wait := s.unlock(mask)
	if err != nil {
		return d, err
	}
	return d, wait.done(ctx)
}

// wrote notes the mutation that the shards of mask wait for. The caller holds their locks.
func (s *Service) wrote(last *ops.Receipt, mask uint32) {
	for i := range s.shards {
		if mask&(1<<i) != 0 {
			s.shards[i].last = last
		}
	}
}

// relabel moves all that is known of one id to another, and leaves t at its row. What is on disk of a device says all but
// what only memory has: the points of its readings, and how far flapping and wrong clocks are looked into.
func (t *turn) relabel(from, to *beat) (m ops.Mutation, err error) {
	id, ok := t.find(from)
	if !ok {
		return m, ops.Errorf(ops.NotFound, "no such device").WithHint("a device's id is store/device, like SH-001/pos-03")
	}
	was := t.sh
	if _, taken := t.find(to); taken {
		return m, ops.Errorf(ops.Conflict, "there is a device of that id already").WithHint("move or rename that one first; a retired one counts as well")
	}
	if wrong := to.checkNames(); wrong != "" {
		return m, ops.Errorf(ops.Invalid, "%s", wrong).At("body")
	}
	if _, quiet := was.quiet[id]; quiet && was.rows.at(id).flags&flapping == 0 {
		was.catchUp(id) // it leaves a store that flaps
	}
	rec := ops.Record{Kind: "device", ID: to.store + "/" + to.device, Body: was.appendRecord(nil, t.makes, id)}
	t.s.devices.Add(-1) // so that a full fleet can move its own
	if err := t.restoreDevice(rec); err != nil {
		t.s.devices.Add(1)
		return m, ops.Errorf(ops.Invalid, "%w", err).At("body")
	}
	sh := t.sh
	t.row, _ = sh.find(&sh.sites[t.site], to.device)
	sh.inherit(t.row, was, id)
	m.Delete = []ops.Record{{Kind: "device", ID: was.id(id)}}
	m.Put = []ops.Record{rec}
	was.remove(id)
	if r := sh.rows.at(t.row); r.state != ops.Retired {
		sh.hang(t.row, t.now+1)
	}
	return m, nil
}

// inherit takes over what only memory has of another row.
func (s *shard) inherit(id uint32, from *shard, was uint32) {
	r, old := s.rows.at(id), from.rows.at(was)
	r.seen, r.ago = old.seen, old.ago // on disk they may be of before
	r.flags |= stale
	s.siteOf(id).stale = true
	if f, ok := from.flaps[was]; ok {
		s.flaps[id] = f
		r.flags |= flapping
	}
	if c := from.clocks[was]; c != nil {
		s.clocks[id] = c
		r.flags |= clocked
	}
	s.dropTracks(id)
	if was >= from.gauge.of.n {
		return
	}
	for i := *from.gauge.of.at(was); i != 0; {
		t := from.gauge.all.at(i - 1)
		mine := s.addTrack(id, t.which(), t.value, 0)
		next := mine.next
		*mine = *t
		mine.row, mine.next = id, next
		i = t.next
	}
}

// remove takes a row out of the table: it has no name any more, and nothing finds it. Its 40 bytes stay until a restart.
func (s *shard) remove(id uint32) {
	s.unhang(id)
	st := s.siteOf(id)
	s.leave(st, id)
	s.count(id, -1)
	s.forget(id)
	s.dropTracks(id)
	delete(s.notes, id)
	delete(s.past.head, id)
	st.stale, s.remake = true, true
	if id < s.place.n {
		*s.place.at(id) = noPlace
	}
	r := s.rows.at(id)
	r.name, r.flags, r.state = s.names.add(""), 0, ops.NeverSeen
}

// leave takes a row out of its site's table, and closes the gap: what stands after it moves up as far as its hash lets it.
func (s *shard) leave(st *site, id uint32) {
	mask := uint32(len(st.table) - 1)
	gap := uint32(hashOf(s.nameOf(id))) & mask
	for st.table[gap]&slotRow != id+1 {
		gap = (gap + 1) & mask
	}
	for i := gap; ; {
		i = (i + 1) & mask
		v := st.table[i]
		if v == 0 {
			break
		}
		if home := uint32(hashOf(s.nameOf(v&slotRow-1))) & mask; (i-home)&mask >= (i-gap)&mask {
			st.table[gap], gap = v, i
		}
	}
	st.table[gap] = 0
	st.count--
}

package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"goc/ops"
)

// seenRecord is when the devices of one store were last seen (kind fleet_seen, id the store's), Unix milliseconds.
type seenRecord struct {
	Devices []string `json:"devices"`
	Seen    []int64  `json:"seen"`
}

// restore fills the table from the journal. Every device keeps the state that it had; all are looked at on the first
// tick, when none can be late yet.
func (s *Service) restore(ctx context.Context) error {
	t := turn{s: s}
	if err := s.journal.Load(ctx, "device", func(rec ops.Record) error { return t.restoreDevice(rec) }); err != nil {
		return err
	}
	if err := s.journal.Load(ctx, "fleet_seen", s.restoreSeen); err != nil {
		return err
	}
	if err := s.journal.Load(ctx, "fleet_cause", s.restoreCause); err != nil {
		return err
	}
	if err := s.journal.Load(ctx, "fleet_flap", s.restoreFlap); err != nil {
		return err
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.rehang(s.ready)
		sh.touched, sh.remake = nil, true
		for id := range sh.rows.n {
			sh.rows.at(id).flags &^= touched
		}
	}
	return nil
}

func (t *turn) restoreDevice(rec ops.Record) error {
	var d record
	if err := readRecord(rec.Body, &d); err != nil {
		return fmt.Errorf("device %s: %w", rec.ID, err)
	}
	store, device, ok := strings.Cut(rec.ID, "/")
	if !ok {
		return fmt.Errorf("device %s: its id is not store/device", rec.ID)
	}
	var id uint32
	if wrong := t.add(&beat{store: store, device: device, kind: d.Kind, model: d.Model, firmware: d.Firmware, shard: shardOf(store)}, &id); wrong != "" {
		return fmt.Errorf("device %s: %s", rec.ID, wrong)
	}
	sh := t.sh
	if d.State != ops.NeverSeen {
		sh.move(id, d.State, d.Since)
	}
	r := sh.rows.at(id)
	r.since = d.Since
	r.setSeen(d.Seen, d.At)
	st, _ := statusOf(d.Status)
	r.setStatus(st)
	if d.Battery != nil {
		r.battery = uint16(math.Round(min(max(*d.Battery, 0), 1) * 10_000))
	}
	if d.State != ops.Retired {
		t.restoreReadings(id, &d)
	}
	if d.Note != "" {
		sh.note(id, d.Note)
	}
	if d.Flap != 0 && len(sh.flaps) < maxFlaps {
		sh.flaps[id] = flap{since: d.Flap, last: t.s.ready, changes: int32(d.Flaps)}
		r.flags |= flapping
	}
	sh.restoreClock(id, d.Clock)
	if !sh.restorePast(id, d.Past) {
		return fmt.Errorf("device %s: its past cannot be read", rec.ID)
	}
	return nil
}

func (s *Service) restoreSeen(rec ops.Record) error {
	var seen seenRecord
	if err := json.Unmarshal(rec.Body, &seen); err != nil || len(seen.Devices) != len(seen.Seen) {
		return fmt.Errorf("last seen of store %s cannot be read: %v", rec.ID, err)
	}
	sh := &s.shards[shardOf(rec.ID)]
	site, ok := sh.index[rec.ID]
	if !ok {
		return nil
	}
	for i, device := range seen.Devices {
		id, ok := sh.find(&sh.sites[site], device)
		if !ok {
			continue
		}
		// One that is expected again has not been seen since, whatever was written before.
		if r := sh.rows.at(id); r.seen != 0 || r.state == ops.Retired {
			r.setSeen(max(r.seen, seen.Seen[i]), r.at())
		}
	}
	return nil
}

// checkpointChunk is how many stores one mutation of a checkpoint holds.
const checkpointChunk = 50

// checkpoint writes last-seen of the stores where it changed, and returns the last receipt, nil when there was nothing.
func (s *Service) checkpoint() *ops.Receipt {
	var last *ops.Receipt
	for i := range s.shards {
		sh := &s.shards[i]
		if r := s.saveQuiet(sh); r != nil {
			last = r
		}
		for from, more := 0, true; more; {
			sh.mu.Lock()
			var m ops.Mutation
			for ; from < len(sh.sites) && len(m.Put) < checkpointChunk; from++ {
				if st := &sh.sites[from]; st.stale {
					m.Put = append(m.Put, ops.Record{Kind: "fleet_seen", ID: st.ID, Body: sh.appendSeen(st)})
				}
			}
			more = from < len(sh.sites)
			if len(m.Put) > 0 {
				last = s.journal.Append(m)
			}
			sh.mu.Unlock()
		}
	}
	return last
}

// saveQuiet writes the devices whose changes were part of flapping.
func (s *Service) saveQuiet(sh *shard) (last *ops.Receipt) {
	for {
		r := s.saveSome(sh)
		if r == nil {
			return last
		}
		last = r
	}
}

// saveSome writes as many of them as one mutation should hold; nil when there are none left.
func (s *Service) saveSome(sh *shard) *ops.Receipt {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var m ops.Mutation
	for id, unsaved := range sh.quiet {
		if !unsaved {
			continue
		}
		if len(m.Put) >= calmAtOnce {
			break
		}
		sh.quiet[id] = false
		m.Put = append(m.Put, ops.Record{Kind: "device", ID: sh.id(id), Body: sh.appendRecord(nil, s.makes.list(), id)})
	}
	if len(m.Put) == 0 {
		return nil
	}
	return s.journal.Append(m)
}

// appendSeen writes the last-seen record of a store, and marks it as written.
func (s *shard) appendSeen(st *site) []byte {
	names := make([]byte, 0, 32*st.count)
	times := make([]byte, 0, 16*st.count)
	st.each(func(id uint32) {
		r := s.rows.at(id)
		r.flags &^= stale
		if r.seen > 0 {
			names = appendText(names, ",", s.names.at(r.name))
			times = strconv.AppendInt(append(times, ','), r.seen, 10)
		}
	})
	st.stale = false
	if len(names) == 0 {
		return []byte(`{"devices":[],"seen":[]}`)
	}
	b := make([]byte, 0, len(names)+len(times)+32)
	b = append(append(b, `{"devices":[`...), names[1:]...)
	b = append(append(b, `],"seen":[`...), times[1:]...)
	return append(b, "]}"...)
}

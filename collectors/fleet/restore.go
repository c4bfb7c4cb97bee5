package fleet

import (
	"context"
	"encoding/json"
	"fmt"
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
	if err := s.journal.Load(ctx, "device", s.restoreDevice); err != nil {
		return err
	}
	if err := s.journal.Load(ctx, "fleet_seen", s.restoreSeen); err != nil {
		return err
	}
	for id := range s.t.rows {
		s.hang(int32(id), s.ready)
	}
	s.t.touched, s.t.remake = nil, true
	for id := range s.t.rows {
		s.t.rows[id].touched = false
	}
	return nil
}

func (s *Service) restoreDevice(rec ops.Record) error {
	var d record
	if err := json.Unmarshal(rec.Body, &d); err != nil {
		return fmt.Errorf("device %s: %w", rec.ID, err)
	}
	store, device, ok := strings.Cut(rec.ID, "/")
	if !ok {
		return fmt.Errorf("device %s: its id is not store/device", rec.ID)
	}
	id, reason := s.add(&ops.Heartbeat{Store: store, Device: device, Kind: d.Kind, Model: d.Model, Firmware: d.Firmware})
	if reason != "" {
		return fmt.Errorf("device %s: %s", rec.ID, reason)
	}
	r := &s.t.rows[id]
	if d.State != ops.NeverSeen {
		s.t.move(id, d.State, d.Since)
	}
	r.since, r.seen, r.at = d.Since, d.Seen, d.At
	r.status, _ = statusOf(d.Status)
	if d.Battery != nil {
		r.battery = *d.Battery
	}
	if d.Note != "" {
		s.t.notes[id] = d.Note
	}
	return nil
}

func (s *Service) restoreSeen(rec ops.Record) error {
	var seen seenRecord
	if err := json.Unmarshal(rec.Body, &seen); err != nil || len(seen.Devices) != len(seen.Seen) {
		return fmt.Errorf("last seen of store %s cannot be read: %v", rec.ID, err)
	}
	for i, device := range seen.Devices {
		if id, ok := s.t.find(rec.ID, device); ok && s.t.rows[id].seen != 0 {
			r := &s.t.rows[id]
			r.seen = max(r.seen, seen.Seen[i])
		}
	}
	return nil
}

// checkpointChunk is how many stores one mutation of a checkpoint holds.
const checkpointChunk = 200

// checkpoint writes last-seen of the stores where it changed, and returns the last receipt, nil when there was nothing.
func (s *Service) checkpoint() *ops.Receipt {
	var last *ops.Receipt
	for from, more := 0, true; more; {
		s.mu.Lock()
		var m ops.Mutation
		for ; from < len(s.t.stores) && len(m.Put) < checkpointChunk; from++ {
			if s.t.stores[from].stale {
				m.Put = append(m.Put, s.t.seenOf(&s.t.stores[from]))
			}
		}
		more = from < len(s.t.stores)
		if len(m.Put) > 0 {
			last = s.journal.Append(m)
		}
		s.mu.Unlock()
	}
	return last
}

// seenOf is the last-seen record of a store.
func (t *table) seenOf(st *site) ops.Record {
	rec := seenRecord{Devices: make([]string, 0, len(st.rows)), Seen: make([]int64, 0, len(st.rows))}
	for _, id := range st.rows {
		r := &t.rows[id]
		r.stale = false
		if r.seen > 0 {
			rec.Devices, rec.Seen = append(rec.Devices, t.names.all[r.name]), append(rec.Seen, r.seen)
		}
	}
	st.stale = false
	return ops.Encode("fleet_seen", st.ID, rec)
}

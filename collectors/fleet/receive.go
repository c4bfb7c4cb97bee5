package fleet

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"goc/ops"
)

// Receive takes a batch of beats. Those that are good count, the others are listed with their index and why. When it
// returns, every state and fact that the good ones changed is on disk; an error means that none of it may be
// acknowledged. A principal named store:ID may speak only for that store.
func (s *Service) Receive(ctx context.Context, who ops.Principal, beats []ops.Heartbeat) (accepted int, rejected []ops.Rejected, err error) {
	if len(beats) > MaxBatch {
		return 0, nil, ops.Errorf(ops.TooLarge, "a batch may hold at most %d heartbeats", MaxBatch).At("body").WithHint("send them in several batches")
	}
	only := ""
	if who.Role == ops.Agent {
		only, _ = strings.CutPrefix(who.Name, "store:")
		if only == who.Name {
			only = ""
		}
	}
	s.mu.Lock()
	at := s.now()
	now := at.UnixMilli()
	var b batch
	for i := range beats {
		reason := check(&beats[i], at, only)
		if reason == "" {
			reason = s.take(&beats[i], now, &b)
		}
		if reason != "" {
			rejected = append(rejected, ops.Rejected{Index: i, Reason: reason})
			s.count.reject(reason)
		}
	}
	s.commit(&b, at, who.Name)
	last := s.last
	s.mu.Unlock()
	accepted = len(beats) - len(rejected)
	s.count.beats.Add(accepted)
	if last != nil && accepted > 0 {
		if _, err := last.Wait(ctx); err != nil {
			return 0, nil, err
		}
	}
	return accepted, rejected, nil
}

// Reasons for which a beat is refused. They are few, and count as a metric's label; none echoes what was sent.
const (
	badStore    = "store must have 1 to 128 bytes of printable text without a slash"
	badDevice   = "device must have 1 to 128 bytes of printable text without a slash"
	badFact     = "kind, model and firmware may each have at most 64 bytes of printable text"
	badStatus   = "status must be ok, degraded or fault"
	badBattery  = "battery must be between 0 and 1"
	badNote     = "note may have at most 256 bytes of text"
	badAt       = "at is more than a year off"
	badSpeaker  = "this token may speak only for its own store"
	notEnrolled = "the device is not known, and enrolment is closed"
	fullDevices = "the fleet is full: heartbeats.max_devices"
	fullStores  = "too many stores: heartbeats.max_stores"
	fullMakes   = "too many different kinds, models and firmwares"
)

// slugs are the reasons as a metric's label says them.
var slugs = map[string]string{
	badStore: "store", badDevice: "device", badFact: "fact", badStatus: "status", badBattery: "battery", badNote: "note",
	badAt: "at", badSpeaker: "speaker", notEnrolled: "not_enrolled", fullDevices: "full", fullStores: "full", fullMakes: "full",
}

// check says what is wrong with a beat by itself, "" when nothing is.
func check(h *ops.Heartbeat, now time.Time, only string) string {
	switch {
	case !validName(h.Store):
		return badStore
	case !validName(h.Device):
		return badDevice
	case only != "" && h.Store != only:
		return badSpeaker
	case !validFact(h.Kind) || !validFact(h.Model) || !validFact(h.Firmware):
		return badFact
	case len(h.Note) > MaxNote || !utf8.ValidString(h.Note):
		return badNote
	case h.Battery != nil && !(*h.Battery >= 0 && *h.Battery <= 1):
		return badBattery
	case !h.At.IsZero() && (h.At.Sub(now) > maxAbsurd || now.Sub(h.At.Time) > maxAbsurd):
		return badAt
	}
	if _, ok := statusOf(h.Status); !ok {
		return badStatus
	}
	return ""
}

func validName(s string) bool {
	return s != "" && len(s) <= MaxName && printable(s) && strings.IndexByte(s, '/') < 0
}

func validFact(s string) bool { return len(s) <= MaxFact && printable(s) }

// printable says whether s is UTF-8 without control characters.
func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			return false
		}
		if s[i] >= utf8.RuneSelf {
			return utf8.ValidString(s)
		}
	}
	return true
}

func statusOf(s string) (status, bool) {
	switch s {
	case "", "ok":
		return 0, true
	case "degraded":
		return 1, true
	case "fault":
		return 2, true
	}
	return 0, false
}

// take applies one checked beat to the table.
func (s *Service) take(h *ops.Heartbeat, now int64, b *batch) (reason string) {
	id, known := s.t.find(h.Store, h.Device)
	if !known {
		if id, reason = s.enrol(h); reason != "" {
			return reason
		}
		b.add(change{id: id, from: ops.NeverSeen, fresh: true})
	}
	r := &s.t.rows[id]
	if at := clamp(h.At, now); at >= r.at {
		if reason := s.say(id, h, b); reason != "" {
			return reason
		}
		r.at = at
	}
	r.seen = now
	if !r.stale {
		r.stale, s.t.stores[r.store].stale = true, true
	}
	s.settle(id, now, b)
	return ""
}

// clamp brings the device's own time within MaxSkew of our clock: one that is ahead counts as now, so that a fast
// clock, once set right, is not refused.
func clamp(at ops.Time, now int64) int64 {
	const skew = int64(MaxSkew / time.Millisecond)
	if at.IsZero() {
		return now
	}
	ms := at.UnixMilli()
	if ms > now+skew {
		return now
	}
	return max(ms, now-skew)
}

// enrol adds an unknown device, if that is allowed.
func (s *Service) enrol(h *ops.Heartbeat) (int32, string) {
	if s.cfg.Enrol == "closed" {
		return 0, notEnrolled
	}
	return s.add(h)
}

// add puts a device into the table, within its bounds.
func (s *Service) add(h *ops.Heartbeat) (int32, string) {
	if len(s.t.rows) >= s.cfg.MaxDevices {
		return 0, fullDevices
	}
	if _, ok := s.t.storeID[h.Store]; !ok && len(s.t.stores) >= s.cfg.MaxStores {
		return 0, fullStores
	}
	m, ok := s.t.makeOf(h.Kind, h.Model, h.Firmware, s.kindInfo)
	if !ok {
		return 0, fullMakes
	}
	st, ok := s.t.storeID[h.Store]
	if !ok {
		st = s.t.addStore(ops.Store{ID: strings.Clone(h.Store)})
	}
	return s.t.add(st, h.Device, m), ""
}

// say takes what a beat says of its device. A fact that it leaves out stays as it was known.
func (s *Service) say(id int32, h *ops.Heartbeat, b *batch) string {
	r := &s.t.rows[id]
	was := s.t.makes[r.make]
	kind, model, firmware := s.t.kinds.all[was.kind], s.t.models.all[was.model], s.t.models.all[was.firmware]
	if differs(h.Kind, kind) || differs(h.Model, model) || differs(h.Firmware, firmware) {
		m, ok := s.t.makeOf(or(h.Kind, kind), or(h.Model, model), or(h.Firmware, firmware), s.kindInfo)
		if !ok {
			return fullMakes
		}
		s.t.remodel(id, m)
		b.add(change{id: id, from: r.state, facts: true})
	}
	if st, _ := statusOf(h.Status); st != r.status {
		r.status = st
		b.add(change{id: id, from: r.state, facts: true})
	}
	r.battery = noBattery
	if h.Battery != nil {
		r.battery = float32(*h.Battery)
	}
	if h.Note != "" {
		s.t.notes[id] = strings.Clone(h.Note)
	} else if len(s.t.notes) > 0 {
		delete(s.t.notes, id)
	}
	return ""
}

func differs(now, was string) bool { return now != "" && now != was }

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

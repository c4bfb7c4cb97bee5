package fleet

import (
	"time"
	"unicode/utf8"

	"goc/ops"
)

// beat is a heartbeat on its way into the table. Its texts may be part of a body: what is kept of them is copied.
type beat struct {
	store, device, kind, model, firmware, note string

	at     int64 // the device's own time, Unix ms; 0 when it does not say
	index  int32 // in its batch
	gauges [readings]int16
	said   uint8 // a bit for each reading that it carries
	status status
	shard  uint8
	wrong  string // why it is refused
}

// Reasons for which a beat is refused. They are few, and count as a metric's label; none echoes what was sent.
const (
	badStore    = "store must have 1 to 128 bytes of printable text without a slash"
	badDevice   = "device must have 1 to 128 bytes of printable text without a slash"
	badFact     = "kind, model and firmware may each have at most 64 bytes of printable text"
	badStatus   = "status must be ok, degraded or fault"
	badBattery  = "battery must be between 0 and 1"
	badDegrees  = "temperature must be between -100 and 300, in °C"
	badPaper    = "paper must be between 0 and 1"
	badQueue    = "queue must be between 0 and 10000"
	badNote     = "note may have at most 256 bytes of text"
	badAt       = "at is more than a year off"
	badSpeaker  = "this token may speak only for its own store or device"
	notEnrolled = "the device is not known, and enrolment is closed"
	fullDevices = "the fleet is full: heartbeats.max_devices"
	fullStores  = "too many stores: heartbeats.max_stores"
	fullMakes   = "too many different kinds, models and firmwares"
)

// slugs are the reasons as a metric's label says them.
var slugs = map[string]string{
	badStore: "store", badDevice: "device", badFact: "fact", badStatus: "status", badBattery: "battery",
	badDegrees: "temperature", badPaper: "paper", badQueue: "queue", badNote: "note",
	badAt: "at", badSpeaker: "speaker", notEnrolled: "not_enrolled", fullDevices: "full", fullStores: "full", fullMakes: "full",
}

// beatOf turns what the outside calls a heartbeat into one.
func beatOf(h *ops.Heartbeat, index int) beat {
	b := beat{
		store: h.Store, device: h.Device, kind: h.Kind, model: h.Model, firmware: h.Firmware, note: h.Note,
		index: int32(index),
	}
	if !h.At.IsZero() {
		b.at = h.At.UnixMilli()
	}
	for g, v := range [readings]*float64{h.Battery, h.Temperature, h.Paper, h.Queue} {
		if v != nil {
			b.gauge(uint8(g), *v)
		}
	}
	b.setStatus(h.Status)
	return b
}

// gauge takes a reading.
func (b *beat) gauge(reading uint8, v float64) {
	g := &gauges[reading%readings]
	if !(v >= g.min && v <= g.max) {
		b.wrong = g.wrong
		return
	}
	b.gauges[reading%readings] = g.kept(v)
	b.said |= 1 << reading
}

func (b *beat) setStatus(s string) {
	st, ok := statusOf(s)
	if !ok {
		b.wrong = badStatus
	}
	b.status = st
}

// heartbeat is b as the outside calls it.
func (b *beat) heartbeat() ops.Heartbeat {
	h := ops.Heartbeat{Store: b.store, Device: b.device, Kind: b.kind, Model: b.model, Firmware: b.firmware, Note: b.note}
	if b.at != 0 {
		h.At = ops.At(time.UnixMilli(b.at).UTC())
	}
	for g, to := range [readings]**float64{&h.Battery, &h.Temperature, &h.Paper, &h.Queue} {
		if b.said&(1<<g) != 0 {
			v := gauges[g].value(b.gauges[g])
			*to = &v
		}
	}
	if b.status != 0 {
		h.Status = b.status.String()
	}
	return h
}

const absurdMs = int64(maxAbsurd / time.Millisecond)

// check says what is wrong with a beat by itself, "" when nothing is. The names of a known device are those in the table
// and need no look; neither do facts that are known.
func (b *beat) check(now int64) string {
	switch {
	case b.wrong != "":
		return b.wrong
	case b.store == "":
		return badStore
	case b.device == "":
		return badDevice
	case b.note != "" && (len(b.note) > MaxNote || !utf8.ValidString(b.note)):
		return badNote
	case b.at != 0 && (b.at-now > absurdMs || now-b.at > absurdMs):
		return badAt
	}
	return ""
}

// checkNames looks at the names of a device that is not known.
func (b *beat) checkNames() string {
	switch {
	case !validName(b.store):
		return badStore
	case !validName(b.device):
		return badDevice
	}
	return b.checkFacts()
}

func (b *beat) checkFacts() string {
	if !validFact(b.kind) || !validFact(b.model) || !validFact(b.firmware) {
		return badFact
	}
	return ""
}

func validName(s string) bool {
	if s == "" || len(s) > MaxName || !printable(s) {
		return false
	}
	for i := range len(s) {
		if s[i] == '/' {
			return false
		}
	}
	return true
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

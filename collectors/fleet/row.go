package fleet

import "goc/ops"

// row is one device: 40 bytes without a pointer, so that a million of them cost the collector nothing. Times are Unix ms.
type row struct {
	seen    int64  // when its last beat came in, 0 never
	since   int64  // when it came into its state
	name    uint32 // into the shard's arena
	cell    uint32 // into the shard's cells: its store and its make
	hung    uint32 // the wheel's tick at which it comes up, 0 when it hangs nowhere
	next    uint32 // the row after it in its slot of the wheel, plus one
	ago     int32  // how long before seen the device's own time was of what it last said, ms; negative when it was ahead
	battery uint16 // in 1/10,000, or noBattery
	state   ops.DeviceState
	flags   uint8
}

const noBattery = ^uint16(0)

// Flags of a row. The two lowest bits are its status.
const (
	statusBits = 3
	touched    = 1 << 2 // in shard.touched
	stale      = 1 << 3 // its last-seen is newer than on disk
	changing   = 1 << 4 // in the batch that is being worked on
	flapping   = 1 << 5 // in shard.flaps
	clocked    = 1 << 6 // in shard.clocks
	gauged     = 1 << 7 // it has tracks
)

// status is what a device says of itself.
type status uint8

var statuses = [...]string{"ok", "degraded", "fault"}

func (s status) String() string { return statuses[s] }

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

func (r *row) status() status { return status(r.flags & statusBits) }

func (r *row) setStatus(s status) { r.flags = r.flags&^statusBits | uint8(s) }

// at is the device's own time of what it last said.
func (r *row) at() int64 { return r.seen - int64(r.ago) }

// setSeen moves the last beat, and keeps the device's own time, or sets it.
func (r *row) setSeen(seen, at int64) {
	r.seen = seen
	r.ago = int32(min(max(seen-at, minAgo), maxAgo))
}

// What ago can say: some 24 days either way. A device whose own time lies further back than that is as good as older.
const maxAgo, minAgo = 1<<31 - 1, -1 << 31

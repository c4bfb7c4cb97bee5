package fleet

import "goc/ops"

// facts is all that decides the state of a device. Times are Unix milliseconds, 0 for never; lengths are milliseconds.
type facts struct {
	seen     int64 // when its last beat came in
	well     bool  // what that beat said of the device
	interval int64 // from one beat to the next
	grace    int64 // from late to offline
	retired  bool
	open     bool  // its store is open
	opened   int64 // it opened after the last beat: until when silence is let be; else 0
	ready    int64 // since when we listen
}

// decide is the one function that sets a state: from the state before, what is known, and now. wake is when the state
// may change without a beat or the store's hours, 0 when it cannot. An illegal transition cannot be expressed: silence
// only ever moves a device down, a beat only up.
func decide(was ops.DeviceState, f facts, now int64) (state ops.DeviceState, wake int64) {
	if f.retired {
		return ops.Retired, 0
	}
	if f.seen == 0 {
		return ops.NeverSeen, 0
	}
	if due := f.seen + f.interval; now <= due {
		if f.well {
			return ops.Online, due + 1
		}
		return ops.Degraded, due + 1
	}
	if !f.open {
		return ops.Closed, 0
	}
	due := f.deadline()
	switch {
	case now <= f.opened+f.interval: // the people of the store have only just come in
		return ops.Closed, due + 1
	case now <= due: // we have only just begun to listen
		return was, due + 1
	case was == ops.Offline:
		return ops.Offline, 0
	case now <= due+f.grace:
		return ops.Late, due + f.grace + 1
	}
	return ops.Offline, 0
}

// deadline is when the next beat is due.
func (f facts) deadline() int64 { return max(f.seen, f.ready, f.opened) + f.interval }

// Package fleet keeps the table of devices: what each beat says, when its next one is due, and what its silence means.
//
// What is on disk, and when:
//   - A new device, a change of state and a change of facts (kind, model, firmware, status) are on disk before Receive
//     returns, in one mutation a batch, with one fleet.changed event. The record is kind "device", id "store/device".
//   - A beat that repeats what is known moves the deadline in memory only. When a device was last seen is written per
//     store (kind "fleet_seen", id the store's) every Config.Checkpoint and when Run ends, so after a crash seen_at may
//     be that much too old; battery, readings and note are written with the device's next record. When a reading goes
//     beyond its limit or comes back, that is a change of facts. Histories of readings are in memory only (track.go).
//   - A state that the deadline loop sets is on disk within one commit of the journal; nobody waits for it, but
//     the watchers of the wall are told only then.
//
// Whose clock counts: a beat counts as life at the time it arrives, so a device whose clock is wrong is not taken for
// dead. What it says (facts, battery, note) is ordered by its own `at`: one that is older than what is known changes
// nothing but the deadline, so a backlog may come in any order. A clock that is off by more than Config.MaxSkew is noticed
// and its times corrected (clock.go); until then, some four beats, one that was set back says nothing new. A time more
// than a year off is refused.
//
// What flaps (flap.go) is one fact: fleet.flapping when it begins, fleet.calm when it ends. In between single changes of
// that device, or store, are shown but neither told nor written at once: after a crash its state is that of the last
// checkpoint. Clocks are told of by fleet.clock_wrong and fleet.clock_right.
//
// What a device's states were (past.go) stands in its record, the last 16, and in a ring of bounded size for all: of a
// fleet that changes all the time the oldest are forgotten.
//
// How it is kept: in shards by store (shard.go), rows of 40 bytes without a pointer (row.go), names in an arena, and a count
// for each make in each store (cell): every roll-up, filter and metric is a sum over those cells.
//
// Our own restart, or a pause of the process, never turns a device late: every device has one interval from then.
package fleet

package fleet

import (
	"context"
	"math/bits"
	"strings"

	"goc/ops"
)

// Receive takes a batch of beats. Those that are good count, the others are listed with their index and why. When it
// returns, every state and fact that the good ones changed is on disk; an error means that none of it may be
// acknowledged. An agent named store:ID may speak only for that store, one named device:STORE/ID only for that device.
func (s *Service) Receive(ctx context.Context, who ops.Principal, beats []ops.Heartbeat) (accepted int, rejected []ops.Rejected, err error) {
	if len(beats) > MaxBatch {
		return 0, nil, ops.Errorf(ops.TooLarge, "a batch may hold at most %d heartbeats", MaxBatch).At("body").WithHint("send them in several batches")
	}
	in := make([]beat, len(beats))
	for i := range beats {
		in[i] = beatOf(&beats[i], i)
	}
	return s.receive(ctx, who, in)
}

// speaker is for whom a principal may speak: for all, for a store, or for one device of it.
type speaker struct {
	store, device string
	known         bool // it has a credential of its own
}

func speakerOf(who ops.Principal) speaker {
	if who.Role != ops.Agent {
		return speaker{known: who.Role == ops.Admin}
	}
	if store, ok := strings.CutPrefix(who.Name, "store:"); ok {
		return speaker{store: store, known: true}
	}
	if id, ok := strings.CutPrefix(who.Name, "device:"); ok {
		store, device, _ := strings.Cut(id, "/")
		return speaker{store: store, device: device, known: true}
	}
	return speaker{}
}

func (p *speaker) may(b *beat) bool {
	return (p.store == "" || p.store == b.store) && (p.device == "" || p.device == b.device)
}

// receive is Receive of beats that have been read already. It changes their shard and wrong.
func (s *Service) receive(ctx context.Context, who ops.Principal, beats []beat) (accepted int, rejected []ops.Rejected, err error) {
	mask := s.sort(beats)
	s.lock(mask)
	at := s.now()
	t := turn{s: s, speaker: speakerOf(who), makes: s.makes.list(), now: at.UnixMilli()}
	for i := range beats {
		t.take(&beats[i])
	}
	s.commit(&t.batch, mask, at, who.Name)
	wait := s.unlock(mask)
	for i := range beats {
		if b := &beats[i]; b.wrong != "" {
			rejected = append(rejected, ops.Rejected{Index: int(b.index), Reason: b.wrong})
			s.count.reject(b.wrong)
		}
	}
	accepted = len(beats) - len(rejected)
	s.count.beats.Add(accepted)
	if accepted > 0 {
		err = wait.done(ctx)
	}
	if err != nil {
		return 0, nil, err
	}
	return accepted, rejected, nil
}

// sort says of each beat which shard it belongs to, and which shards a batch needs.
func (s *Service) sort(beats []beat) (mask uint32) {
	last, shard := "", uint8(0)
	for i := range beats {
		b := &beats[i]
		if b.store != last {
			last, shard = b.store, shardOf(b.store)
		}
		b.shard = shard
		mask |= 1 << shard
	}
	return mask
}

func shardOf(store string) uint8 { return uint8(hashOf(store) % shardCount) }

// lock locks shards in their order, so that no two batches wait for each other.
func (s *Service) lock(mask uint32) {
	for m := mask; m != 0; m &= m - 1 {
		s.shards[bits.TrailingZeros32(m)].mu.Lock()
	}
}

// receipts are of what must be on disk before an answer: the latest mutation of each shard.
type receipts struct {
	all [shardCount]*ops.Receipt
	n   int
}

// unlock unlocks shards, and returns what their state waits for.
func (s *Service) unlock(mask uint32) (wait receipts) {
	for m := mask; m != 0; m &= m - 1 {
		sh := &s.shards[bits.TrailingZeros32(m)]
		if sh.last != nil && (wait.n == 0 || wait.all[wait.n-1] != sh.last) {
			wait.all[wait.n] = sh.last
			wait.n++
		}
		sh.mu.Unlock()
	}
	return wait
}

// settled says without waiting whether all is on disk.
func (w *receipts) settled() (all bool, err error) {
	for _, r := range w.all[:w.n] {
		if done, failed := r.Settled(); !done || failed != nil {
			return done, failed
		}
	}
	return true, nil
}

func (w *receipts) done(ctx context.Context) error {
	for _, r := range w.all[:w.n] {
		if _, err := r.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// turn is the work on one batch under the locks of its shards.
type turn struct {
	s       *Service
	speaker speaker
	now     int64
	makes   []mk
	batch   batch

	sh   *shard // of the beat before, with its site and row: the next device of a batch is mostly the next row
	site uint32
	row  uint32
	good bool
}

// find returns the row of a beat's device, and leaves t at its shard and site.
func (t *turn) find(b *beat) (id uint32, known bool) {
	sh := &t.s.shards[b.shard]
	if !t.good || sh != t.sh || sh.sites[t.site].ID != b.store {
		site, ok := sh.index[b.store]
		t.sh, t.site, t.good, t.row = sh, site, ok, noRow
		if !ok {
			return 0, false
		}
	}
	if next := t.row + 1; next < sh.rows.n {
		if r := sh.rows.at(next); sh.cells.at(r.cell).site == t.site && sh.names.at(r.name) == b.device {
			return next, true
		}
	}
	return sh.find(&sh.sites[t.site], b.device)
}

const noRow = ^uint32(0) - 1

// take applies one beat to the table, or says why not.
func (t *turn) take(b *beat) {
	if b.wrong = b.check(t.now); b.wrong != "" {
		return
	}
	if !t.speaker.may(b) {
		b.wrong = badSpeaker
		return
	}
	id, known := t.find(b)
	if !known {
		if b.wrong = t.enrol(b, &id); b.wrong != "" {
			return
		}
	}
	t.row = id
	sh := t.sh
	r := sh.rows.at(id)
	at := b.at
	if off := at - t.now; at == 0 {
		at = t.now
	} else if off > t.s.skew || off < -t.s.skew || r.flags&clocked != 0 {
		at = t.correct(id, r, at)
	}
	if at >= r.at() {
		if b.wrong = t.say(id, r, b); b.wrong != "" {
			return
		}
		if b.said != 0 || r.flags&gauged != 0 || r.battery != noBattery {
			t.measure(id, r, b)
		}
		r.setSeen(t.now, at)
	} else {
		r.setSeen(t.now, r.at())
	}
	if r.flags&stale == 0 {
		r.flags |= stale
		sh.sites[sh.cells.at(r.cell).site].stale = true
	}
	t.s.settle(sh, id, t.now, &t.batch)
}

// enrol adds an unknown device, if that is allowed.
func (t *turn) enrol(b *beat, id *uint32) string {
	if c := t.s.cfg.Enrol; c == "closed" || c == "token" && !t.speaker.known {
		return notEnrolled
	}
	wrong := t.add(b, id)
	if wrong == "" {
		t.batch.add(t.sh, change{id: *id, from: ops.NeverSeen, fresh: true})
	}
	return wrong
}

// add puts a device into the table, within its bounds.
func (t *turn) add(b *beat, id *uint32) string {
	s, sh := t.s, &t.s.shards[b.shard]
	if wrong := b.checkNames(); wrong != "" {
		return wrong
	}
	site, ok := sh.index[b.store]
	if !ok && s.stores.Load() >= int64(s.cfg.MaxStores) {
		return fullStores
	}
	mk, fits := s.makes.of(b.kind, b.model, b.firmware)
	if !fits {
		return fullMakes
	}
	if s.devices.Add(1) > int64(s.cfg.MaxDevices) {
		s.devices.Add(-1)
		return fullDevices
	}
	if !ok {
		s.addSite(sh, ops.Store{ID: b.store})
		site = sh.index[b.store]
	}
	t.makes = s.makes.list()
	t.sh, t.site, t.good = sh, site, true
	*id = sh.add(site, b.device, mk)
	return ""
}

// say takes what a beat says of its device. A fact that it leaves out stays as it was known.
func (t *turn) say(id uint32, r *row, b *beat) string {
	sh := t.sh
	was := &t.makes[sh.cells.at(r.cell).mk]
	if differs(b.kind, was.kind) || differs(b.model, was.model) || differs(b.firmware, was.firmware) {
		if wrong := b.checkFacts(); wrong != "" {
			return wrong
		}
		mk, ok := t.s.makes.of(or(b.kind, was.kind), or(b.model, was.model), or(b.firmware, was.firmware))
		if !ok {
			return fullMakes
		}
		t.makes = t.s.makes.list()
		sh.remodel(id, mk)
		t.batch.add(sh, change{id: id, from: r.state, facts: true})
	}
	if b.status != r.status() {
		r.setStatus(b.status)
		t.batch.add(sh, change{id: id, from: r.state, facts: true})
	}
	if b.note != "" || len(sh.notes) > 0 {
		sh.note(id, b.note)
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

package web_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"

	"goc/ops"
)

// journal keeps records and events in memory.
type journal struct {
	mu      sync.Mutex
	records map[string]ops.Record
	events  []ops.Event
	heard   map[int]func([]ops.Event)
	next    int
	err     error
}

func newJournal() *journal {
	return &journal{records: map[string]ops.Record{}, heard: map[int]func([]ops.Event){}}
}

func (j *journal) Append(m ops.Mutation) *ops.Receipt {
	r := ops.NewReceipt()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		r.Settle(nil, ops.Errorf(ops.Unavailable, "the journal has stopped"))
		return r
	}
	for _, p := range m.Put {
		j.records[p.Kind+"/"+p.ID] = p
	}
	for _, d := range m.Delete {
		delete(j.records, d.Kind+"/"+d.ID)
	}
	var out []ops.Event
	for _, e := range m.Events {
		e.Seq = int64(len(j.events) + 1)
		sum := sha256.Sum256([]byte(e.Name + strconv.FormatInt(e.Seq, 10)))
		e.Hash = hex.EncodeToString(sum[:])
		j.events = append(j.events, e)
		out = append(out, e)
	}
	if len(out) > 0 {
		for _, fn := range j.heard {
			fn(out)
		}
	}
	r.Settle(out, nil)
	return r
}

func (j *journal) Load(_ context.Context, kind string, each func(ops.Record) error) error {
	j.mu.Lock()
	var all []ops.Record
	for _, r := range j.records {
		if r.Kind == kind {
			all = append(all, r)
		}
	}
	j.mu.Unlock()
	for _, r := range all {
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) Record(_ context.Context, kind, id string) (ops.Record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, ok := j.records[kind+"/"+id]
	if !ok {
		return r, ops.Errorf(ops.NotFound, "no such %s", kind)
	}
	return r, nil
}

func (j *journal) Events(_ context.Context, q ops.EventQuery) ([]ops.Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []ops.Event
	for _, e := range j.events {
		if e.Seq > q.Since && (q.Topic == "" || q.Topic == e.Topic) && (q.Subject == "" || q.Subject == e.Subject) && (q.Limit == 0 || len(out) < q.Limit) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (j *journal) LastSeq() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return int64(len(j.events))
}

func (j *journal) Subscribe(fn func([]ops.Event)) func() {
	j.mu.Lock()
	defer j.mu.Unlock()
	id := j.next
	j.next++
	j.heard[id] = fn
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.heard, id)
	}
}

func (j *journal) Verify(context.Context) (ops.ChainReport, error) {
	return ops.ChainReport{Events: j.LastSeq(), LastSeq: j.LastSeq(), Intact: true}, nil
}

func (j *journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

func (j *journal) stop(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
}

// rooms is every other room, as far as these tests look into it: incidents by id, changes in order, one city of stores.
type rooms struct {
	j         *journal
	mu        sync.Mutex
	incidents map[string]ops.Incident
	changes   []ops.Change
	asked     ops.GateRequest
	decision  string
	slow      chan struct{} // where set, recording a change says so and waits for it
	entered   chan struct{}
	panics    bool
	wall      func(uint32, []uint32)
	watched   chan struct{} // closed once someone watches the wall
	cells     []byte
	layout    uint32
	lists     int // how often the incidents were listed
}

func newRooms(j *journal) *rooms {
	return &rooms{j: j, incidents: map[string]ops.Incident{}, decision: ops.EffectAllow, watched: make(chan struct{}), cells: []byte{1, 1, 4}, layout: 7}
}

func (r *rooms) put(i ops.Incident) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.incidents[i.ID] = i
}

// say appends an event as a room would.
func (r *rooms) say(name, topic, subject string, data any) {
	r.j.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(start), name, topic, subject, "goc", data)}})
}

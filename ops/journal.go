package ops

import (
	"context"
	"encoding/json"
)

// Record is one row of state: the JSON of a noun under its kind and id. Kinds are the nouns' words: incident, change,
// freeze, alert, silence, device, run, drill_run, token, …
type Record struct {
	Kind string
	ID   string
	Body []byte
	Seq  int64 // of the mutation's last event that wrote it; set by the journal
}

// Event is one change of state, as the live feed, the timelines and the audit chain show it.
type Event struct {
	Seq     int64           `json:"seq"` // without gaps, from 1; set by the journal
	At      Time            `json:"at"`
	Name    string          `json:"name"`    // incident.opened, change.started, gate.decided, …
	Topic   string          `json:"topic"`   // incidents, changes, gate, fleet, plans, drills, voice, auth, …
	Subject string          `json:"subject"` // the id of what it is about
	Actor   string          `json:"actor"`
	Data    json.RawMessage `json:"data,omitempty"`
	Hash    string          `json:"hash"` // SHA-256 over the event before and this one; set by the journal
}

// Effect is something to be done to the outside world: recorded before it is tried, marked after.
type Effect struct {
	ID       int64           `json:"id"`   // set by the journal
	Kind     string          `json:"kind"` // who does it: slack, webhook, plan_step, …
	Key      string          `json:"key"`  // what the receiver can deduplicate by; a pending effect of the same kind and key is replaced
	Lane     string          `json:"lane"` // effects of one lane are done in order, one at a time
	Body     json.RawMessage `json:"body"`
	State    string          `json:"state"` // pending, running, done, failed, indeterminate
	Attempts int             `json:"attempts"`
	NotUntil Time            `json:"not_until"`
	Error    string          `json:"error,omitempty"`
	Created  Time            `json:"created"`
}

// Mutation is what a room makes durable in one transaction: rows written and deleted, the events that say so, and the
// effects that follow. All of it, or nothing.
type Mutation struct {
	Put     []Record
	Delete  []Record // Kind and ID
	Events  []Event
	Effects []Effect
}

// Encode returns the record of v under kind and id. v must marshal.
func Encode(kind, id string, v any) Record {
	b, err := json.Marshal(v)
	if err != nil {
		panic("ops: " + kind + " does not marshal: " + err.Error())
	}
	return Record{Kind: kind, ID: id, Body: b}
}

// NewEvent makes an event; data must marshal or be nil.
func NewEvent(at Time, name, topic, subject, actor string, data any) Event {
	e := Event{At: at, Name: name, Topic: topic, Subject: subject, Actor: actor}
	if data != nil {
		b, err := json.Marshal(data)
		if err != nil {
			panic("ops: the data of " + name + " does not marshal: " + err.Error())
		}
		e.Data = b
	}
	return e
}

// Receipt is the promise that a mutation will be on disk.
type Receipt struct {
	done   chan struct{}
	events []Event
	err    error
}

// NewReceipt returns an open receipt; the journal calls Settle on it once.
func NewReceipt() *Receipt { return &Receipt{done: make(chan struct{})} }

// Settle closes the receipt with the numbered events, or the error.
func (r *Receipt) Settle(events []Event, err error) {
	r.events, r.err = events, err
	close(r.done)
}

// Wait blocks until the mutation is on disk and returns its events, numbered. An error of kind Unavailable means that
// it is not known to be on disk and that nothing may be acknowledged; the process stops serving. When ctx ends first
// the mutation may still become durable.
func (r *Receipt) Wait(ctx context.Context) ([]Event, error) {
	select {
	case <-r.done:
		return r.events, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Settled says without waiting whether the mutation is on disk; err is as Wait's.
func (r *Receipt) Settled() (done bool, err error) {
	select {
	case <-r.done:
		return true, r.err
	default:
		return false, nil
	}
}

// EventQuery selects events in order of Seq: those after Since, at most Limit; Topic and Subject narrow when set.
type EventQuery struct {
	Since   int64
	Limit   int
	Topic   string
	Subject string
}

// ChainReport is what `goc audit verify` found.
type ChainReport struct {
	Events  int64  `json:"events"`
	LastSeq int64  `json:"last_seq"`
	Intact  bool   `json:"intact"`
	BadSeq  int64  `json:"bad_seq,omitempty"` // the first event whose hash does not fit
	Problem string `json:"problem,omitempty"`
}

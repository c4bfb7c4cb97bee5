package storage_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"goc/ops"
	"goc/storage"
)

// model is the naive journal: a map and a list, changed one mutation after the other.
type model struct {
	kind    string // of this run's records, and the topic of its events
	records map[string]string
	events  []ops.Event
}

func (m *model) apply(x ops.Mutation) {
	for _, r := range x.Delete {
		delete(m.records, r.ID)
	}
	for _, r := range x.Put {
		m.records[r.ID] = string(r.Body)
	}
	m.events = append(m.events, x.Events...)
}

func (m *model) draw(t *rapid.T) ops.Mutation {
	id := rapid.SampledFrom([]string{"a", "b", "c", "世"})
	x := ops.Mutation{}
	for range rapid.IntRange(0, 3).Draw(t, "puts") {
		x.Put = append(x.Put, ops.Record{Kind: m.kind, ID: id.Draw(t, "id"), Body: rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "body")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "deletes") {
		x.Delete = append(x.Delete, ops.Record{Kind: m.kind, ID: id.Draw(t, "id")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "events") {
		x.Events = append(x.Events, event(m.kind, id.Draw(t, "subject")))
	}
	return x
}

func (m *model) check(t *rapid.T, s *storage.Store) {
	ids := slices.Sorted(maps.Keys(m.records))
	got := load(t, s.Reader, m.kind)
	if len(got) != len(ids) {
		t.Fatalf("%d records, the model has %v", len(got), ids)
	}
	for i, r := range got {
		if r.ID != ids[i] || string(r.Body) != m.records[r.ID] {
			t.Fatalf("record %s is %q, the model has %s as %q", r.ID, r.Body, ids[i], m.records[r.ID])
		}
	}
	found := events(t, s.Reader, ops.EventQuery{Topic: m.kind, Limit: storage.MaxEvents})
	if len(found) != len(m.events) {
		t.Fatalf("%d events, the model has %d", len(found), len(m.events))
	}
	for i, e := range found {
		if e.Subject != m.events[i].Subject || i > 0 && e.Seq <= found[i-1].Seq {
			t.Fatalf("event %d is about %s, in the model about %s", e.Seq, e.Subject, m.events[i].Subject)
		}
	}
	intact(t, s.Reader, s.LastSeq())
}

func TestTheJournalAgreesWithANaiveModel(t *testing.T) {
	onEach(t, func(t *testing.T, o storage.Options) {
		s := open(t, o)
		defer func() { s.Close() }()
		runs := 0
		rapid.Check(t, func(rt *rapid.T) {
			runs++
			m := &model{kind: fmt.Sprint("run ", runs), records: map[string]string{}}
			rt.Repeat(map[string]func(*rapid.T){
				"append in one batch": func(rt *rapid.T) {
					release := s.Hold()
					var receipts []*ops.Receipt
					for range rapid.IntRange(1, 5).Draw(rt, "mutations") {
						x := m.draw(rt)
						m.apply(x)
						receipts = append(receipts, s.Append(x))
					}
					release()
					for _, r := range receipts {
						must(rt, r)
					}
				},
				"check": func(rt *rapid.T) { m.check(rt, s) },
				"restart": func(rt *rapid.T) {
					if !rapid.SampledFrom([]bool{true, false, false, false, false}).Draw(rt, "really") {
						return
					}
					if err := s.Close(); err != nil {
						rt.Fatal(err)
					}
					s = open(t, o)
				},
			})
			m.check(rt, s)
		})
	})
}

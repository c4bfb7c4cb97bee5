package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"goc/ops"
)

const (
	kindAsked  = "hook_asked"
	maxAsked   = 50_000    // ids of questions of one product that are remembered
	sweepAsked = time.Hour // between looks for those that are over
)

// asked is a question to the gate that was taken, as a record under an id that it is known by. It is on disk with the
// effect that it caused, and stays for as long as its sender could put it again.
type asked struct {
	Product string   `json:"product"`
	Body    string   `json:"body"` // hex SHA-256
	Until   ops.Time `json:"until"`
}

// questions remembers those of one product. The memory is bounded: when it is full, those that end soonest go.
type questions struct {
	most int

	mu    sync.Mutex
	known map[string]asked // by record's id
	swept time.Time
}

// repeat is whether a question was put before.
type repeat int

const (
	unheard repeat = iota // it was not
	again                 // in the same words
	altered               // in others
)

// newQuestions remembers at most so many ids.
func newQuestions(most int) *questions { return &questions{most: most, known: map[string]asked{}} }

// askedID is an id of what makes a question: short, and nothing of it can be read.
func askedID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// take remembers a question under its ids, and returns what makes that durable. One that is known is not taken again.
func (q *questions) take(a asked, now time.Time, ids ...string) (m ops.Mutation, before repeat) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range ids {
		switch known, ok := q.known[id]; {
		case !ok || now.After(known.Until.Time):
		case known.Body != a.Body:
			return m, altered
		default:
			before = again
		}
	}
	if before == again {
		return m, again
	}
	m.Delete = q.forget(now, ids)
	for _, id := range ids {
		q.known[id] = a
		m.Put = append(m.Put, ops.Encode(kindAsked, id, a))
	}
	return m, unheard
}

// forget makes room for ids and returns what went: what is over, looked for now and then, and, where that is not enough, a
// twentieth of the whole. The caller holds the lock.
func (q *questions) forget(now time.Time, ids []string) (gone []ops.Record) {
	full := len(q.known)+len(ids) > q.most
	if !full && now.Sub(q.swept) < sweepAsked {
		return nil
	}
	q.swept = now
	drop := func(id string) {
		delete(q.known, id)
		if !slices.Contains(ids, id) { // or the record that is about to be written would go with it
			gone = append(gone, ops.Record{Kind: kindAsked, ID: id})
		}
	}
	for id, a := range q.known {
		if now.After(a.Until.Time) {
			drop(id)
		}
	}
	if over := len(q.known) + len(ids) - q.most; over > 0 {
		soonest := slices.SortedFunc(maps.Keys(q.known), func(a, b string) int { return q.known[a].Until.Compare(q.known[b].Until.Time) })
		for _, id := range soonest[:min(len(soonest), max(over, q.most/20))] {
			drop(id)
		}
	}
	return gone
}

// release forgets a question that the journal refused, so that its sender may try again.
func (q *questions) release(m ops.Mutation) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range m.Put {
		delete(q.known, r.ID)
	}
}

// question records that a product waits to be told, together with what its question is known by. When ctx ends first both
// may still become durable, so the question stays known.
func (s *Service) question(ctx context.Context, key string, c callback, m ops.Mutation) error {
	err := s.await(ctx, key, c, ops.Time{}, m)
	if err != nil && ctx.Err() == nil {
		s.asked[c.Product].release(m)
	}
	return err
}

// recall takes in what was asked before the start.
func (s *Service) recall(ctx context.Context) error {
	s.asked = map[string]*questions{"github": newQuestions(maxAsked), "azure": newQuestions(maxAsked)}
	return s.journal.Load(ctx, kindAsked, func(r ops.Record) error {
		var a asked
		if err := json.Unmarshal(r.Body, &a); err != nil {
			return ops.Errorf(ops.Internal, "intake: a record of kind %s cannot be loaded: %w", kindAsked, err)
		}
		if q := s.asked[a.Product]; q != nil {
			q.known[strings.Clone(r.ID)] = a
		}
		return nil
	})
}

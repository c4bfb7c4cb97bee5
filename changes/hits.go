package changes

import (
	"encoding/json"
	"strings"
	"sync"
	"time"

	"goc/ops"
)

// hits counts how often each freeze and each policy held a change back. Counts are written down once a minute where they
// moved: a crash may lose the last minute's.
type hits struct {
	mu    sync.Mutex
	of    map[string]*tally // by FRZ-3 or policy:NAME
	moved map[string]bool
	kept  time.Time // of the loop alone
}

// tally is one count.
type tally struct {
	Since ops.Time `json:"since"` // when counting began
	Held  int64    `json:"held"`
	Last  ops.Time `json:"last"`
}

const keepHitsEvery = time.Minute

func newHits() *hits { return &hits{of: map[string]*tally{}, moved: map[string]bool{}} }

// count takes in a decision.
func (h *hits) count(d *ops.Decision) {
	for i := range d.Reasons {
		r := &d.Reasons[i]
		key := ""
		switch {
		case r.Rule == ruleFreeze && r.Effect != ops.EffectAllow:
			key = strings.TrimPrefix(r.Evidence, "/freezes/")
		case strings.HasPrefix(r.Rule, rulePolicy):
			key = r.Rule
		default:
			continue
		}
		h.mu.Lock()
		t := h.of[key]
		if t == nil {
			t = &tally{Since: d.At}
			h.of[key] = t
		}
		t.Held++
		t.Last = d.At
		h.moved[key] = true
		h.mu.Unlock()
	}
}

// began notes since when policies are counted that are new.
func (h *hits) began(policies []ops.GatePolicy, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range policies {
		if key := rulePolicy + p.Name; h.of[key] == nil {
			h.of[key] = &tally{Since: ops.At(now)}
			h.moved[key] = true
		}
	}
}

// at is the count of a freeze or a policy.
func (h *hits) at(key string) tally {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.of[key]; t != nil {
		return *t
	}
	return tally{}
}

func (h *hits) load(r ops.Record) error {
	t := new(tally)
	err := json.Unmarshal(r.Body, t)
	h.of[strings.Clone(r.ID)] = t
	return err
}

// keepHits writes down the counts that moved, and drops those of freezes that were lifted; nil when there is nothing to
// write, or it is not time.
func (s *Service) keepHits(now time.Time) *ops.Receipt {
	h := s.hits
	if age := now.Sub(h.kept); age < keepHitsEvery && age >= 0 {
		return nil
	}
	h.kept = now
	s.mu.RLock()
	list, last := s.freezes.list, s.lastFreeze
	s.mu.RUnlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	m := ops.Mutation{Delete: h.drop(list, last)}
	for key := range h.moved {
		m.Put = append(m.Put, ops.Encode(kindHits, key, h.of[key]))
	}
	clear(h.moved)
	if len(m.Put)+len(m.Delete) == 0 {
		return nil
	}
	return s.journal.Append(m)
}

// drop forgets the counts of freezes up to a number that are not listed, and returns their records. The caller holds h.mu.
func (h *hits) drop(list []*Freeze, last int) (gone []ops.Record) {
	live := make(map[string]bool, len(list))
	for _, f := range list {
		live[f.ID] = true
	}
	for key := range h.of {
		if n := number("FRZ", key); n > 0 && n <= last && !live[key] {
			delete(h.of, key)
			delete(h.moved, key)
			gone = append(gone, ops.Record{Kind: kindHits, ID: key})
		}
	}
	return gone
}

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
	kept  time.Time
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

// keepHits writes down the counts that moved; nil when there is nothing to write, or it is not time.
func (s *Service) keepHits(now time.Time) *ops.Receipt {
	h := s.hits
	h.mu.Lock()
	defer h.mu.Unlock()
	if age := now.Sub(h.kept); len(h.moved) == 0 || (age < keepHitsEvery && age >= 0) {
		return nil
	}
	h.kept = now
	var m ops.Mutation
	for key := range h.moved {
		m.Put = append(m.Put, ops.Encode(kindHits, key, h.of[key]))
	}
	clear(h.moved)
	return s.journal.Append(m)
}

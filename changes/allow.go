package changes

import (
	"strconv"
	"time"

	"goc/ops"
)

// allowance is the gate's leave for one change, or one stage of it, for a while.
type allowance struct {
	DecisionID string   `json:"decision_id"`
	At         ops.Time `json:"at"`
	Until      ops.Time `json:"until"`
}

// allowances are kept by what they are for: a change's id and stage, or what is known of a change that was not yet on record.
type allowances map[string]allowance

const (
	maxAllowances = 100_000
	clockSkew     = 5 * time.Second // by which a caller's clock may differ from ours
	keepAllowance = time.Hour       // after its end, for events that are recorded late
)

// allowKey is what a leave is kept under.
func allowKey(c *ops.Change, stage int) string {
	if c.ID != "" {
		return c.ID + "/" + strconv.Itoa(stage)
	}
	return "key:" + ops.Fingerprint(map[string]string{
		"kind": string(c.Kind), "service": c.Service, "version": c.Version,
		"environment": orDefault(c.Environment, Production), "title": c.Title, "stage": strconv.Itoa(stage),
	})
}

// remember keeps an allow and returns the record that makes it durable; false when there are too many.
func (s *Service) remember(key string, d *ops.Decision) (ops.Record, bool) {
	a := allowance{DecisionID: d.DecisionID, At: d.At, Until: d.ValidUntil}
	s.allowMu.Lock()
	defer s.allowMu.Unlock()
	if _, known := s.allows[key]; !known && len(s.allows) >= maxAllowances {
		return ops.Record{}, false
	}
	s.allows[key] = a
	return ops.Encode(kindDecision, key, a), true
}

// leave says whether the gate allowed the change, or its stage, at that time. Leave for the change as a whole is leave
// for its first stage, and the other way round.
func (s *Service) leave(c *ops.Change, stage int, at time.Time) bool {
	inline := *c
	inline.ID = ""
	s.allowMu.Lock()
	defer s.allowMu.Unlock()
	stages := []int{stage}
	if stage <= 1 {
		stages = []int{0, 1}
	}
	for _, n := range stages {
		for _, who := range []*ops.Change{c, &inline} {
			a, ok := s.allows[allowKey(who, n)]
			if ok && !at.Before(a.At.Add(-clockSkew)) && !at.After(a.Until.Add(clockSkew)) {
				return true
			}
		}
	}
	return false
}

// forget drops the leaves that are long over and returns their records to delete.
func (s *Service) forget(now time.Time) []ops.Record {
	s.allowMu.Lock()
	defer s.allowMu.Unlock()
	var gone []ops.Record
	for key, a := range s.allows {
		if now.After(a.Until.Add(keepAllowance)) {
			delete(s.allows, key)
			gone = append(gone, ops.Record{Kind: kindDecision, ID: key})
		}
	}
	return gone
}

// glassBroken says whether an override opens the gate for a change at that time. The caller holds the lock.
func (s *Service) glassBroken(change string, at time.Time) bool {
	o, ok := s.overrides[change]
	return ok && !at.Before(o.CreatedAt.Add(-clockSkew)) && at.Before(o.ExpiresAt.Time)
}

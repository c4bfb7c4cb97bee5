package changes

import (
	"strconv"
	"strings"
	"time"

	"goc/ops"
)

// allowance is the gate's leave for one change, or one stage of it, for a while.
type allowance struct {
	DecisionID string   `json:"decision_id"`
	At         ops.Time `json:"at"`
	Until      ops.Time `json:"until"`
	Release    string   `json:"release,omitempty"` // the releaseKey of what it is for
	Refused    string   `json:"refused,omitempty"` // it is no leave: what the gate said instead
}

// allowances are kept by what they are for: a change's id and stage, or what is known of a change that was not yet on record.
type allowances map[string]allowance

const (
	maxAllowances = 200_000         // two may be kept for one decision: by its change, and by service and version
	clockSkew     = 5 * time.Second // by which a caller's clock may differ from ours
	keepAllowance = 73 * time.Hour  // after its end, for events that are recorded late: back-fills go back three days
	keepCrowded   = time.Hour       // the same, while there are many
	maxRefused    = 300             // bytes that are kept of why
	refusedPrefix = "no:"           // of the keys of refusals
	awayPrefix    = "away:"         // of the keys of questions that the gate did not answer and that went on
	releasePrefix = "release:"      // of the keys that are kept in memory alone
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

// releaseKey is what the same release is known by, whoever tells of it: service, version, environment and stage. "" when
// it says too little to be told from others.
func releaseKey(c *ops.Change, version string, stage int) string {
	if c.Service == "" || version == "" {
		return ""
	}
	return releasePrefix + ops.Fingerprint(map[string]string{
		"service": c.Service, "version": version, "environment": orDefault(c.Environment, Production), "stage": strconv.Itoa(stage),
	})
}

// remember keeps a decision and returns the record that makes it durable; false when there are too many.
func (s *Service) remember(c *ops.Change, stage int, d *ops.Decision, why string) (ops.Record, bool) {
	key := allowKey(c, stage)
	a := allowance{DecisionID: d.DecisionID, At: d.At, Until: d.ValidUntil, Release: releaseKey(c, c.Version, stage)}
	if d.Decision != ops.EffectAllow {
		key, a.Until = refusedPrefix+key, d.At
		a.Refused = "the gate said no (" + d.DecisionID + "): " + strings.ToValidUTF8(why[:min(len(why), maxRefused)], "")
	}
	s.allowMu.Lock()
	defer s.allowMu.Unlock()
	if _, known := s.allows[key]; !known && len(s.allows) >= maxAllowances {
		return ops.Record{}, false
	}
	s.allows.keep(key, a)
	return ops.Encode(kindDecision, key, a), true
}

// keep puts a decision under its key and, unless a later one stands there, under that of its release.
func (l allowances) keep(key string, a allowance) {
	l[key] = a
	if a.Release == "" {
		return
	}
	prefix, _ := cutPrefix(key)
	release := prefix + a.Release
	if old, ok := l[release]; !ok || !a.At.Before(old.At.Time) {
		l[release] = a
	}
}

// cutPrefix takes apart a key and what says that it is of no leave.
func cutPrefix(key string) (prefix, rest string) {
	for _, prefix := range []string{refusedPrefix, awayPrefix} {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			return prefix, rest
		}
	}
	return "", key
}

// keysOf are the keys under which a decision about a change, or its stage, may be kept. Leave for the change as a whole is
// leave for its first stage, and the other way round. Of a change that others tell of it is enough that service, version
// and stage are those that were asked about: they give it other names, and may call the version by its commit.
func keysOf(c *ops.Change, stage int) []string {
	inline := *c
	inline.ID = ""
	stages := []int{stage}
	if stage <= 1 {
		stages = []int{0, 1}
	}
	var keys []string
	for _, n := range stages {
		keys = append(keys, allowKey(c, n), allowKey(&inline, n))
		for _, version := range []string{c.Version, c.Labels["sha"]} {
			if key := releaseKey(c, version, n); key != "" && told(c) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// told says whether a change is on record because another system told of it.
func told(c *ops.Change) bool { return c.Source != "api" && c.Source != "demo" && c.Source != "cli" }

// nobodyAsked is why a change is unapproved of which the gate knows nothing.
const nobodyAsked = "nobody asked the gate"

// leave says whether the gate allowed the change, or its stage, at that time; if not, it says why.
func (s *Service) leave(c *ops.Change, stage int, at time.Time) (because string, ok bool) {
	s.allowMu.Lock()
	defer s.allowMu.Unlock()
	because, last := nobodyAsked, time.Time{}
	for _, key := range keysOf(c, stage) {
		a, ok := s.allows[key]
		if ok && a.covers(at) {
			return "", true
		}
		if ok && !at.Before(a.At.Add(-clockSkew)) && a.At.After(last) {
			because, last = "the gate's leave "+a.DecisionID+" was over at "+a.Until.String(), a.At.Time
		}
		if a, ok := s.allows[refusedPrefix+key]; ok && !at.Before(a.At.Add(-clockSkew)) && a.At.After(last) {
			because, last = a.Refused, a.At.Time
		}
		if a, ok := s.allows[awayPrefix+key]; ok && a.covers(at) && a.At.After(last) {
			because, last = a.Refused, a.At.Time
		}
	}
	return because, false
}

// covers says whether something that began then did so while the leave, or the want of an answer, lasted.
func (a allowance) covers(at time.Time) bool {
	return !at.Before(a.At.Add(-clockSkew)) && !at.After(a.Until.Add(clockSkew))
}

// forget drops the leaves that are long over and returns their records to delete.
func (s *Service) forget(now time.Time) []ops.Record {
	s.allowMu.Lock()
	defer s.allowMu.Unlock()
	keep := keepAllowance
	if len(s.allows) > maxAllowances/2 {
		keep = keepCrowded
	}
	var gone []ops.Record
	for key, a := range s.allows {
		if !now.After(a.Until.Add(keep)) {
			continue
		}
		delete(s.allows, key)
		if _, rest := cutPrefix(key); !strings.HasPrefix(rest, releasePrefix) {
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

package changes

import (
	"context"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

const (
	keepTelling = 30 * 24 * time.Hour // how late an absence may be told
	awayReach   = 24 * time.Hour      // how long after an absence something that begins may be what went on without an answer
)

// Absent takes in that a caller had no answer from the gate, and what it did instead, for the audit. What went on so and
// is on record as a change that nobody asked about says from then on that this is why; one that is recorded later will.
func (s *Service) Absent(ctx context.Context, who ops.Principal, a ops.GateAbsence) (ops.GateAbsence, error) {
	now := s.now()
	if err := validateAbsence(&a, now); err != nil {
		return ops.GateAbsence{}, err
	}
	a.By, a.ToldAt = who.Name, ops.At(now)
	s.mu.Lock()
	receipt := s.takeAbsence(&a)
	s.mu.Unlock()
	_, err := receipt.Wait(ctx)
	return a, err
}

// takeAbsence records an absence with the change that it explains, if there is one, of which it then bears the id. The
// caller holds the lock.
func (s *Service) takeAbsence(a *ops.GateAbsence) *ops.Receipt {
	var more []ops.Record
	e, because := (*entry)(nil), ""
	if a.Decision == ops.EffectAllow && !a.Rollback {
		c := ops.Change{ID: a.ChangeID, Kind: a.Kind, Title: a.Title, Service: a.Service, Version: a.Version, Environment: a.Environment}
		key, want := allowKey(&c, a.Stage), explainAbsence(a)
		if r, ok := s.rememberAway(key, allowance{At: a.At, Until: ops.At(a.At.Add(awayReach)), Release: releaseKey(&c, a.Version, a.Stage), Refused: want}); ok {
			more = append(more, r)
		}
		e, because = s.unexplained(&c, a), want
	}
	if e == nil {
		return s.journal.Append(ops.Mutation{Put: more, Events: []ops.Event{absenceEvent(a)}})
	}
	a.ChangeID = e.ID
	e = e.moved(e.Change)
	e.UnapprovedBecause = because
	return s.commit(e, absenceEvent(a), more...)
}

// rememberAway keeps an absence for the change that it may explain later; false when there are too many.
func (s *Service) rememberAway(key string, a allowance) (ops.Record, bool) {
	s.allowMu.Lock()
	defer s.allowMu.Unlock()
	if len(s.allows) >= maxAllowances {
		return ops.Record{}, false
	}
	s.allows.keep(awayPrefix+key, a)
	return ops.Encode(kindDecision, awayPrefix+key, a), true
}

// unexplained is the change on record that an absence explains: the first that began within its reach, is known by the same
// id or the same service, version and stage, and of which it is said that nobody asked. The caller holds the lock.
func (s *Service) unexplained(c *ops.Change, a *ops.GateAbsence) (found *entry) {
	reach := allowance{At: a.At, Until: ops.At(a.At.Add(awayReach))}
	keys := []string{allowKey(c, a.Stage), releaseKey(c, a.Version, a.Stage)}
	first := ops.Time{}
	for e := range s.index.newestFirst(ops.ChangeQuery{Service: a.Service, Unapproved: true}, 0) {
		began := e.began(a.Stage)
		if e.UnapprovedBecause != nobodyAsked || !reach.covers(began.Time) || found != nil && !began.Before(first.Time) {
			continue
		}
		known := keysOf(&e.Change, a.Stage)
		if slices.ContainsFunc(keys, func(k string) bool { return slices.Contains(known, k) }) {
			found, first = e, began
		}
	}
	return found
}

// began is when a stage did, zero when it has not; the first does with the change as a whole.
func (e *entry) began(stage int) (at ops.Time) {
	switch {
	case stage <= 1:
		return e.StartedAt
	case stage <= len(e.Stages):
		return e.Stages[stage-1].StartedAt
	}
	return at
}

func absenceEvent(a *ops.GateAbsence) ops.Event {
	return ops.NewEvent(a.ToldAt, "gate.unavailable", "gate", orDefault(a.ChangeID, "gate"), a.By, map[string]any{"text": tellAbsence(a), "absence": a})
}

// explainAbsence says why a change is unapproved that went on without an answer.
func explainAbsence(a *ops.GateAbsence) string {
	why := strings.ToValidUTF8(a.Why[:min(len(a.Why), maxRefused)], "")
	return "the gate did not answer at " + a.At.String() + ", as " + a.By + " told, and it went on without: " + why
}

func validateAbsence(a *ops.GateAbsence, now time.Time) error {
	switch {
	case a.At.IsZero() || a.At.After(now.Add(tokenSkew)) || now.Sub(a.At.Time) > keepTelling:
		return ops.Errorf(ops.Invalid, "must lie within the last %s", ops.Duration(keepTelling)).At(placeOfBody + ".at")
	case !slices.Contains([]string{ops.EffectAllow, ops.EffectDeny, ops.EffectWait}, a.Decision):
		return ops.Errorf(ops.Invalid, "must be allow, deny or wait").At(placeOfBody + ".decision")
	case strings.TrimSpace(a.Why) == "":
		return ops.Errorf(ops.Invalid, "say by which setting").At(placeOfBody + ".why")
	case a.Stage < 0 || a.Stage > MaxStages:
		return ops.Errorf(ops.Invalid, "a stage counts from 1 to %d", MaxStages).At(placeOfBody + ".stage")
	}
	for _, f := range []struct {
		name, text string
		most       int
	}{
		{"why", a.Why, MaxText},
		{"cause", a.Cause, MaxText},
		{"title", a.Title, MaxText},
		{"job", a.Job, MaxText},
		{"decision_id", a.DecisionID, ops.MaxNameLength},
		{"change_id", a.ChangeID, ops.MaxNameLength},
		{"kind", string(a.Kind), ops.MaxNameLength},
		{"service", a.Service, ops.MaxNameLength},
		{"version", a.Version, ops.MaxNameLength},
		{"environment", a.Environment, ops.MaxNameLength},
	} {
		if len(f.text) > f.most {
			return ops.Errorf(ops.Invalid, "must have at most %d bytes", f.most).At(placeOfBody + "." + f.name)
		}
	}
	return nil
}

// tellAbsence says it as people do.
func tellAbsence(a *ops.GateAbsence) string {
	verb := map[string]string{ops.EffectAllow: "allowed", ops.EffectDeny: "denied", ops.EffectWait: "told to wait"}[a.Decision]
	what := orDefault(a.ChangeID, orDefault(strings.TrimSpace(a.Service+" "+a.Version), orDefault(a.Title, "a change")))
	if a.Rollback {
		what = "the rollback of " + what
	}
	return "the gate did not answer at " + a.At.String() + "; " + what + " was " + verb + " without it: " + a.Why
}

package changes

import (
	"context"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// keepTelling is how late an absence may be told.
const keepTelling = 30 * 24 * time.Hour

// Absent takes in that a caller had no answer from the gate, and what it did instead, for the audit.
func (s *Service) Absent(ctx context.Context, who ops.Principal, a ops.GateAbsence) (ops.GateAbsence, error) {
	now := s.now()
	if err := validateAbsence(&a, now); err != nil {
		return ops.GateAbsence{}, err
	}
	a.By, a.ToldAt = who.Name, ops.At(now)
	_, err := s.journal.Append(ops.Mutation{Events: []ops.Event{
		ops.NewEvent(a.ToldAt, "gate.unavailable", "gate", orDefault(a.ChangeID, "gate"), who.Name, map[string]any{"text": tellAbsence(&a), "absence": a}),
	}}).Wait(ctx)
	return a, err
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

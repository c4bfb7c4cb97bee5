package changes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// OverrideRule is what follows a broken glass.
type OverrideRule struct {
	// Reviewer is who looks at each afterwards. Absent: anybody but the person who broke the glass.
	Reviewer string `yaml:"reviewer"`
	// Within is when that is due. Absent: 72h.
	Within ops.Duration `yaml:"within"`
}

// chaseEvery is how often an overdue follow-up is called so.
const chaseEvery = 24 * time.Hour

func (r OverrideRule) followUp(now time.Time) *ops.FollowUp {
	return &ops.FollowUp{Reviewer: r.Reviewer, Due: ops.At(now.Add(orDefault(time.Duration(r.Within), 72*time.Hour)))}
}

func (r OverrideRule) validate() error {
	switch {
	case len(r.Reviewer) > ops.MaxNameLength:
		return bad("override.reviewer", "must have at most %d bytes", ops.MaxNameLength)
	case r.Within < 0 || time.Duration(r.Within) > 90*24*time.Hour:
		return bad("override.within", "must be at most 90 days")
	}
	return nil
}

// AnnounceEffect is the kind of the effects that tell an incident's war room of an override in its scope.
const AnnounceEffect = "gate_announce"

// Announcement is the body of such an effect.
type Announcement struct {
	Incident string `json:"incident"`
	Text     string `json:"text"`
}

// breakGlass makes an override durable with all that follows from it: the change's record shows it for ever, and the war
// rooms of open incidents in its scope are told. The caller holds the lock.
func (s *Service) breakGlass(e *entry, o ops.Override, who ops.Principal, incidents []ops.Incident) *ops.Receipt {
	text := o.Person + " broke the glass for " + describe(&e.Change) + " until " + o.ExpiresAt.String() + ": " + o.Reason
	e = e.moved(e.Change)
	e.Overrides = append(slices.Clone(e.Overrides), o)
	m := ops.Mutation{
		Put:    []ops.Record{ops.Encode(kindOverride, o.ID, o)},
		Events: []ops.Event{ops.NewEvent(o.CreatedAt, "gate.overridden", "gate", o.ChangeID, who.Name, map[string]any{"text": text, "override": o})},
	}
	scope := known(s.catalog, wholeScope(&e.Change))
	for i := range incidents {
		inc := &incidents[i]
		if inc.State.Active() && inc.Merged == "" && s.catalog.Expand(inc.Scope).Overlaps(scope) {
			body := ops.Encode(AnnounceEffect, o.ID, Announcement{Incident: inc.ID, Text: text}).Body
			m.Effects = append(m.Effects, ops.Effect{Kind: AnnounceEffect, Key: o.ID + "/" + inc.ID, Lane: "announce/" + inc.ID, Body: body})
		}
	}
	return s.put(e, m)
}

// put appends a mutation that goes with a change's entry. The caller holds the lock.
func (s *Service) put(e *entry, m ops.Mutation) *ops.Receipt {
	s.index.put(e)
	m.Put = append(m.Put, ops.Encode(kindChange, e.ID, e))
	receipt := s.journal.Append(m)
	s.feed.push(receipt, e.Change)
	return receipt
}

// Overrides lists each broken glass, the newest first; open are those whose follow-up nobody closed.
func (s *Service) Overrides(_ context.Context, open bool) ([]ops.Override, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := []ops.Override{}
	for _, o := range s.broken {
		if !open || (o.FollowUp != nil && o.FollowUp.ClosedAt.IsZero()) {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b ops.Override) int { return cmp.Compare(number("OVR", b.ID), number("OVR", a.ID)) })
	return out, nil
}

// ReviewOverride closes an override's follow-up with a note. It is not for the person who broke the glass.
func (s *Service) ReviewOverride(ctx context.Context, who ops.Principal, override string, r ops.OverrideReview) (ops.Override, error) {
	if err := s.allowed(who, ops.Commander); err != nil {
		return ops.Override{}, err
	}
	if r.Note = strings.TrimSpace(r.Note); len(r.Note) < 3 || len(r.Note) > MaxText {
		return ops.Override{}, ops.Errorf(ops.Invalid, "say what was found, in 3 to %d bytes", MaxText).At(placeOfBody + ".note")
	}
	s.mu.Lock()
	o, err := s.openFollowUp(who, override)
	if err != nil {
		s.mu.Unlock()
		return ops.Override{}, err
	}
	f := *o.FollowUp
	f.ClosedAt, f.ClosedBy, f.Note = ops.At(s.now()), who.Name, r.Note
	o.FollowUp = &f
	receipt := s.tellOverride(o, f.ClosedAt, "gate.override_reviewed", who.Name, fmt.Sprintf("%s looked at the override %s of %s: %s", who.Name, o.ID, o.ChangeID, r.Note))
	s.mu.Unlock()
	_, err = receipt.Wait(ctx)
	return o, err
}

// openFollowUp finds an override that somebody may look at. The caller holds the lock.
func (s *Service) openFollowUp(who ops.Principal, override string) (ops.Override, error) {
	o, there := s.broken[override]
	switch {
	case !there || o.FollowUp == nil:
		return o, ops.Errorf(ops.NotFound, "no override of that id has a follow-up")
	case !o.FollowUp.ClosedAt.IsZero():
		return o, ops.Errorf(ops.Conflict, "%s closed it at %s", o.FollowUp.ClosedBy, o.FollowUp.ClosedAt).WithHint("nothing is left to do for it")
	case samePerson(who.Name, o.Person):
		return o, ops.Errorf(ops.Denied, "nobody reviews their own override").WithHint("ask someone else")
	}
	return o, nil
}

// tellOverride makes durable what became of an override, in the change's record as well. The caller holds the lock.
func (s *Service) tellOverride(o ops.Override, at ops.Time, name, actor, text string) *ops.Receipt {
	s.broken[o.ID] = o
	if s.overrides[o.ChangeID].ID == o.ID {
		s.overrides[o.ChangeID] = o
	}
	m := ops.Mutation{
		Put:    []ops.Record{ops.Encode(kindOverride, o.ID, o)},
		Events: []ops.Event{ops.NewEvent(at, name, "gate", o.ChangeID, actor, map[string]any{"text": text, "override": o})},
	}
	e, err := s.find(o.ChangeID)
	if err != nil {
		return s.journal.Append(m)
	}
	e = e.moved(e.Change)
	e.Overrides = slices.Clone(e.Overrides)
	for i := range e.Overrides {
		if e.Overrides[i].ID == o.ID {
			e.Overrides[i] = o
		}
	}
	return s.put(e, m)
}

// chaseOverrides calls each overdue follow-up overdue, once a day until it is closed.
func (s *Service) chaseOverrides(now time.Time) (receipts []*ops.Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.broken {
		f := o.FollowUp
		if f == nil || !f.ClosedAt.IsZero() || now.Before(f.Due.Time) || (!f.ChasedAt.IsZero() && now.Sub(f.ChasedAt.Time) < chaseEvery) {
			continue
		}
		chased := *f
		chased.ChasedAt = ops.At(now)
		o.FollowUp = &chased
		receipts = append(receipts, s.tellOverride(o, ops.At(now), "gate.override_due", ops.System.Name,
			fmt.Sprintf("the override %s of %s by %s is not followed up: %s was to look at it by %s", o.ID, o.ChangeID, o.Person, orDefault(f.Reviewer, "somebody else"), f.Due)))
	}
	return receipts
}

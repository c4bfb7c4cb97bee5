package changes

import (
	"context"
	"slices"

	"goc/ops"
)

// Approve takes one person's yes to a change as it is now. Nobody approves their own change; the same person's second
// yes to the same is the first.
func (s *Service) Approve(ctx context.Context, who ops.Principal, a ops.Approval) (ops.Approval, error) {
	if err := s.allowed(who, ops.Commander); err != nil {
		return ops.Approval{}, err
	}
	a.Person, a.Role, a.At = orDefault(a.Person, who.Name), "", ops.At(s.now())
	if samePerson(a.Person, who.Name) {
		a.Role = who.Role
	}
	if len(a.Note) > MaxText || len(a.Person) > ops.MaxNameLength {
		return ops.Approval{}, ops.Errorf(ops.Invalid, "a note may have %d bytes, a person's name %d", MaxText, ops.MaxNameLength).At(placeOfBody + ".note")
	}
	s.mu.Lock()
	receipt, a, err := s.approve(who, a)
	s.mu.Unlock()
	if err != nil || receipt == nil {
		return a, err
	}
	_, err = receipt.Wait(ctx)
	return a, err
}

// approve decides on an approval; no receipt means that it stands already. The caller holds the lock.
func (s *Service) approve(who ops.Principal, a ops.Approval) (*ops.Receipt, ops.Approval, error) {
	e, err := s.openChange(a.ChangeID)
	if err != nil {
		return nil, a, err
	}
	if err := mayApprove(who, a, e); err != nil {
		return nil, a, err
	}
	if err := bind(&a, &e.Change); err != nil {
		return nil, a, err
	}
	list := s.approvals[a.ChangeID]
	i := slices.IndexFunc(list, func(b ops.Approval) bool { return samePerson(b.Person, a.Person) })
	switch {
	case i >= 0 && list[i].Version == a.Version && covers(list[i].Stages, a.Stages):
		return nil, list[i], nil
	case i >= 0:
		a.Person = list[i].Person // one person is one record, however the name is written
		if list[i].Version == a.Version {
			a.Stages = joined(list[i].Stages, a.Stages)
		}
		list = slices.Clone(list)
		list[i] = a
	case len(list) >= maxApprovals:
		return nil, a, ops.Errorf(ops.Conflict, "%s has %d approvals, which is the most there may be", a.ChangeID, maxApprovals)
	default:
		list = append(list[:len(list):len(list)], a)
	}
	s.approvals[a.ChangeID] = list
	return s.journal.Append(ops.Mutation{
		Put: []ops.Record{ops.Encode(kindApproval, a.ChangeID+"/"+a.Person, a)},
		Events: []ops.Event{ops.NewEvent(a.At, "gate.approved", "gate", a.ChangeID, who.Name, map[string]any{
			"text": a.Person + " approved " + describe(&e.Change), "approval": a,
		})},
	}), a, nil
}

// mayApprove refuses those who approve for another, or what is their own: neither by another's name nor by capitals.
func mayApprove(who ops.Principal, a ops.Approval, e *entry) error {
	if !samePerson(a.Person, who.Name) && who.Role != ops.Admin {
		return ops.Errorf(ops.Denied, "nobody approves in another's name").At(placeOfBody + ".person")
	}
	for _, own := range []string{e.Author, e.Recorder} {
		if samePerson(a.Person, own) || samePerson(who.Name, own) {
			return ops.Errorf(ops.Denied, "nobody approves their own change").At(placeOfBody + ".person").WithHint("ask someone else")
		}
	}
	return nil
}

// bind ties an approval to the change as it is: its version, and the stages that were meant, or that it has.
func bind(a *ops.Approval, c *ops.Change) error {
	if a.Version != "" && a.Version != c.Version {
		return ops.Errorf(ops.Conflict, "%s goes out in another version than was approved", c.ID).At(placeOfBody + ".version").WithHint("look at it again, and approve the version that goes out")
	}
	a.Version = c.Version
	for _, n := range a.Stages {
		if n < 1 || n > max(len(c.Stages), 1) {
			return ops.Errorf(ops.Invalid, "%s has no such stage; they count from 1", c.ID).At(placeOfBody + ".stages")
		}
	}
	if len(a.Stages) == 0 {
		for i := range c.Stages {
			a.Stages = append(a.Stages, i+1)
		}
	}
	a.Stages = joined(a.Stages, nil)
	return nil
}

// covers says whether an approval of some stages is one of others as well. None is all.
func covers(have, want []int) bool {
	return len(have) == 0 || (len(want) > 0 && !slices.ContainsFunc(want, func(n int) bool { return !slices.Contains(have, n) }))
}

// joined is both lists of stages, each once and in order.
func joined(a, b []int) []int {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

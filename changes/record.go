package changes

import (
	"context"
	"maps"
	"time"

	"goc/ops"
)

// Record puts a change on record. The same source and label external_id twice is the same change, returned as it stands.
func (s *Service) Record(ctx context.Context, who ops.Principal, c ops.Change) (ops.Change, error) {
	now := s.now()
	if err := validate(c, placeOfBody); err != nil {
		return ops.Change{}, err
	}
	e, err := s.fresh(who, c, now)
	if err != nil {
		return ops.Change{}, err
	}
	s.mu.Lock()
	if n := s.index.external[externalKey(&e.Change)]; n > 0 {
		known := s.index.get(n).Change
		s.mu.Unlock()
		return known, nil
	}
	if len(s.index.all) >= s.config.maxChanges() {
		s.mu.Unlock()
		return ops.Change{}, ops.Errorf(ops.TooLarge, "%d changes are on record, which is the most there may be", s.config.maxChanges()).WithHint("raise gate.max_changes")
	}
	if e.Stages, err = rings(&e.Change, s.index.flight.places, placeOfBody); err != nil {
		s.mu.Unlock()
		return ops.Change{}, err
	}
	e.ID = id("CHG", len(s.index.all)+1)
	if e.CreatedAt = ops.At(now); e.CreatedAt.Before(s.index.last.Time) {
		e.CreatedAt = s.index.last // the clock went back; numbers and times of recording keep the same order
	}
	e.UpdatedAt = e.CreatedAt
	s.flagUnknown(e)
	s.judgeStart(e, 0, e.StartedAt)
	receipt := s.commit(e, event(e, ops.At(now), "change.recorded", who.Name, describe(&e.Change)+" recorded"+without(e, false), nil))
	s.startBake(e, 0)
	s.mu.Unlock()
	_, err = receipt.Wait(ctx)
	return e.Change, err
}

// fresh makes the entry of a change that is not yet on record.
func (s *Service) fresh(who ops.Principal, c ops.Change, now time.Time) (*entry, error) {
	e := &entry{Change: normalise(c), Recorder: who.Name}
	e.Source = orDefault(e.Source, "api")
	e.Author = orDefault(e.Author, who.Name)
	if c.Status == "" || c.Status == ops.ChangePlanned {
		return e, nil
	}
	return e, s.already(e, c, who, now)
}

// already takes over where a change stands that began, or ended, before it was recorded.
func (s *Service) already(e *entry, c ops.Change, who ops.Principal, now time.Time) error {
	switch c.Status {
	case ops.ChangeStarted, ops.ChangePaused, ops.ChangeFinished, ops.ChangeRolledBack, ops.ChangeAborted:
	default:
		return ops.Errorf(ops.Invalid, "no such status").At(placeOfBody + ".status").WithHint("planned, started, paused, finished, rolled_back or aborted")
	}
	e.Status = c.Status
	e.StartedAt, e.FinishedAt = c.StartedAt, ops.Time{}
	if e.StartedAt.IsZero() {
		e.StartedAt = ops.At(now)
	}
	if !c.Status.Open() {
		if e.FinishedAt = c.FinishedAt; e.FinishedAt.IsZero() {
			e.FinishedAt = ops.At(now)
		}
	}
	if e.StartedAt.After(now.Add(MaxAhead)) || e.FinishedAt.After(now.Add(MaxAhead)) {
		return ops.Errorf(ops.Invalid, "a change must not have begun or ended more than %s in the future", ops.Duration(MaxAhead)).At(placeOfBody + ".started_at")
	}
	if !e.FinishedAt.IsZero() && e.FinishedAt.Before(e.StartedAt.Time) {
		return ops.Errorf(ops.Invalid, "a change must not end before it begins").At(placeOfBody + ".finished_at")
	}
	e.Starters = map[int]string{0: who.Name}
	if e.Status == ops.ChangeFinished && len(e.Stages) == 0 {
		if e.Bake = orDefault(e.Bake, s.settings().Bake); e.Bake > 0 {
			e.Verdict = ops.Baking
		}
	}
	return nil
}

// Event moves a change on.
func (s *Service) Event(ctx context.Context, who ops.Principal, change string, ev ops.ChangeEvent) (ops.Change, error) {
	now := s.now()
	if ev.At.IsZero() {
		ev.At = ops.At(now)
	}
	ev.At = ops.At(ev.At.UTC().Truncate(time.Millisecond))
	if err := validateEvent(ev, now); err != nil {
		return ops.Change{}, err
	}
	s.mu.Lock()
	e, receipt, err := s.move(who, change, ev)
	s.mu.Unlock()
	if err != nil {
		return ops.Change{}, err
	}
	_, err = receipt.Wait(ctx)
	return e.Change, err
}

// move applies an event. The caller holds the lock.
func (s *Service) move(who ops.Principal, change string, ev ops.ChangeEvent) (*entry, *ops.Receipt, error) {
	old, err := s.find(change)
	if err != nil {
		return nil, nil, err
	}
	r := rules{by: who.Name, outside: s.fromOutside(who, old), broken: s.glassBroken(change, ev.At.Time), bake: time.Duration(s.config.Bake)}
	m, err := transition(old.Change, ev, old.Starters, r)
	if err != nil {
		return nil, nil, err
	}
	e := old.moved(m.change)
	if begins(ev, old) {
		e.Starters = maps.Clone(old.Starters)
		if e.Starters == nil {
			e.Starters = map[int]string{}
		}
		e.Starters[ev.Stage] = who.Name
		s.judgeStage(e, old, ev, m.outOfOrder)
	}
	text := m.text + " by " + who.Name
	if ev.Note != "" {
		text += ": " + ev.Note
	}
	text += without(e, old.Unapproved)
	more := map[string]any{"note": ev.Note}
	if ev.Stage > 0 {
		more["stage"] = ev.Stage
	}
	name := eventName[ev.Event]
	if ev.Event == Rollback && ev.Stage > 0 {
		name = "change.stage_rolled_back"
	}
	receipt := s.commit(e, event(e, ev.At, name, who.Name, text, more))
	s.followBake(e, ev)
	return e, receipt, nil
}

// fromOutside says whether a change is reported by someone who does not ask the gate for leave to record: then what
// happened is recorded as it happened.
func (s *Service) fromOutside(who ops.Principal, e *entry) bool {
	return who.Role == ops.Sender || told(&e.Change)
}

// begins says whether an event puts something out that was not out before.
func begins(ev ops.ChangeEvent, old *entry) bool {
	switch ev.Event {
	case Start, StageStarted:
		return true
	case StageFinished:
		return ev.Stage > len(old.Stages) || old.Stages[ev.Stage-1].StartedAt.IsZero()
	case Finish:
		return old.StartedAt.IsZero()
	}
	return false
}

// judgeStart flags a change that begins, or begins a stage, without the gate's leave. The caller holds the lock.
func (s *Service) judgeStart(e *entry, stage int, at ops.Time) {
	if at.IsZero() || e.Kind == ops.KindDrill || !s.config.required(e.Environment) {
		return
	}
	if s.glassBroken(e.ID, at.Time) {
		e.Overridden = true
		return
	}
	if e.Labels["kind"] == "rollback" { // undoing is never held back
		return
	}
	if because, ok := s.leave(&e.Change, stage, at.Time); !ok {
		e.flag(because)
	}
}

// judgeStage judges a stage that begins, or the change as a whole. A stage that nobody planned, of a change that is out
// already and that another system tells of, is part of what that change was given leave for.
func (s *Service) judgeStage(e, old *entry, ev ops.ChangeEvent, outOfOrder bool) {
	if ev.Stage == len(old.Stages)+1 && !old.StartedAt.IsZero() && told(&old.Change) {
		return
	}
	s.judgeStart(e, ev.Stage, ev.At)
	if outOfOrder {
		e.flag("a stage was begun out of order")
	}
}

// flag marks a change as gone out without the gate's leave. Why it was first is what counts.
func (e *entry) flag(because string) {
	if !e.Unapproved {
		e.Unapproved, e.UnapprovedBecause = true, because
	}
}

// flagUnknown says of a change that its service is not in the catalog: it is recorded all the same. The caller holds the lock.
func (s *Service) flagUnknown(e *entry) {
	if _, known := s.catalog.Service(e.Service); known || e.Service == "" || len(e.Labels) >= maxLabels {
		return
	}
	if e.Labels == nil {
		e.Labels = map[string]string{}
	}
	e.Labels["unknown"] = "service"
}

// without tells of a change that has just been flagged.
func without(e *entry, before bool) string {
	if !e.Unapproved || before {
		return ""
	}
	return "; it went out without the gate's leave: " + e.UnapprovedBecause
}

package changes

import (
	"fmt"
	"slices"
	"time"

	"goc/ops"
)

// The events that move a change on.
const (
	Start         = "start"
	StageStarted  = "stage_started"
	StageFinished = "stage_finished"
	Pause         = "pause"
	Resume        = "resume"
	Finish        = "finish"
	Rollback      = "rollback"
	Abort         = "abort"
)

// EventNames lists every event.
var EventNames = [...]string{Start, StageStarted, StageFinished, Pause, Resume, Finish, Rollback, Abort}

// eventName is the name under which an event stands in the journal.
var eventName = map[string]string{
	Start: "change.started", StageStarted: "change.stage_started", StageFinished: "change.stage_finished", Pause: "change.paused",
	Resume: "change.resumed", Finish: "change.finished", Rollback: "change.rolled_back", Abort: "change.aborted",
}

// rules are what the sender of an event is held to.
type rules struct {
	by      string        // who sends it
	outside bool          // it reports what already happened elsewhere: recorded even when out of order, and flagged
	broken  bool          // the glass is broken: a stage may be skipped
	bake    time.Duration // of a stage that does not say so itself
}

// moved is what an event did.
type moved struct {
	change     ops.Change
	outOfOrder bool // it skipped or jumped what the gate demands
	text       string
}

// transition moves a change on: every legal move is here, and what is not here is a conflict that says what to do.
// It does not touch c.
func transition(c ops.Change, e ops.ChangeEvent, starters map[int]string, r rules) (moved, error) {
	c.Stages = slices.Clone(c.Stages)
	m := moved{change: c}
	m.change.UpdatedAt = e.At
	var err error
	switch e.Event {
	case Start:
		err = m.start(e)
	case StageStarted:
		err = m.startStage(e, starters, r)
	case StageFinished:
		err = m.finishStage(e, r)
	case Pause, Resume:
		err = m.hold(e)
	case Finish:
		err = m.finish(e, r)
	case Rollback, Abort:
		if e.Event == Rollback && e.Stage > 0 {
			return m, m.undoStage(e)
		}
		err = m.end(e)
	}
	return m, err
}

func (m *moved) start(e ops.ChangeEvent) error {
	if m.change.Status != ops.ChangePlanned {
		return m.conflict("it can be started only once", "ask for its state with `goc change show`")
	}
	m.begin(e.At)
	m.text = m.change.ID + " started"
	return nil
}

// begin marks the change as going out.
func (m *moved) begin(at ops.Time) {
	m.change.Status = ops.ChangeStarted
	if m.change.StartedAt.IsZero() {
		m.change.StartedAt = at
	}
}

func (m *moved) startStage(e ops.ChangeEvent, starters map[int]string, r rules) error {
	c := &m.change
	if n := e.Stage; n <= len(c.Stages) && !c.Stages[n-1].StartedAt.IsZero() {
		return ops.Errorf(ops.Conflict, "stage %d of %s was started by %s at %s", n, c.ID, starters[n], c.Stages[n-1].StartedAt).
			WithHint("the stage is theirs; ask the gate for the next one")
	}
	if err := m.mayMoveStages(r); err != nil {
		return err
	}
	if n := undoneBefore(c, e.Stage); n > 0 && !r.outside && !r.broken {
		return ops.Errorf(ops.Conflict, "stage %d of %s was rolled back, so stage %d may not start", n, c.ID, e.Stage).
			WithHint("record a new change, or break the glass with POST /api/v1/gate/overrides")
	}
	if gap := m.unfinishedBefore(e.Stage); gap > 0 {
		if !r.outside && !r.broken {
			return ops.Errorf(ops.Conflict, "stage %d of %s has not finished, so stage %d may not start", gap, c.ID, e.Stage).
				WithHint("finish the stage before, or break the glass with POST /api/v1/gate/overrides")
		}
		m.outOfOrder = !r.broken
	}
	m.begin(e.At)
	st := m.stage(e)
	st.StartedAt = e.At
	m.text = fmt.Sprintf("%s started %s", c.ID, m.stageName(e.Stage))
	return nil
}

// mayMoveStages refuses to move the stages of a change that is held or over, unless it already happened elsewhere.
func (m *moved) mayMoveStages(r rules) error {
	switch {
	case m.change.Status == ops.ChangePlanned, m.change.Status == ops.ChangeStarted:
		return nil
	case m.change.Status == ops.ChangePaused && (r.outside || r.broken):
		m.outOfOrder = !r.broken
		return nil
	case m.change.Status == ops.ChangePaused:
		return m.conflict("its stages do not move", "resume it first")
	}
	return m.conflict("its stages do not move any more", "record a new change")
}

func (m *moved) finishStage(e ops.ChangeEvent, r rules) error {
	c := &m.change
	known := e.Stage <= len(c.Stages)
	if known && !c.Stages[e.Stage-1].RolledBackAt.IsZero() {
		return ops.Errorf(ops.Conflict, "stage %d of %s was rolled back", e.Stage, c.ID).WithHint("record a new change")
	}
	if known && !c.Stages[e.Stage-1].FinishedAt.IsZero() {
		return ops.Errorf(ops.Conflict, "stage %d of %s has already finished", e.Stage, c.ID).WithHint("nothing is left to do for this stage")
	}
	if c.Status == ops.ChangePaused {
		r.outside = true // what was under way when it was paused may end
	}
	if err := m.mayMoveStages(r); err != nil {
		return err
	}
	m.outOfOrder = false
	if !known || c.Stages[e.Stage-1].StartedAt.IsZero() {
		if !r.outside {
			return ops.Errorf(ops.Conflict, "stage %d of %s has not started", e.Stage, c.ID).WithHint("send stage_started first")
		}
		m.outOfOrder = m.unfinishedBefore(e.Stage) > 0
		m.begin(e.At)
		m.stage(e).StartedAt = e.At
	}
	m.endStage(m.stage(e), e.At, r)
	m.text = fmt.Sprintf("%s finished %s", c.ID, m.stageName(e.Stage))
	return nil
}

// endStage marks a stage as out; its bake, if it has one, begins.
func (m *moved) endStage(st *ops.Stage, at ops.Time, r rules) {
	st.FinishedAt = at
	if st.Bake == 0 {
		st.Bake = orDefault(m.change.Bake, ops.Duration(r.bake))
	}
	if st.Bake > 0 {
		st.Verdict = ops.Baking
	}
}

// stage is the stage that an event is about, made when it was not announced; the event's units and stores are added to it.
func (m *moved) stage(e ops.ChangeEvent) *ops.Stage {
	for len(m.change.Stages) < e.Stage {
		m.change.Stages = append(m.change.Stages, ops.Stage{Name: fmt.Sprintf("stage %d", len(m.change.Stages)+1)})
	}
	st := &m.change.Stages[e.Stage-1]
	st.Units = merge(st.Units, e.Units)
	st.Replaces = merge(st.Replaces, e.Replaces)
	st.Scope.Store = merge(st.Scope.Store, e.Stores)
	return st
}

// merge is a and those of b that a has not, in their order.
func merge(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	out := make([]string, 0, len(a)+len(b))
	seen := make(map[string]struct{}, len(a)+len(b))
	for _, v := range slices.Concat(a, b) {
		if _, twice := seen[v]; !twice {
			seen[v] = struct{}{}
			out = append(out, v)
		}
	}
	return out
}

// unfinishedBefore is the first stage before n that has not finished, 0 when there is none.
func (m *moved) unfinishedBefore(n int) int {
	for i := range n - 1 {
		if i >= len(m.change.Stages) || m.change.Stages[i].FinishedAt.IsZero() {
			return i + 1
		}
	}
	return 0
}

// undoneBefore is the first stage before n that was rolled back, 0 when there is none.
func undoneBefore(c *ops.Change, n int) int {
	for i := range min(n-1, len(c.Stages)) {
		if !c.Stages[i].RolledBackAt.IsZero() {
			return i + 1
		}
	}
	return 0
}

// undoStage takes one ring back. What is going out is held by it; the change is rolled back once every ring is that began.
func (m *moved) undoStage(e ops.ChangeEvent) error {
	c := &m.change
	switch {
	case e.Stage > len(c.Stages) || c.Stages[e.Stage-1].StartedAt.IsZero():
		return ops.Errorf(ops.Conflict, "stage %d of %s has not started, so there is nothing to roll back", e.Stage, c.ID).WithHint("name a stage that has started, or none to roll back the whole change")
	case !c.Stages[e.Stage-1].RolledBackAt.IsZero() || c.Status == ops.ChangeRolledBack:
		return ops.Errorf(ops.Conflict, "stage %d of %s is rolled back already", e.Stage, c.ID).WithHint("nothing is left to do for this stage")
	}
	st := &c.Stages[e.Stage-1]
	st.RolledBackAt = e.At
	if st.Verdict == ops.Baking {
		st.Verdict = ops.NoData
	}
	m.text = fmt.Sprintf("%s rolled back %s", c.ID, m.stageName(e.Stage))
	if !slices.ContainsFunc(c.Stages, func(s ops.Stage) bool { return !s.StartedAt.IsZero() && s.RolledBackAt.IsZero() }) {
		c.Status, c.FinishedAt, c.PausedFor = ops.ChangeRolledBack, e.At, ""
		m.text += ", the last that was out"
		m.endBakes()
	} else if c.Status == ops.ChangeStarted {
		c.Status, c.PausedFor = ops.ChangePaused, fmt.Sprintf("stage %d was rolled back", e.Stage)
	}
	return nil
}

func (m *moved) stageName(n int) string {
	if name := m.change.Stages[n-1].Name; name != "" && name != fmt.Sprintf("stage %d", n) {
		return fmt.Sprintf("stage %d (%s)", n, name)
	}
	return fmt.Sprintf("stage %d", n)
}

func (m *moved) hold(e ops.ChangeEvent) error {
	from, to, word := ops.ChangeStarted, ops.ChangePaused, "paused"
	if e.Event == Resume {
		from, to, word = ops.ChangePaused, ops.ChangeStarted, "resumed"
	}
	if m.change.Status != from {
		return m.conflict("it cannot be "+word, "only a change that is "+string(from)+" can")
	}
	m.change.Status, m.change.PausedFor = to, ""
	if to == ops.ChangePaused {
		m.change.PausedFor = e.Note
	}
	m.text = m.change.ID + " " + word
	return nil
}

func (m *moved) finish(e ops.ChangeEvent, r rules) error {
	c := &m.change
	if !c.Status.Open() {
		return m.conflict("it is over", "nothing is left to do for it")
	}
	if c.Status == ops.ChangePlanned {
		if !r.outside {
			return m.conflict("it has not started", "send start first, or abort")
		}
		m.begin(e.At)
	}
	c.Status, c.FinishedAt, c.PausedFor = ops.ChangeFinished, e.At, ""
	for i := range c.Stages {
		if st := &c.Stages[i]; !st.StartedAt.IsZero() && st.FinishedAt.IsZero() && st.RolledBackAt.IsZero() {
			m.endStage(st, e.At, r)
		}
	}
	if len(c.Stages) == 0 {
		if c.Bake = orDefault(c.Bake, ops.Duration(r.bake)); c.Bake > 0 {
			c.Verdict = ops.Baking
		}
	}
	m.text = c.ID + " finished"
	return nil
}

// end takes a change back or gives it up. What was given up or has finished may still be taken back.
func (m *moved) end(e ops.ChangeEvent) error {
	c := &m.change
	switch {
	case e.Event == Abort && !c.Status.Open():
		return m.conflict("it is over", "roll it back if it must be undone")
	case e.Event == Rollback && c.Status == ops.ChangePlanned:
		return m.conflict("it has not started, so there is nothing to roll back", "abort it")
	case e.Event == Rollback && c.Status == ops.ChangeRolledBack:
		return m.conflict("it is rolled back already", "nothing is left to do for it")
	}
	c.Status, c.FinishedAt, c.PausedFor = ops.ChangeAborted, e.At, ""
	m.text = c.ID + " given up"
	if e.Event == Rollback {
		c.Status = ops.ChangeRolledBack
		m.text = c.ID + " rolled back"
	}
	m.endBakes()
	return nil
}

// endBakes ends without a verdict the bakes of what is no longer out.
func (m *moved) endBakes() {
	if m.change.Verdict == ops.Baking {
		m.change.Verdict = ops.NoData
	}
	for i := range m.change.Stages {
		if st := &m.change.Stages[i]; st.Verdict == ops.Baking {
			st.Verdict = ops.NoData
		}
	}
}

func (m *moved) conflict(why, hint string) error {
	return ops.Errorf(ops.Conflict, "%s is %s: %s", m.change.ID, m.change.Status, why).WithHint(hint)
}

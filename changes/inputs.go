package changes

import (
	"slices"
	"time"

	"goc/changes/window"
	"goc/ops"
)

// Request is the question whether a change, or one stage of it, may go out now.
type Request struct {
	Change   ops.Change
	Stage    int // counts from 1; 0 is the change as a whole, or its next stage when it has stages and has started
	Rollback bool
	Who      ops.Principal
}

// State is what the gate knows when it is asked. Nothing in it is changed.
type State struct {
	Config    Config
	Catalog   *ops.Catalog
	Freezes   []*Freeze
	Incidents []ops.Incident // those that are active
	Approvals []ops.Approval // of this change
	Override  *ops.Override  // of this change, nil when the glass is whole
	Starters  map[int]string // who started each stage of this change
}

// Freeze is a freeze window, ready to be asked whether it is closed.
type Freeze struct {
	ops.Freeze
	expanded ops.Scope
	schedule *window.Schedule // nil when the window is fixed
	memo     memo
}

// Inputs is everything that one decision is made from: small, because it is recorded with the decision, and enough to
// make the same decision again.
type Inputs struct {
	At       ops.Time         `json:"at"`
	ChangeID string           `json:"change_id,omitempty"`
	Kind     ops.ChangeKind   `json:"kind"`
	Service  string           `json:"service,omitempty"`
	Version  string           `json:"version,omitempty"`
	Status   ops.ChangeStatus `json:"status"`
	Author   string           `json:"author,omitempty"`
	Risk     string           `json:"risk,omitempty"`
	Stage    int              `json:"stage,omitempty"`
	Rollback bool             `json:"rollback,omitempty"`
	Person   string           `json:"person"`
	Role     ops.Role         `json:"role"`
	Exempt   bool             `json:"exempt,omitempty"` // its environment is not held back by freezes and incidents

	TakenBy   string         `json:"taken_by,omitempty"` // who started this very stage, and when
	TakenAt   ops.Time       `json:"taken_at"`
	Before    *StageBefore   `json:"before,omitempty"`
	Freezes   []FreezeClosed `json:"freezes,omitempty"`
	Incidents []IncidentOpen `json:"incidents,omitempty"`
	Approvers []string       `json:"approvers,omitempty"` // without the author
	Need      int            `json:"need,omitempty"`      // approvals
	Override  *ops.Override  `json:"override,omitempty"`
	Retry     ops.Duration   `json:"retry"`
	Valid     ops.Duration   `json:"valid"`
}

// StageBefore is the stage before the one asked for, and how it stands. Skipped is the first stage before that has not
// finished, 0 when all have.
type StageBefore struct {
	Number  int         `json:"number"`
	Skipped int         `json:"skipped,omitempty"`
	Verdict ops.Verdict `json:"verdict,omitempty"`
	Score   float64     `json:"score,omitempty"`
	Reason  string      `json:"reason,omitempty"` // the verdict's first sentence
	BakesTo ops.Time    `json:"bakes_to"`
	NoData  string      `json:"no_data,omitempty"` // what no_data leads to
}

// FreezeClosed is a freeze in scope that is closed now.
type FreezeClosed struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	To       ops.Time `json:"to"`
	Reason   string   `json:"reason,omitempty"`
	InFlight string   `json:"in_flight,omitempty"` // set when the change is under way: finish, pause, rollback
	Exempt   string   `json:"exempt,omitempty"`    // why it does not hold this change
}

// IncidentOpen is an active incident in scope.
type IncidentOpen struct {
	ID       string       `json:"id"`
	Title    string       `json:"title"`
	Severity ops.Severity `json:"severity"`
	Effect   string       `json:"effect"`
	Cause    bool         `json:"cause,omitempty"` // this very change is its first suspect, or confirmed
}

// Gather picks from the state what this decision depends on.
func Gather(r Request, s State, now time.Time) Inputs {
	now = onRecord(now).Time
	c := &r.Change
	in := Inputs{
		At: ops.At(now), ChangeID: c.ID, Kind: c.Kind, Service: c.Service, Version: c.Version, Status: c.Status, Author: c.Author,
		Risk: c.Risk, Stage: stageAsked(r), Rollback: r.Rollback, Person: r.Who.Name, Role: r.Who.Role,
		Exempt: s.Config.environment(c.Environment).Exempt, Need: s.Config.approvals(c.Risk),
		Retry: ops.Duration(s.Config.retry()), Valid: ops.Duration(s.Config.valid()),
	}
	in.gatherStages(c, s)
	if !in.Exempt {
		scope := s.Catalog.Expand(stageScope(c, in.Stage))
		in.gatherFreezes(c, scope, s, now)
		in.gatherIncidents(c, scope, s)
	}
	for _, a := range s.Approvals {
		if a.Person != c.Author && !slices.Contains(in.Approvers, a.Person) {
			in.Approvers = append(in.Approvers, a.Person)
		}
	}
	if s.Override != nil && now.Before(s.Override.ExpiresAt.Time) {
		o := *s.Override
		o.CreatedAt, o.ExpiresAt = onRecord(o.CreatedAt.Time), onRecord(o.ExpiresAt.Time)
		in.Override = &o
	}
	return in
}

// onRecord is a time as it reads when it comes back from the record.
func onRecord(t time.Time) ops.Time {
	if t.IsZero() {
		return ops.Time{}
	}
	return ops.At(t.UTC().Truncate(time.Millisecond))
}

// stageAsked is the stage that a request is about: of a change under way that is asked for as a whole, its next one.
func stageAsked(r Request) int {
	if r.Stage > 0 || r.Change.StartedAt.IsZero() {
		return r.Stage
	}
	for i, st := range r.Change.Stages {
		if st.StartedAt.IsZero() {
			return i + 1
		}
	}
	return 0
}

// stageScope is what would be touched: the change's scope, narrowed by the stage's, with the service.
func stageScope(c *ops.Change, stage int) ops.Scope {
	s := c.Scope
	if stage > 0 && stage <= len(c.Stages) {
		st := &c.Stages[stage-1]
		for _, k := range ops.ScopeKeys {
			if v := *st.Scope.Key(k); len(v) > 0 {
				*s.Key(k) = v
			}
		}
	}
	if c.Service != "" && len(s.Service) == 0 {
		s.Service = []string{c.Service}
	}
	return s
}

func (in *Inputs) gatherStages(c *ops.Change, s State) {
	n := in.Stage
	if n > 0 && n <= len(c.Stages) && !c.Stages[n-1].StartedAt.IsZero() {
		in.TakenBy, in.TakenAt = orDefault(s.Starters[n], "someone"), onRecord(c.Stages[n-1].StartedAt.Time)
	}
	if n <= 1 {
		return
	}
	b := &StageBefore{Number: n - 1, NoData: s.Config.noData()}
	m := moved{change: *c}
	if b.Skipped = m.unfinishedBefore(n); b.Skipped == 0 {
		st := &c.Stages[n-2]
		b.Verdict, b.Score, b.BakesTo = st.Verdict, st.Score, onRecord(st.FinishedAt.Add(time.Duration(st.Bake)))
		if len(st.Reasons) > 0 {
			b.Reason = st.Reasons[0].Message
		}
	}
	in.Before = b
}

func (in *Inputs) gatherFreezes(c *ops.Change, scope ops.Scope, s State, now time.Time) {
	for _, f := range s.Freezes {
		span, ok := f.span(now)
		if !ok || !span.Contains(now) || !f.expanded.Overlaps(scope) {
			continue
		}
		closed := FreezeClosed{ID: f.ID, Name: f.Name, To: onRecord(span.To), Reason: f.Reason}
		if !c.StartedAt.IsZero() && c.Status.Open() {
			closed.InFlight = orDefault(f.InFlight, InFlightFinish)
		}
		switch {
		case slices.Contains(f.Exempt.Kinds, c.Kind):
			closed.Exempt = "kind " + string(c.Kind)
		case slices.Contains(f.Exempt.Roles, in.Role):
			closed.Exempt = "role " + string(in.Role)
		}
		in.Freezes = append(in.Freezes, closed)
	}
}

func (in *Inputs) gatherIncidents(c *ops.Change, scope ops.Scope, s State) {
	for i := range s.Incidents {
		inc := &s.Incidents[i]
		if !inc.State.Active() || inc.Merged != "" {
			continue
		}
		cause := causes(inc, c.ID)
		if !cause && !s.Catalog.Expand(inc.Scope).Overlaps(scope) {
			continue
		}
		effect := s.Config.severity(inc.Severity)
		if cause {
			effect = ops.EffectDeny
		}
		in.Incidents = append(in.Incidents, IncidentOpen{ID: inc.ID, Title: inc.Title, Severity: inc.Severity, Effect: effect, Cause: cause})
	}
}

// causes says whether a change is the first suspect of an incident, more likely than that no change did it, or was
// confirmed as its cause.
func causes(inc *ops.Incident, change string) bool {
	if change == "" {
		return false
	}
	for _, s := range inc.Suspects {
		if s.ChangeID == change {
			return s.Verdict == "confirmed" || (s.Rank == 1 && s.Verdict != "rejected" && s.Probability >= inc.NoChange)
		}
	}
	return false
}

package changes

import (
	"slices"
	"sync"
	"time"

	"goc/changes/policy"
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

// State is what the gate knows when it is asked. Nothing in it is changed. What is absent holds nothing back.
type State struct {
	Config      Config
	Catalog     *ops.Catalog
	Freezes     *Freezes
	Incidents   []ops.Incident // those that are active
	Approvals   []ops.Approval // of this change
	Override    *ops.Override  // of this change, nil when the glass is whole
	Starters    map[int]string // who started each stage of this change
	Budgets     []BudgetState  // of the services of this change that have an objective
	RedLines    []RedLineCrossed
	Maintenance ops.GateMaintenance
	Flight      *Flight
	Policies    *policy.Set
	Zone        *time.Location // of the policies' wall clock; nil is UTC
	Rehearsed   func(plan string) Rehearsal
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
	Approvers []string       `json:"approvers,omitempty"` // those that count, without the author
	Need      int            `json:"need,omitempty"`      // approvals
	From      []string       `json:"from,omitempty"`      // whose
	Void      []string       `json:"void,omitempty"`      // approvals that do not count, each with why
	Override  *ops.Override  `json:"override,omitempty"`

	Budgets     []BudgetState        `json:"budgets,omitempty"` // that burn, or that were asked for
	Collisions  []Collided           `json:"collisions,omitempty"`
	CollideWith string               `json:"collide_effect,omitempty"`
	Crowded     []Crowded            `json:"crowded,omitempty"`
	Demanded    Demanded             `json:"demanded,omitzero"`
	Unknown     bool                 `json:"unknown_service,omitempty"` // the catalog does not list its service
	RedLines    []RedLineCrossed     `json:"red_lines,omitempty"`
	Maintenance *ops.GateMaintenance `json:"maintenance,omitempty"`
	Policies    []policy.Held        `json:"policies,omitempty"`

	Retry ops.Duration `json:"retry"`
	Valid ops.Duration `json:"valid"`
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
	Undone  int         `json:"undone,omitempty"`  // the first one before that was rolled back
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
	w := working(r, s)
	defer w.done()
	w.gather(now)
	return w.in
}

// work is what one decision is made with. It is used again: there are thousands of decisions a second.
type work struct {
	request Request
	state   State
	in      Inputs
	facts   policy.Facts
}

var works = sync.Pool{New: func() any { return new(work) }}

func working(r Request, s State) *work {
	w := works.Get().(*work)
	w.request, w.state = r, s
	return w
}

// done gives the work back. Nothing of it may be looked at afterwards.
func (w *work) done() {
	*w = work{}
	works.Put(w)
}

func (w *work) gather(now time.Time) {
	r, s, in := &w.request, &w.state, &w.in
	now = onRecord(now).Time
	c := &r.Change
	*in = Inputs{
		At: ops.At(now), ChangeID: c.ID, Kind: c.Kind, Service: c.Service, Version: c.Version, Status: c.Status, Author: c.Author,
		Risk: c.Risk, Stage: stageAsked(r), Rollback: r.Rollback, Person: r.Who.Name, Role: r.Who.Role,
		Exempt: s.Config.environment(c.Environment).Exempt,
		Retry:  ops.Duration(s.Config.retry()), Valid: ops.Duration(s.Config.valid()),
	}
	service, listed := s.Catalog.Service(c.Service)
	in.Unknown = !listed && c.Service != "" && len(s.Catalog.Services) > 0
	scope := known(s.Catalog, stageScope(c, in.Stage))
	in.gatherMaintenance(s, now)
	in.gatherStages(c, s)
	stores, share := 0, 0.0
	if !in.Exempt {
		in.gatherRedLines(scope, s)
		in.gatherFreezes(c, scope, s, now)
		in.gatherIncidents(c, scope, s)
		in.gatherBudgets(s)
		in.gatherCollisions(c, scope, s)
		stores, share = in.gatherShare(c, scope, s)
	}
	in.gatherReviews(c, service, s)
	in.gatherRollback(c, service, s, now)
	in.gatherApprovals(c, s)
	in.gatherOverride(s, now)
	in.gatherPolicies(r, s, &w.facts, policy.Facts{Change: c, Service: service, Scope: scope, Stores: stores, Share: share, Now: now})
}

func (in *Inputs) gatherMaintenance(s *State, now time.Time) {
	if s.Maintenance.Mode != "" && now.Before(s.Maintenance.Until.Time) {
		m := s.Maintenance
		m.Until = onRecord(m.Until.Time)
		in.Maintenance = &m
	}
}

func (in *Inputs) gatherOverride(s *State, now time.Time) {
	if s.Override != nil && now.Before(s.Override.ExpiresAt.Time) {
		o := *s.Override
		o.FollowUp = nil // what is made of it later decides nothing
		o.CreatedAt, o.ExpiresAt = onRecord(o.CreatedAt.Time), onRecord(o.ExpiresAt.Time)
		in.Override = &o
	}
}

// gatherBudgets keeps the budgets that say something: those that burn, and those whose objective is the service's own.
func (in *Inputs) gatherBudgets(s *State) {
	for _, b := range s.Budgets {
		if len(b.Burning) > 0 || b.Stated {
			in.Budgets = append(in.Budgets, b)
		}
	}
}

// onRecord is a time as it reads when it comes back from the record.
func onRecord(t time.Time) ops.Time {
	if t.IsZero() {
		return ops.Time{}
	}
	return ops.At(t.UTC().Truncate(time.Millisecond))
}

// stageAsked is the stage that a request is about: of a change under way that is asked for as a whole, its next one.
func stageAsked(r *Request) int {
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
	if c.Service != "" && !slices.Contains(s.Service, c.Service) {
		s.Service = append([]string{c.Service}, s.Service...)
	}
	return s
}

// known is a scope with what the catalog knows of it. Where the sender names a tier, a business, a city or a region
// beside services or stores, what the catalog says of those counts as well: nobody gets past a freeze by a wrong tier.
func known(catalog *ops.Catalog, s ops.Scope) ops.Scope {
	out := catalog.Expand(s)
	if len(s.Tier)+len(s.Business)+len(s.City)+len(s.Region) == 0 {
		return out
	}
	of := catalog.Expand(ops.Scope{Service: s.Service, Store: s.Store})
	for _, k := range []string{"tier", "business", "city", "region"} {
		if named, more := out.Key(k), *of.Key(k); len(*named) > 0 && len(more) > 0 {
			*named = merge(*named, more)
		}
	}
	return out
}

func (in *Inputs) gatherStages(c *ops.Change, s *State) {
	n := in.Stage
	if n > 0 && n <= len(c.Stages) && !c.Stages[n-1].StartedAt.IsZero() {
		in.TakenBy, in.TakenAt = orDefault(s.Starters[n], "someone"), onRecord(c.Stages[n-1].StartedAt.Time)
	}
	if n <= 1 {
		return
	}
	b := &StageBefore{Number: n - 1, NoData: s.Config.noData()}
	m := moved{change: *c}
	b.Undone = undoneBefore(c, n)
	if b.Skipped = m.unfinishedBefore(n); b.Skipped == 0 {
		st := &c.Stages[n-2]
		b.Verdict, b.Score, b.BakesTo = st.Verdict, st.Score, onRecord(st.FinishedAt.Add(time.Duration(st.Bake)))
		if len(st.Reasons) > 0 {
			b.Reason = st.Reasons[0].Message
		}
	}
	in.Before = b
}

func (in *Inputs) gatherFreezes(c *ops.Change, scope ops.Scope, s *State, now time.Time) {
	if s.Freezes == nil {
		return
	}
	s.Freezes.at(now).touching(&scope, func(f closedFreeze) {
		closed := FreezeClosed{ID: f.ID, Name: f.Name, To: onRecord(f.span.To), Reason: f.Reason}
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
	})
}

func (in *Inputs) gatherIncidents(c *ops.Change, scope ops.Scope, s *State) {
	for i := range s.Incidents {
		inc := &s.Incidents[i]
		if !inc.State.Active() || inc.Merged != "" {
			continue
		}
		cause := causes(inc, c.ID)
		if !cause && (!inc.Scope.Overlaps(scope) || !s.Catalog.Expand(inc.Scope).Overlaps(scope)) {
			continue // what does not overlap as it stands does not once more is known of it
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

// gatherPolicies evaluates the policies over what was gathered, so that their outcome is on record and need not be
// evaluated again.
func (in *Inputs) gatherPolicies(r *Request, s *State, f *policy.Facts, known policy.Facts) {
	if s.Policies.Len() == 0 {
		return
	}
	*f = known
	f.Environment, f.Risk = orDefault(r.Change.Environment, Production), orDefault(r.Change.Risk, "medium")
	f.Stage, f.Actor, f.Approvers, f.Zone = in.Stage, r.Who, in.Approvers, s.Zone
	if s.Policies.Uses("incidents") {
		for _, i := range in.Incidents[:min(len(in.Incidents), policy.MaxItems)] {
			f.Incidents = append(f.Incidents, policy.Incident{ID: i.ID, Title: i.Title, Severity: string(i.Severity), Cause: i.Cause})
		}
	}
	if s.Policies.Uses("freezes") {
		for _, z := range in.Freezes[:min(len(in.Freezes), policy.MaxItems)] {
			f.Freezes = append(f.Freezes, policy.Freeze{ID: z.ID, Name: z.Name, Exempt: z.Exempt != ""})
		}
	}
	for _, b := range s.Budgets {
		if b.Service == r.Change.Service {
			f.Budget = policy.Budget{Known: b.Known, Left: b.Left, Burn: b.Burn}
		}
	}
	in.Policies = s.Policies.Evaluate(f)
}

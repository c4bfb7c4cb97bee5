package changes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"goc/ops"
)

// Bounds of what is told at once.
const (
	maxHeld    = 50   // changes that are held
	maxLooked  = 500  // open changes that are looked at for them
	maxBudgets = 1000 // services whose budget is told
)

// Standing says how a change stands at the gate, as the person who asks would see it. It records nothing.
func (s *Service) Standing(_ context.Context, who ops.Principal, change string) (ops.GateStanding, error) {
	incidents := s.incidents()
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, err := s.find(change)
	if err != nil {
		return ops.GateStanding{}, err
	}
	return s.standing(who, e, incidents, s.now()), nil
}

// Held lists the open changes that the gate would hold back now, the newest first: those that people can do something
// about, and those that only take time.
func (s *Service) Held(_ context.Context, who ops.Principal) ([]ops.GateStanding, error) {
	incidents, now := s.incidents(), s.now()
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := []ops.GateStanding{}
	for _, n := range s.open() {
		e := s.index.get(n)
		if e == nil || wholly(&e.Change) {
			continue
		}
		if st := s.standing(who, e, incidents, now); st.Decision != ops.EffectAllow {
			if out = append(out, st); len(out) == maxHeld {
				break
			}
		}
	}
	return out, nil
}

// open are the numbers of the open changes that are looked at, the newest first. The caller holds the lock.
func (s *Service) open() (out []int) {
	for _, status := range []ops.ChangeStatus{ops.ChangePlanned, ops.ChangeStarted, ops.ChangePaused} {
		list := s.index.status[status]
		out = append(out, list[max(0, len(list)-maxLooked):]...)
	}
	slices.SortFunc(out, func(a, b int) int { return cmp.Compare(b, a) })
	return out[:min(len(out), maxLooked)]
}

// wholly says whether all of a change has gone out already: nobody will ask about it again.
func wholly(c *ops.Change) bool {
	if c.StartedAt.IsZero() {
		return false
	}
	return !slices.ContainsFunc(c.Stages, func(st ops.Stage) bool { return st.StartedAt.IsZero() })
}

// standing works out how a change stands. The caller holds the lock.
func (s *Service) standing(who ops.Principal, e *entry, incidents []ops.Incident, now time.Time) ops.GateStanding {
	q, st, _ := s.question(who, ops.GateRequest{ChangeID: e.ID}) // it is on record, so there is nothing to refuse
	st.Incidents = incidents
	s.known(&st, e.Service, e.Scope, now)
	in := Gather(q, st, now)
	d := judgeOf(&in)
	out := ops.GateStanding{
		ChangeID: e.ID, Title: e.Title, Service: e.Service, Author: e.Author, Status: string(e.Status), Stage: in.Stage,
		Decision: d.Decision, Reasons: d.Reasons, Need: in.Need, From: in.From, Approvals: slices.Clone(s.approvals[e.ID]), Counting: slices.Clone(in.Approvers),
		Reviews: reviewsOf(&e.Change, in.Demanded.Reviews),
	}
	if out.Approvals == nil {
		out.Approvals = []ops.Approval{}
	}
	if out.Counting == nil {
		out.Counting = []string{}
	}
	out.Why = s.mayNot(who, e, in.From)
	out.MayApprove = out.Why == ""
	return out
}

// mayNot says why a person's approval of a change would be refused or would not count, "" when it would. The caller
// holds the lock.
func (s *Service) mayNot(who ops.Principal, e *entry, from []string) string {
	a := ops.Approval{ChangeID: e.ID, Person: who.Name, Role: who.Role}
	switch {
	case !e.Status.Open():
		return fmt.Sprintf("%s is %s", e.ID, e.Status)
	case s.allowed(who, ops.Commander) != nil:
		return "this takes the role commander"
	case mayApprove(who, a, e) != nil:
		return "nobody approves their own change"
	case !s.config.counts(&a, from):
		return "you are not of those who count"
	}
	return ""
}

// reviewsOf lists the reviews that a change has evidence of and those that are missing, in the order of the funnel.
func reviewsOf(c *ops.Change, missing []string) []ops.Review {
	out := []ops.Review{}
	for _, name := range Reviews {
		r := ops.Review{Name: name, Evidence: c.Reviews[name], Missing: slices.Contains(missing, name)}
		if r.Evidence != "" || r.Missing {
			out = append(out, r)
		}
	}
	return out
}

// Rules tells the rules in force and how they stand.
func (s *Service) Rules(context.Context) (ops.GateRules, error) {
	now := s.now()
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := ops.GateRules{At: ops.At(now), Policies: []ops.PolicyStanding{}, RedLines: []ops.RedLineState{}, Budgets: []ops.BudgetLeft{}}
	errors := map[string]int64{}
	for _, c := range s.policies.Counts() {
		errors[c.Name] = c.Errors
	}
	for _, p := range s.config.Policies {
		t := s.hits.at(rulePolicy + p.Name)
		out.Policies = append(out.Policies, ops.PolicyStanding{GatePolicy: p, Since: t.Since, Held: t.Held, Last: t.Last, Errors: errors[p.Name]})
	}
	for _, l := range s.config.RedLines {
		r := ops.RedLineState{Name: l.Name, Scope: l.Scope, Limit: l.limit(), InFlight: orDefault(l.InFlight, InFlightFinish), Override: string(l.override())}
		if c := s.crossed[l.Name]; c != nil {
			r.Crossed, r.Since, r.Text = true, c.Since, c.Text
		}
		out.RedLines = append(out.RedLines, r)
	}
	for _, service := range s.catalog.Services {
		b, ok := s.budgets.state(service, now)
		if !ok || (!b.Stated && len(b.Burning) == 0) || len(out.Budgets) == maxBudgets {
			continue
		}
		out.Budgets = append(out.Budgets, ops.BudgetLeft{Service: b.Service, Objective: b.Objective, Known: b.Known, Left: b.Left, Burn: b.Burn, Burning: len(b.Burning) > 0})
	}
	return out, nil
}

// limit says what a red line forbids.
func (l RedLine) limit() string {
	switch {
	case l.Indicator != "" && l.Below != nil && l.Above != nil:
		return fmt.Sprintf("%s of %s under %s or over %s, over %s", l.Indicator, l.Service, figure(*l.Below), figure(*l.Above), ops.Duration(l.over()))
	case l.Indicator != "" && l.Below != nil:
		return fmt.Sprintf("%s of %s under %s, over %s", l.Indicator, l.Service, figure(*l.Below), ops.Duration(l.over()))
	case l.Indicator != "" && l.Above != nil:
		return fmt.Sprintf("%s of %s over %s, over %s", l.Indicator, l.Service, figure(*l.Above), ops.Duration(l.over()))
	case l.Dark > 0:
		return "more than " + percent(l.Dark) + " of the stores dark"
	}
	return "more than " + percent(l.Changing) + " of the stores under change"
}

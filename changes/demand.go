package changes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"goc/ops"
)

// Demanded is what the rules demand of a change, as far as it is missing.
type Demanded struct {
	Reviews      []string `json:"reviews,omitempty"` // that have no evidence
	ReviewEffect string   `json:"review_effect,omitempty"`
	Rollback     string   `json:"rollback,omitempty"` // what is wrong with its way back
	RollbackWith string   `json:"rollback_effect,omitempty"`
	Rehearsed    string   `json:"rehearsed,omitempty"` // how it was rehearsed, when it had to be and was
}

// Rehearsal is when a plan was last run, or tried dry, with success.
type Rehearsal struct {
	Known bool // there is a plan of this name
	At    time.Time
}

// demands says whether a rule for tiers and risks is about a change. Empty lists are about any.
func demands(tier, risk []string, s ops.Service, c *ops.Change) bool {
	return (len(tier) == 0 || slices.Contains(tier, s.Tier)) && (len(risk) == 0 || slices.Contains(risk, orDefault(c.Risk, "medium")))
}

// gatherReviews lists the evidence that is demanded and missing.
func (in *Inputs) gatherReviews(c *ops.Change, service ops.Service, s *State) {
	for _, r := range s.Config.Reviews {
		if !demands(r.Tier, r.Risk, service, c) || (len(r.Kinds) > 0 && !slices.Contains(r.Kinds, c.Kind)) {
			continue
		}
		for _, need := range r.Need {
			if evident(c, need) || slices.Contains(in.Demanded.Reviews, need) {
				continue
			}
			in.Demanded.Reviews = append(in.Demanded.Reviews, need)
			in.Demanded.ReviewEffect = worse(in.Demanded.ReviewEffect, orDefault(r.Effect, ops.EffectDeny))
		}
	}
}

// evident says whether a change has evidence of a review. Stages are evidence of a gray release.
func evident(c *ops.Change, review string) bool {
	return strings.TrimSpace(c.Reviews[review]) != "" || (review == "gray" && len(c.Stages) > 1)
}

// worse is the effect that holds back more.
func worse(a, b string) string {
	rank := map[string]int{"": -1, ops.EffectAllow: 0, ops.EffectWait: 1, ops.EffectDeny: 2}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// gatherRollback says what is wrong with the way back, where one is demanded.
func (in *Inputs) gatherRollback(c *ops.Change, service ops.Service, s *State, now time.Time) {
	r := s.Config.Rollback
	if (len(r.Required.Tier) == 0 && len(r.Required.Risk) == 0) || !demands(r.Required.Tier, r.Required.Risk, service, c) {
		return
	}
	d := &in.Demanded
	within := time.Duration(r.RehearsedWithin)
	d.RollbackWith = orDefault(r.Effect, ops.EffectDeny)
	name := strings.TrimSpace(c.Rollback)
	if name == "" {
		d.Rollback = "it names no way back: give rollback, as a text or a plan's name"
		return
	}
	if within == 0 {
		d.RollbackWith = ""
		return
	}
	var last Rehearsal
	if s.Rehearsed != nil {
		last = s.Rehearsed(name)
	}
	switch {
	case !last.Known:
		d.Rollback = "its way back is no plan that could have been rehearsed"
	case last.At.IsZero():
		d.Rollback = "the plan that is its way back was never rehearsed: run it, or try it dry"
	case now.Sub(last.At) > within:
		d.Rollback = fmt.Sprintf("the plan that is its way back was last rehearsed on %s, more than %s ago", last.At.UTC().Format("2006-01-02"), days(within))
	default:
		d.RollbackWith, d.Rehearsed = "", "its way back was rehearsed on "+last.At.UTC().Format("2006-01-02")
	}
}

// days writes a long time as people say it.
func days(d time.Duration) string {
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		return strconv.Itoa(int(d/(24*time.Hour))) + " days"
	}
	return ops.Duration(d).String()
}

// gatherApprovals counts the approvals that count: of this version and stage, of people who count, never the author's.
func (in *Inputs) gatherApprovals(c *ops.Change, s *State) {
	rule := s.Config.approvals(c.Risk)
	in.Need, in.From = rule.Need, rule.From
	for i := range s.Approvals {
		a := &s.Approvals[i]
		switch why := in.voids(c, a, s.Config); {
		case why != "":
			if len(in.Void) < maxApprovals {
				in.Void = append(in.Void, a.Person+" "+why)
			}
		case !slices.ContainsFunc(in.Approvers, func(p string) bool { return samePerson(p, a.Person) }):
			in.Approvers = append(in.Approvers, a.Person)
		}
	}
}

// voids says why an approval does not count, "" when it does.
func (in *Inputs) voids(c *ops.Change, a *ops.Approval, config Config) string {
	switch {
	case samePerson(a.Person, c.Author):
		return "is its author"
	case a.Version != "" && a.Version != c.Version:
		return "approved version " + a.Version
	case in.Stage > 0 && len(a.Stages) > 0 && !slices.Contains(a.Stages, in.Stage):
		return "approved other stages"
	case !config.counts(a, in.From):
		return "is not of those who count"
	}
	return ""
}

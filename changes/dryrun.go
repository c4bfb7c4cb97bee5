package changes

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"goc/changes/policy"
	"goc/ops"
)

// Bounds of a dry run.
const (
	maxStopped  = 200 // changes that its answer lists
	dryRunBack  = 30 * 24 * time.Hour
	dryRunLimit = 366 * 24 * time.Hour
)

// DryRunPolicy says what a policy would have done to the changes that went out since a time. It changes nothing, and
// asks neither who may override nor what else would have held.
func (s *Service) DryRunPolicy(_ context.Context, t ops.PolicyTrial) (ops.PolicyDryRun, error) {
	now := s.now()
	set, err := policy.One(t.Policy, placeOfBody+".policy")
	if err != nil {
		return ops.PolicyDryRun{}, err
	}
	if t.Since.IsZero() {
		t.Since = ops.At(now.Add(-dryRunBack))
	}
	if !t.Since.Before(now) || now.Sub(t.Since.Time) > dryRunLimit {
		return ops.PolicyDryRun{}, ops.Errorf(ops.Invalid, "must lie in the past, by at most a year").At(placeOfBody + ".since")
	}
	past := s.pastOf(t.Since.Time)
	out := ops.PolicyDryRun{Policy: t.Policy.Name, Since: t.Since, Until: ops.At(now), Items: []ops.PolicyStopped{}, Assumed: assumed(set)}
	trial := trial{set: set, past: past, catalog: past.catalog, zone: past.zone, places: past.places, out: &out}
	trial.run()
	return out, nil
}

// assumed says what a policy looks at that is not known of the past.
func assumed(set *policy.Set) []string {
	out := []string{}
	for _, v := range []struct{ name, as string }{
		{"share", "no other change was under way (share)"},
		{"budget", "error budgets were not known (budget)"},
		{"approvers", "nobody had approved (approvers)"},
		{"actor", "the person who recorded the change asked, as ci (actor)"},
		{"freezes", "the freezes of today were those of then; lifted ones are not known (freezes)"},
	} {
		if set.Uses(v.name) {
			out = append(out, v.as)
		}
	}
	return out
}

// past is what is known of the weeks that a dry run is over.
type past struct {
	catalog   *ops.Catalog
	zone      *time.Location
	places    *places
	outs      []*entry // changes that went out, by when
	freezes   *Freezes
	incidents []ops.Incident
	caused    map[string][]string // incidents by the change that people, or the evidence, named as their cause
}

// pastOf takes what is known since a time. Freezes are copied: a walk through the past must not make the gate forget
// what is closed now.
func (s *Service) pastOf(since time.Time) past {
	p := past{caused: map[string][]string{}}
	if s.past != nil {
		p.incidents = s.past()
	}
	for i := range p.incidents {
		if c := causeOf(&p.incidents[i]); c != "" {
			p.caused[c] = append(p.caused[c], p.incidents[i].ID)
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	p.catalog, p.places, p.zone = s.catalog, s.index.flight.places, s.zone
	for _, e := range s.index.all {
		if e != nil && !e.StartedAt.Before(since) && e.Kind != ops.KindDrill {
			p.outs = append(p.outs, e)
		}
	}
	sort.SliceStable(p.outs, func(i, j int) bool { return p.outs[i].StartedAt.Before(p.outs[j].StartedAt.Time) })
	var list []*Freeze
	for _, f := range s.freezes.list {
		list = append(list, &Freeze{Freeze: f.Freeze, expanded: f.expanded, schedule: f.schedule})
	}
	p.freezes = NewFreezes(list)
	return p
}

// causeOf is the change that people named as the cause of an incident, or confirmed as its suspect; "" when they did not.
func causeOf(i *ops.Incident) string {
	if i.Cause != nil && i.Cause.ChangeID != "" {
		return i.Cause.ChangeID
	}
	for _, s := range i.Suspects {
		if s.Verdict == "confirmed" {
			return s.ChangeID
		}
	}
	return ""
}

// trial walks a policy through the past.
type trial struct {
	set     *policy.Set
	past    past
	catalog *ops.Catalog
	zone    *time.Location
	places  *places
	out     *ops.PolicyDryRun
	facts   policy.Facts // of the moment that is looked at
}

func (t *trial) run() {
	var stopped []ops.PolicyStopped
	for _, e := range t.past.outs {
		t.out.Changes++
		caused := t.past.caused[e.ID]
		item, held := t.stops(&e.Change, e.Recorder)
		switch {
		case held && item.Effect != ops.EffectAllow:
			t.out.Stopped++
			item.Incidents = caused
			if len(caused) > 0 {
				t.out.Caused++
			}
			stopped = append(stopped, item)
		case len(caused) > 0:
			t.out.Missed++
		}
		if item.Error != "" {
			t.out.Errors++
		}
	}
	sort.SliceStable(stopped, func(i, j int) bool {
		if a, b := len(stopped[i].Incidents) > 0, len(stopped[j].Incidents) > 0; a != b {
			return a
		}
		return stopped[i].At.After(stopped[j].At.Time)
	})
	t.out.Items = append(t.out.Items, stopped[:min(len(stopped), maxStopped)]...)
	t.out.Text = sentenceOf(t.out)
}

// sentenceOf says what came out as people do.
func sentenceOf(d *ops.PolicyDryRun) string {
	text := fmt.Sprintf("would have stopped %d of %d changes since %s, of which %d caused incidents", d.Stopped, d.Changes, d.Since.UTC().Format("2006-01-02"), d.Caused)
	if d.Missed > 0 {
		text += fmt.Sprintf("; %d others that caused incidents would have passed", d.Missed)
	}
	if d.Errors > 0 {
		text += fmt.Sprintf("; for %d it could not be evaluated", d.Errors)
	}
	if len(d.Assumed) > 0 {
		text += "; assumed that " + strings.Join(d.Assumed, ", and that ")
	}
	return text
}

// stops says whether the policy would have stopped a change, when it went out or at a later stage of it.
func (t *trial) stops(c *ops.Change, recorder string) (ops.PolicyStopped, bool) {
	moments := []int{0}
	for i := range c.Stages {
		if st := &c.Stages[i]; !st.StartedAt.IsZero() {
			moments = append(moments, i+1)
		}
	}
	if len(moments) > 1 {
		moments = moments[1:]
	}
	for _, stage := range moments {
		at := c.StartedAt
		if stage > 0 {
			at = c.Stages[stage-1].StartedAt
		}
		t.see(c, stage, at.Time, recorder)
		if held := t.set.Evaluate(&t.facts); len(held) > 0 {
			h := held[0]
			return ops.PolicyStopped{ChangeID: c.ID, Title: c.Title, Service: c.Service, Stage: stage, At: at, Effect: h.Effect, Error: h.Error}, true
		}
	}
	return ops.PolicyStopped{}, false
}

// see takes in what the policy would have seen.
func (t *trial) see(c *ops.Change, stage int, at time.Time, recorder string) {
	service, _ := t.catalog.Service(c.Service)
	scope := known(t.catalog, stageScope(c, stage))
	f := &t.facts
	*f = policy.Facts{
		Change: c, Service: service, Environment: orDefault(c.Environment, Production), Risk: orDefault(c.Risk, "medium"), Stage: stage, Scope: scope,
		Actor: ops.Principal{Name: recorder, Role: ops.CI}, Now: at, Zone: t.zone,
	}
	if t.set.Uses("stores") && len(spots(scope)) > 0 {
		f.Stores = len(t.places.storesIn(scope))
	}
	if t.set.Uses("freezes") {
		t.past.freezes.at(at).touching(&scope, func(z closedFreeze) {
			if len(f.Freezes) < policy.MaxItems {
				f.Freezes = append(f.Freezes, policy.Freeze{ID: z.ID, Name: z.Name, Exempt: slices.Contains(z.Exempt.Kinds, c.Kind)})
			}
		})
	}
	if t.set.Uses("incidents") {
		f.Incidents = t.open(scope, at)
	}
}

// open are the incidents in scope that had been detected by then and were not yet resolved.
func (t *trial) open(scope ops.Scope, at time.Time) (out []policy.Incident) {
	for i := range t.past.incidents {
		inc := &t.past.incidents[i]
		if inc.DetectedAt.After(at) || (!inc.ResolvedAt.IsZero() && !inc.ResolvedAt.After(at)) || len(out) == policy.MaxItems {
			continue
		}
		if inc.Scope.Overlaps(scope) && t.catalog.Overlap(inc.Scope, scope) {
			out = append(out, policy.Incident{ID: inc.ID, Title: inc.Title, Severity: string(inc.Severity)})
		}
	}
	return out
}

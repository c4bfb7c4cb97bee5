package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"goc/incidents/suspects"
	"goc/ops"
)

// young is how long the suspects of an incident are ranked often.
const young = 10 * time.Minute

// rankDue ranks the suspects of every incident whose turn it is, all of them at once.
func (e *Engine) rankDue(now time.Time) {
	var due []*incident
	var cases []suspects.Case
	for _, inc := range e.active {
		if inc.State.Active() && e.due(inc, now) {
			due, cases = append(due, inc), append(cases, e.caseOf(inc))
		}
	}
	if len(due) == 0 {
		return
	}
	for i, r := range e.changes.RankAll(cases, e.suspectWorld(e.cfg.Weights), now) {
		if due[i].State.Active() { // one that was merged meanwhile is done with
			e.ranked(due[i], r, now)
			e.regroup(due[i], now)
		}
	}
}

// due says whether inc is to be ranked: at once when an alert or a person gave reason, and as new samples and changes
// come in, often while it is young. Once a person located the cause or it recovered, only when there is new reason.
func (e *Engine) due(inc *incident, now time.Time) bool {
	if inc.rankedAt.IsZero() {
		return true
	}
	age, since := now.Sub(inc.DetectedAt.Time), now.Sub(inc.rankedAt)
	pause := time.Minute
	switch {
	case age < time.Minute:
		pause = time.Second
	case age < young:
		pause = 5 * time.Second
	}
	if since < pause {
		return false
	}
	if inc.rankDue {
		return true
	}
	if inc.Confirmed != "" || !inc.RecoveredAt.IsZero() || age > 2*time.Hour {
		return false
	}
	return since >= time.Minute || e.sampled.After(inc.rankedAt)
}

// ranked takes a ranking of inc.
func (e *Engine) ranked(inc *incident, r suspects.Ranking, now time.Time) {
	inc.rankDue, inc.rankedAt = false, now
	before := ""
	if first, ok := inc.firstSuspect(); ok {
		before = first.ChangeID
	}
	same := sameRanking(inc.Suspects, r.Suspects) && math.Abs(inc.NoChange-r.NoChange) < 0.01
	inc.Suspects, inc.NoChange = r.Suspects, r.NoChange
	e.out.Ranked = append(e.out.Ranked, Ranked{At: ops.At(now), Kind: "suspects", Incident: inc.ID, Suspects: r.Suspects, NoChange: r.NoChange})
	if same {
		return
	}
	e.touch(inc)
	e.fillPlans(inc)
	e.tellRanking(inc, before, now)
}

// firstSuspect is the change that stands first, which is never one that people ruled out.
func (inc *incident) firstSuspect() (ops.Suspect, bool) {
	if len(inc.Suspects) == 0 || inc.Suspects[0].Verdict == "rejected" {
		return ops.Suspect{}, false
	}
	return inc.Suspects[0], true
}

// sameRanking says whether two rankings would look the same to people.
func sameRanking(a, b []ops.Suspect) bool {
	return slices.EqualFunc(a, b, func(x, y ops.Suspect) bool {
		return x.ChangeID == y.ChangeID && x.Verdict == y.Verdict && math.Abs(x.Probability-y.Probability) < 0.01
	})
}

// tellRanking makes an event when the first place changed; when only the probabilities moved, one that stays off the timeline.
func (e *Engine) tellRanking(inc *incident, before string, now time.Time) {
	first, ok := inc.firstSuspect()
	if !ok {
		if before != "" {
			e.event(inc, now, "suspects_ranked", "suspect", "", "no change on record is suspect any more", map[string]any{"no_change": inc.NoChange})
		}
		return
	}
	quiet := first.ChangeID == before
	if quiet && math.Abs(first.Probability-inc.toldP) < 0.05 {
		return
	}
	inc.toldP = first.Probability
	text := fmt.Sprintf("first suspect: %s, %s (%s)", first.ChangeID, first.Title, percent(first.Probability))
	if len(first.Reasons) > 0 && first.Reasons[0].Weight > 0 {
		text += ": " + first.Reasons[0].Text
	}
	if inc.NoChange > first.Probability {
		text = fmt.Sprintf("probably no change did it (%s); %s", percent(inc.NoChange), text)
	}
	e.event(inc, now, "suspects_ranked", "suspect", "", text, map[string]any{"change_id": first.ChangeID, "probability": first.Probability, "no_change": inc.NoChange, "quiet": quiet})
}

// percent writes a probability; nothing is ever quite certain.
func percent(p float64) string {
	if p > 0.99 {
		return "over 99 %"
	}
	return fmt.Sprintf("%.0f %%", 100*p)
}

func (e *Engine) fillPlans(inc *incident) {
	if e.hooks.PlansFor != nil {
		inc.Plans = e.hooks.PlansFor(inc.snapshot(e.cfg.MaxListed))
	}
}

// caseOf is inc as the ranking sees it.
func (e *Engine) caseOf(inc *incident) suspects.Case {
	k := suspects.Case{
		Onset: inc.OnsetAt.Time, OnsetBy: time.Duration(inc.OnsetBy), Services: e.unexplained(inc), Stores: inc.Scope.Store,
		Place: inc.Scope, Rejected: map[string]bool{}, Confirmed: inc.Confirmed,
	}
	if inc.rootSight.class() != aboutService {
		k.Services = nil // what fails in a dark store is its symptom, not its cause
	}
	switch {
	case !inc.RecoveredAt.IsZero():
		k.Until = inc.RecoveredAt.Time
	case !inc.QuietSince.IsZero():
		k.Until = inc.QuietSince.Time
	}
	k.Place.Service, k.Place.Tier, k.Place.Business, k.Place.Store = nil, nil, nil, nil
	for _, id := range inc.Rejected {
		k.Rejected[id] = true
	}
	return k
}

// unexplained lists the services that show the symptom, but for those that only depend on the one that explains the
// others: what else they call has nothing to do with it.
func (e *Engine) unexplained(inc *incident) []string {
	out := inc.services()
	if len(out) < 2 || inc.rootSight.service == "" {
		return out
	}
	below, above := e.walks.of(inc.rootSight.service)
	return slices.DeleteFunc(out, func(name string) bool {
		return name != inc.rootSight.service && has(above, name) && !has(below, name)
	})
}

// seeChange takes a change as it now is, and has the incidents that are young ranked again.
func (e *Engine) seeChange(c ops.Change, now time.Time) {
	if c.ID == "" {
		return
	}
	if c.CreatedAt.IsZero() {
		c.CreatedAt = ops.At(now)
	}
	if c.StartedAt.IsZero() && (c.Status == "" || c.Status == ops.ChangeStarted || c.Status == ops.ChangeFinished) {
		c.StartedAt = c.CreatedAt
	}
	e.changes.Put(c)
	e.dueForChange(now)
}

func (e *Engine) dueForChange(now time.Time) {
	for _, inc := range e.active {
		if now.Sub(inc.DetectedAt.Time) <= 3*young && inc.Confirmed == "" {
			inc.rankDue = true
		}
	}
}

// maxStages bounds the stages that a Stage input may make.
const maxStages = 1_000

// seeStage moves one stage of a change that was seen before.
func (e *Engine) seeStage(in Stage, now time.Time) {
	old, ok := e.changes.Change(in.ChangeID)
	if !ok || in.Stage < 1 || in.Stage > maxStages {
		return
	}
	c := *old
	c.Stages = slices.Clone(old.Stages)
	for len(c.Stages) < in.Stage {
		c.Stages = append(c.Stages, ops.Stage{})
	}
	st := &c.Stages[in.Stage-1]
	at := in.At
	if at.IsZero() {
		at = ops.At(now)
	}
	if len(in.Units) > 0 {
		st.Units, st.Replaces = in.Units, in.Replaces
	}
	if len(in.Stores) > 0 {
		st.Scope.Store = in.Stores
	}
	if st.StartedAt.IsZero() {
		st.StartedAt = at
	}
	if in.State == "finished" {
		st.FinishedAt = at
	}
	e.changes.Put(c)
	e.dueForChange(now)
}

// textOf is the sentence of an event.
func textOf(ev ops.Event) string {
	var d struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal(ev.Data, &d) // an event without data has no text
	return d.Text
}

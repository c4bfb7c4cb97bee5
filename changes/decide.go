package changes

import (
	"fmt"
	"time"

	"goc/ops"
)

// Rules that a reason may name, beyond those of the contract.
const (
	ruleFreeze     = "freeze"
	ruleIncident   = "incident"
	ruleStage      = "stage"
	ruleApproval   = "approval"
	ruleBreakGlass = "break_glass"
	ruleRollback   = "rollback"

	ruleBudget      = "error_budget"
	ruleCollision   = "collision"
	ruleShare       = "share"
	ruleReview      = "review"
	ruleRedLine     = "red_line"
	ruleMaintenance = "maintenance"
	ruleCatalog     = "catalog"
	rulePolicy      = "policy:" // and its name
)

// Decide answers a request from what is known at now, with every reason that holds. It reads no clock and changes nothing.
func Decide(r Request, s State, now time.Time) ops.Decision {
	w := working(r, s)
	defer w.done()
	w.gather(now)
	return judgeOf(&w.in)
}

// Judge makes the decision from its inputs alone, so that one on record can be made again.
func Judge(in Inputs) ops.Decision { return judgeOf(&in) }

func judgeOf(in *Inputs) ops.Decision {
	j := judge{in: in, now: in.At.Time, reasons: make([]ops.Reason, 0, in.most())}
	for _, rule := range []func(){
		j.maintenance, j.redLines, j.stage, j.before, j.freezes, j.incidents, j.budgets, j.collisions, j.crowded,
		j.reviews, j.rollback, j.approvals, j.policies, j.unknown,
	} {
		rule()
	}
	d := ops.Decision{ChangeID: in.ChangeID, At: in.At}
	switch {
	case in.Rollback:
		d.Reasons = append([]ops.Reason{{Rule: ruleRollback, Effect: ops.EffectAllow, Message: "a rollback is never held back"}}, passed(j.reasons)...)
		d.Decision = ops.EffectAllow
	default:
		d.Decision = j.worst()
		j.breakGlass()
		d.Reasons = j.reasons
	}
	if d.Reasons == nil {
		d.Reasons = []ops.Reason{}
	}
	d.ValidUntil = ops.At(j.now.Add(time.Duration(in.Valid)))
	if d.Decision != ops.EffectAllow && !j.final {
		d.RetryAfterS = j.retryAfter()
	}
	return d
}

// most is how many reasons there can be, nearly.
func (in *Inputs) most() int {
	return 3 + len(in.RedLines) + len(in.Freezes) + len(in.Incidents) + len(in.Budgets) + len(in.Collisions) + len(in.Crowded) + len(in.Policies)
}

// judge collects the reasons of one decision.
type judge struct {
	in      *Inputs
	now     time.Time
	reasons []ops.Reason
	until   time.Time // the latest known end of what holds the change back
	open    bool      // something holds it back whose end nobody knows
	final   bool      // something holds it back that no time ends
}

var (
	commander = ops.Commander
	admin     = ops.Admin
)

// overridable is the role as a reason names it, nil when nobody may.
func overridable(r ops.Role) *ops.Role {
	switch r {
	case "":
		return nil
	case ops.Admin:
		return &admin
	}
	return &commander
}

// add takes a reason that someone with the commander's role may override. end is when it stops to hold, zero when unknown.
func (j *judge) add(rule, effect string, end time.Time, evidence, format string, args ...any) {
	j.addFor(ops.Commander, rule, effect, end, evidence, fmt.Sprintf(format, args...))
}

// addFor takes a reason that someone with the role may override; "" is nobody.
func (j *judge) addFor(role ops.Role, rule, effect string, end time.Time, evidence, message string) {
	r := ops.Reason{Rule: rule, Effect: effect, Message: message, Evidence: evidence}
	if effect != ops.EffectAllow {
		r.Override = overridable(role)
		if end.IsZero() {
			j.open = true
		} else if end.After(j.until) {
			j.until = end
		}
	}
	j.reasons = append(j.reasons, r)
}

// refuse takes a reason that nobody may override.
func (j *judge) refuse(format string, args ...any) {
	j.final, j.open = true, true
	j.reasons = append(j.reasons, ops.Reason{Rule: ruleStage, Effect: ops.EffectDeny, Message: fmt.Sprintf(format, args...)})
}

// stage looks at the change itself and the stage that is asked for.
func (j *judge) stage() {
	in := j.in
	switch {
	case in.Status != "" && !in.Status.Open():
		j.refuse("%s is %s; record a new change", in.ChangeID, in.Status)
	case in.TakenBy != "":
		j.refuse("stage %d of %s was started by %s at %s; ask for the next stage", in.Stage, in.ChangeID, in.TakenBy, in.TakenAt)
	case in.Status == ops.ChangePaused:
		j.add(ruleStage, ops.EffectWait, time.Time{}, "", "%s is paused; resume it first", in.ChangeID)
	}
}

// before looks at the stage before the one that is asked for, and its bake.
func (j *judge) before() {
	b := j.in.Before
	if b == nil {
		return
	}
	link := "/changes/" + j.in.ChangeID
	switch {
	case b.Undone > 0:
		j.add(ruleStage, ops.EffectDeny, time.Time{}, link, "stage %d was rolled back; record a new change", b.Undone)
	case b.Skipped > 0 && b.Skipped < b.Number:
		j.add(ruleStage, ops.EffectDeny, time.Time{}, link, "stage %d would skip stage %d, which has not finished", j.in.Stage, b.Skipped)
	case b.Skipped > 0:
		j.add(ruleStage, ops.EffectWait, time.Time{}, link, "stage %d has not finished yet", b.Skipped)
	case b.Verdict == ops.Unhealthy:
		j.add(ruleStage, ops.EffectDeny, time.Time{}, link, "stage %d is unhealthy%s; roll it back", b.Number, colon(b.Reason))
	case b.Verdict == ops.Baking && j.now.Before(b.BakesTo.Time):
		j.add(ruleStage, ops.EffectWait, b.BakesTo.Time, link, "stage %d bakes until %s (%s more)", b.Number, b.BakesTo, ops.Since(b.BakesTo.Sub(j.now)))
	case b.Verdict == ops.Baking:
		j.add(ruleStage, ops.EffectWait, j.now.Add(5*time.Second), link, "the bake of stage %d is over and its verdict is being computed", b.Number)
	case b.Verdict == ops.NoData:
		j.add(ruleStage, b.NoData, time.Time{}, link, "the bake of stage %d saw too little to say that it is healthy%s", b.Number, colon(b.Reason))
	case b.Verdict == ops.Healthy:
		j.add(ruleStage, ops.EffectAllow, time.Time{}, link, "stage %d is healthy", b.Number)
	}
}

func colon(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

func (j *judge) freezes() {
	for _, f := range j.in.Freezes {
		effect, why := ops.EffectDeny, ""
		switch {
		case f.Exempt != "":
			effect, why = ops.EffectAllow, "; "+f.Exempt+" is exempt"
		case f.InFlight == InFlightFinish:
			effect, why = ops.EffectAllow, "; a rollout under way may finish"
		case f.InFlight == InFlightRollback:
			why = "; a rollout under way is to be rolled back"
		case f.InFlight == InFlightPause:
			why = "; a rollout under way is held"
		}
		j.add(ruleFreeze, effect, f.To.Time, "/freezes/"+f.ID, "freeze %s (%s) holds until %s%s%s", f.ID, f.Name, f.To, why, colon(f.Reason))
	}
}

func (j *judge) incidents() {
	for _, i := range j.in.Incidents {
		if i.Cause {
			j.add(ruleIncident, i.Effect, time.Time{}, "/incidents/"+i.ID, "%s (%s, %s) is open and this change is its first suspect; roll it back or reject the suspicion",
				i.ID, i.Severity, i.Title)
			continue
		}
		j.add(ruleIncident, i.Effect, time.Time{}, "/incidents/"+i.ID, "%s (%s, %s) is open in this scope", i.ID, i.Severity, i.Title)
	}
}

// breakGlass adds the override, which opens what its person's role may override.
func (j *judge) breakGlass() {
	if o := j.in.Override; o != nil {
		j.reasons = append(j.reasons, ops.Reason{
			Rule: ruleBreakGlass, Effect: ops.EffectAllow,
			Message: fmt.Sprintf("%s broke the glass until %s: %s", o.Person, o.ExpiresAt, o.Reason),
		})
	}
}

// worst is the decision: a denial counts over a wait, a wait over nothing. What was opened does not count.
func (j *judge) worst() string {
	decision := ops.EffectAllow
	for i := range j.reasons {
		if r := &j.reasons[i]; r.Effect != ops.EffectAllow && !j.opened(r) {
			decision = worse(decision, r.Effect)
		}
	}
	return decision
}

// opened says whether an override, or the gate's own maintenance, opens what a reason holds.
func (j *judge) opened(r *ops.Reason) bool {
	if r.Override == nil {
		return false
	}
	if m := j.in.Maintenance; m != nil && m.Mode == ops.EffectAllow {
		return true
	}
	o := j.in.Override
	return o != nil && (*r.Override != ops.Admin || o.Role == ops.Admin)
}

// retryAfter is in how many seconds it is worth to ask again: when what holds the change back has ended, as far as that
// is known.
func (j *judge) retryAfter() int {
	wait := j.until.Sub(j.now)
	if j.until.IsZero() || j.open {
		wait = max(wait, time.Duration(j.in.Retry))
	}
	return max(1, int((wait+time.Second-1)/time.Second))
}

// passed are the reasons that would have held a change that is no rollback; none of them counts.
func passed(reasons []ops.Reason) []ops.Reason {
	out := make([]ops.Reason, len(reasons))
	for i, r := range reasons {
		r.Effect, r.Override = ops.EffectAllow, nil
		out[i] = r
	}
	return out
}

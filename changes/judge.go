package changes

import (
	"fmt"
	"strings"
	"time"

	"goc/ops"
)

func (j *judge) maintenance() {
	m := j.in.Maintenance
	if m == nil {
		return
	}
	j.addFor(ops.Admin, ruleMaintenance, m.Mode, m.Until.Time, "", fmt.Sprintf("the gate is under maintenance until %s and %s: %s", m.Until, underMaintenance(m.Mode), m.Reason))
}

func (j *judge) redLines() {
	for _, l := range j.in.RedLines {
		j.addFor(l.Override, ruleRedLine, ops.EffectDeny, time.Time{}, "",
			fmt.Sprintf("red line %s is crossed since %s: %s; nothing goes out until it is over", l.Name, l.Since, l.Text))
	}
}

func (j *judge) budgets() {
	for i := range j.in.Budgets {
		b := &j.in.Budgets[i]
		for _, w := range b.Burning {
			j.add(ruleBudget, w.Effect, time.Time{}, "/services/"+b.Service,
				"%s burns its error budget %.3g times too fast over the last %s and %.3g over %s (%g is the limit) since %s; %s of the budget of %s is left",
				b.Service, w.InShort, w.Short, w.InLong, w.Long, w.Limit, w.Since, percent(b.Left), days(time.Duration(b.Period)))
		}
		switch {
		case len(b.Burning) > 0:
		case !b.Known:
			j.add(ruleBudget, ops.EffectAllow, time.Time{}, "/services/"+b.Service, "how %s stands against its objective of %s is not known: there are no samples", b.Service, percent(b.Objective))
		default:
			j.add(ruleBudget, ops.EffectAllow, time.Time{}, "/services/"+b.Service, "%s of the error budget of %s is left, burning %.3g times as fast as it may", percent(b.Left), b.Service, b.Burn)
		}
	}
}

func (j *judge) collisions() {
	for _, c := range j.in.Collisions {
		where := "in service " + c.Service
		if c.Store != "" {
			where = "in " + c.Store
		}
		end := "until it has finished"
		if !c.Until.IsZero() {
			end = "until its bake ends at " + c.Until.String()
		}
		j.add(ruleCollision, j.in.CollideWith, c.Until.Time, "/changes/"+c.ID, "%s (%s) of %s is under way %s %s", c.ID, c.Title, orDefault(c.By, "someone"), where, end)
	}
}

func (j *judge) crowded() {
	for _, c := range j.in.Crowded {
		effect, then := ops.EffectWait, "wait until others have finished"
		if c.fitsNever() {
			effect, then = ops.EffectDeny, "go out in smaller stages"
		}
		j.add(ruleShare, effect, time.Time{}, "", "%d of the %d stores of %s would be under change at once, %d of them by this change, and %s is the most; %s",
			c.Now+c.More, c.Of, orDefault(c.Place, "the chain"), c.More, percent(c.Cap), then)
	}
}

func (j *judge) reviews() {
	if d := &j.in.Demanded; len(d.Reviews) > 0 {
		j.add(ruleReview, d.ReviewEffect, time.Time{}, j.link(), "evidence is missing of %s; give a link for each under reviews", strings.Join(d.Reviews, ", "))
	}
}

func (j *judge) rollback() {
	switch d := &j.in.Demanded; {
	case d.Rollback != "":
		j.add(ruleRollback, d.RollbackWith, time.Time{}, j.link(), "%s", d.Rollback)
	case d.Rehearsed != "":
		j.add(ruleRollback, ops.EffectAllow, time.Time{}, j.link(), "%s", d.Rehearsed)
	}
}

// link is where a person can look at the change, "" when it is not on record.
func (j *judge) link() string {
	if j.in.ChangeID == "" {
		return ""
	}
	return "/changes/" + j.in.ChangeID
}

func (j *judge) approvals() {
	in := j.in
	switch have := len(in.Approvers); {
	case have < in.Need:
		who := "someone other than " + orDefault(in.Author, "its author")
		if len(in.From) > 0 {
			who += " of " + strings.Join(in.From, ", ")
		}
		void := ""
		if len(in.Void) > 0 {
			void = " (not counted: " + strings.Join(in.Void, "; ") + ")"
		}
		j.add(ruleApproval, ops.EffectWait, time.Time{}, j.link(), "%d of %d approvals; %s must approve%s", have, in.Need, who, void)
	case have > 0:
		j.add(ruleApproval, ops.EffectAllow, time.Time{}, j.link(), "approved by %s", strings.Join(in.Approvers, ", "))
	}
}

func (j *judge) policies() {
	for _, p := range j.in.Policies {
		message := orDefault(p.Message, "its condition holds")
		if p.Error != "" {
			message = "it could not be evaluated: " + p.Error
		}
		j.addFor(p.Override, rulePolicy+p.Name, p.Effect, time.Time{}, "", message)
	}
}

// unknown flags a service that nothing is known of: it may be misspelt.
func (j *judge) unknown() {
	if j.in.Unknown {
		j.add(ruleCatalog, ops.EffectAllow, time.Time{}, "", "the catalog does not list this service, so rules by tier, chain or budget do not hold it")
	}
}

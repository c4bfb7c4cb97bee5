package changes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"goc/changes/policy"
	"goc/changes/rollup"
	"goc/ops"
)

// Bounds of the rules.
const (
	maxRules  = 50 // review rules, red lines, burn windows, groups
	maxNames  = 500
	maxDepth  = 3
	maxPeriod = 90 * 24 * time.Hour
)

// validateRules names each bad field of the rules.
func (c Config) validateRules() error {
	for _, check := range []func() error{
		c.ErrorBudget.validate, c.Collision.validate, c.MaxShare.validate, c.validateReviews, c.Rollback.validate,
		c.validateApprovals, c.validateRedLines, c.Maintenance.validate, c.validateZone, c.validatePolicies,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (b ErrorBudget) validate() error {
	if badObjective(b.Objective) {
		return bad("error_budget.objective", "must be a share of success over 0 and under 1, such as 0.999")
	}
	for _, o := range b.Services {
		if badObjective(o.Objective) {
			return bad("error_budget.services", "each objective must be over 0 and under 1, or 0 for none")
		}
	}
	if len(b.Windows) > maxRules || len(b.Services) > 10_000 {
		return bad("error_budget", "may have at most %d windows and 10000 services", maxRules)
	}
	if d := time.Duration(b.Period); d != 0 && (d < time.Hour || d > maxPeriod) {
		return bad("error_budget.period", "must be between 1h and 90d")
	}
	for i, w := range b.Windows {
		at := fmt.Sprintf("error_budget.windows[%d]", i)
		switch {
		case time.Duration(w.Short) < rollup.Width || time.Duration(w.Long) > rollup.MaxRecent || w.Short > w.Long:
			return bad(at, "short must be at least %s, long at most 24h, and short not over long", ops.Duration(rollup.Width))
		case !(w.Burn > 0):
			return bad(at+".burn", "must be over 0")
		case w.Effect != ops.EffectDeny && w.Effect != ops.EffectWait:
			return bad(at+".effect", "must be deny or wait")
		}
	}
	return nil
}

func badObjective(o float64) bool { return o != 0 && !(o > 0 && o < 1) }

func (c Collision) validate() error {
	switch {
	case !holdsBack(c.Effect):
		return bad("collision.effect", "must be wait or deny")
	case c.Depth != nil && (*c.Depth < 0 || *c.Depth > maxDepth):
		return bad("collision.depth", "must be between 0 and %d", maxDepth)
	case c.Stale != 0 && time.Duration(c.Stale) < time.Minute:
		return bad("collision.stale", "must be at least 1m")
	}
	return nil
}

// holdsBack says whether an effect is one that a rule may have, or absent.
func holdsBack(effect string) bool {
	return effect == "" || effect == ops.EffectWait || effect == ops.EffectDeny
}

func (m MaxShare) validate() error {
	for _, v := range []float64{m.City, m.Region, m.All} {
		if !(v >= 0 && v <= 1) {
			return bad("max_share", "must be a share between 0 and 1")
		}
	}
	return nil
}

func (c Config) validateReviews() error {
	if len(c.Reviews) > maxRules {
		return bad("reviews", "may be at most %d", maxRules)
	}
	for i, r := range c.Reviews {
		at := fmt.Sprintf("reviews[%d]", i)
		if len(r.Need) == 0 {
			return bad(at+".need", "must name what is needed, of %s", strings.Join(Reviews[:], ", "))
		}
		for _, n := range r.Need {
			if !slices.Contains(Reviews[:], n) {
				return bad(at+".need", "must be of %s", strings.Join(Reviews[:], ", "))
			}
		}
		if slices.ContainsFunc(r.Risk, func(s string) bool { return !isRisk(s) }) {
			return bad(at+".risk", "must be low, medium or high")
		}
		if slices.ContainsFunc(r.Kinds, func(k ops.ChangeKind) bool { return !slices.Contains(ops.ChangeKinds[:], k) }) {
			return bad(at+".kinds", "no such kind of change")
		}
		if !holdsBack(r.Effect) {
			return bad(at+".effect", "must be deny or wait")
		}
	}
	return nil
}

func (r RollbackRule) validate() error {
	switch {
	case slices.ContainsFunc(r.Required.Risk, func(s string) bool { return !isRisk(s) }):
		return bad("rollback.required.risk", "must be low, medium or high")
	case !holdsBack(r.Effect):
		return bad("rollback.effect", "must be deny or wait")
	case r.RehearsedWithin != 0 && time.Duration(r.RehearsedWithin) < time.Hour:
		return bad("rollback.rehearsed_within", "must be at least 1h")
	}
	return nil
}

func (c Config) validateApprovals() error {
	if len(c.Groups) > maxRules {
		return bad("groups", "may be at most %d", maxRules)
	}
	for name, people := range c.Groups {
		if name == "" || len(people) == 0 || len(people) > maxNames || ops.Role(name).Valid() {
			return bad("groups", "a group must have a name that is no role's, and 1 to %d people", maxNames)
		}
	}
	for risk, a := range c.Approvals {
		if !isRisk(risk) || a.Need < 0 || a.Need > 10 {
			return bad("approvals", "must give for low, medium or high how many people must approve, 0 to 10")
		}
		if len(a.From) > maxNames || slices.Contains(a.From, "") {
			return bad("approvals."+risk+".from", "must name at most %d people, groups or roles", maxNames)
		}
	}
	return nil
}

func (c Config) validateRedLines() error {
	if len(c.RedLines) > maxRules {
		return bad("red_lines", "may be at most %d", maxRules)
	}
	seen := map[string]bool{}
	for i, l := range c.RedLines {
		at := fmt.Sprintf("red_lines[%d]", i)
		if l.Name == "" || len(l.Name) > ops.MaxNameLength || seen[l.Name] {
			return bad(at+".name", "must be there, and no other's")
		}
		seen[l.Name] = true
		if err := l.validate(at); err != nil {
			return err
		}
	}
	return nil
}

func (l RedLine) validate(at string) error {
	limits := 0
	for _, set := range []bool{l.Above != nil || l.Below != nil, l.Dark != 0, l.Changing != 0} {
		if set {
			limits++
		}
	}
	switch {
	case limits != 1:
		return bad(at, "must have one limit: above or below of an indicator, dark, or changing")
	case (l.Above != nil || l.Below != nil) != (l.Indicator != "" && l.Service != "") || (l.Indicator == "") != (l.Service == ""):
		return bad(at+".indicator", "a limit above or below is of an indicator of a service: name both")
	case l.Over != 0 && (time.Duration(l.Over) < rollup.Width || time.Duration(l.Over) > rollup.MaxRecent):
		return bad(at+".over", "must be between %s and 24h", ops.Duration(rollup.Width))
	case !(l.Dark >= 0 && l.Dark <= 1) || !(l.Changing >= 0 && l.Changing <= 1):
		return bad(at, "dark and changing are shares between 0 and 1")
	case l.InFlight != "" && l.InFlight != InFlightFinish && l.InFlight != InFlightPause && l.InFlight != InFlightRollback:
		return bad(at+".in_flight", "must be finish, pause or rollback")
	case l.Override != "" && l.Override != policy.Nobody && l.Override != string(ops.Admin):
		return bad(at+".override", "must be admin or nobody")
	}
	return l.Scope.Validate("gate." + at + ".scope")
}

func (m Maintenance) validate() error {
	switch {
	case m.Mode == "" && m.Until.IsZero() && m.Reason == "":
		return nil
	case m.Mode != ops.EffectAllow && m.Mode != ops.EffectDeny:
		return bad("maintenance.mode", "must be allow or deny")
	case m.Until.IsZero():
		return bad("maintenance.until", "must say until when")
	case len(m.Reason) < 3 || len(m.Reason) > MaxText:
		return bad("maintenance.reason", "must say why, in 3 to %d bytes", MaxText)
	}
	return nil
}

func (c Config) validateZone() error {
	if _, err := c.zone(); err != nil || c.Timezone == "Local" {
		return bad("timezone", "must be an IANA name such as Asia/Shanghai")
	}
	return nil
}

func (c Config) validatePolicies() error {
	_, err := policy.Compile(c.Policies, "gate.policies")
	return err
}

package changes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"goc/changes/policy"
	"goc/changes/rollup"
	"goc/ops"
)

// ErrorBudget says how reliable services must be, and what a burn that is too fast does (Google SRE Workbook, chapter 5:
// alerting on SLOs, the multiwindow, multi-burn-rate rules).
type ErrorBudget struct {
	// Objective is the share of success, such as 0.999, of every service that has the indicator. 0: only of those in Services.
	Objective float64 `yaml:"objective"`
	// Indicator is what success is measured by. Absent: success_ratio.
	Indicator string `yaml:"indicator"`
	// Period is the time for which the budget is given. Absent: 30d.
	Period ops.Duration `yaml:"period"`
	// Windows are the burns that hold a change back. Absent: 14.4 times over 5m and 1h denies, 6 times over 30m and 6h waits.
	Windows []BurnWindow `yaml:"windows"`
	// Services are objectives of their own; one of 0 has none. Their budget is told even while it holds nothing back.
	Services map[string]Objective `yaml:"services"`
}

// Objective is the share of success that one service must reach.
type Objective struct {
	Objective float64 `yaml:"objective"`
}

// BurnWindow holds a change back while the burn is over its limit both in the short and in the long time: the long one
// says that it matters, the short one that it still goes on.
type BurnWindow struct {
	Short  ops.Duration `yaml:"short"`
	Long   ops.Duration `yaml:"long"`
	Burn   float64      `yaml:"burn"` // times faster than what uses the budget up within its period
	Effect string       `yaml:"effect"`
}

// Collision says what another change in flight does that this one would meet. Absent: nothing.
type Collision struct {
	Effect string `yaml:"effect"` // wait or deny; "" is off
	// Depth is how many calls apart two services are one chain. Absent: 1; 0 is the same service only.
	Depth *int `yaml:"depth"`
	// Stale is after how long without a move a change no longer counts as in flight. Absent: 24h.
	Stale ops.Duration `yaml:"stale"`
}

// MaxShare is how much of the stores of one city, of one region and of the whole chain may be under change at once, as
// shares of 1; 0 is no limit. One store always may. In YAML one number is a limit for all three.
type MaxShare struct {
	City   float64 `yaml:"city"`
	Region float64 `yaml:"region"`
	All    float64 `yaml:"all"`
}

// UnmarshalYAML reads a number, or the three apart.
func (m *MaxShare) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		var all float64
		if err := n.Decode(&all); err != nil {
			return err
		}
		*m = MaxShare{City: all, Region: all, All: all}
		return nil
	}
	type plain MaxShare
	return strictly(n, (*plain)(m))
}

// ReviewRule demands evidence of reviews: the changes that it is about must name a link for each.
type ReviewRule struct {
	Tier   []string         `yaml:"tier"`   // of the service; absent: any
	Risk   []string         `yaml:"risk"`   // absent: any
	Kinds  []ops.ChangeKind `yaml:"kinds"`  // absent: any
	Need   []string         `yaml:"need"`   // prd, design, test_case, code, test, gray, operation
	Effect string           `yaml:"effect"` // what missing evidence does: deny (absent) or wait
}

// Reviews are the names of evidence in the order of the release funnel: product, design, test case, coding, code review
// and test, gray release, operation.
var Reviews = [...]string{"prd", "design", "test_case", "code", "test", "gray", "operation"}

// RollbackRule demands a way back of the changes that it is about.
type RollbackRule struct {
	Required RollbackRequired `yaml:"required"`
	// RehearsedWithin demands a plan as the way back, that was run or tried dry within this time. Absent: any text will do.
	RehearsedWithin ops.Duration `yaml:"rehearsed_within"`
	Effect          string       `yaml:"effect"` // deny (absent) or wait
}

// RollbackRequired says whose way back must be named. Where both are empty, nobody's.
type RollbackRequired struct {
	Tier []string `yaml:"tier"`
	Risk []string `yaml:"risk"`
}

// ApprovalRule is how many people must approve, and who counts. In YAML a number is its need alone.
type ApprovalRule struct {
	Need int      `yaml:"need"` // 0 to 10
	From []string `yaml:"from"` // people, groups and roles; absent: anyone who may approve
}

// UnmarshalYAML reads a number, or need and from.
func (a *ApprovalRule) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&a.Need)
	}
	type plain ApprovalRule
	return strictly(n, (*plain)(a))
}

// strictly reads a mapping and refuses keys that it does not know, as the file around it does.
func strictly(n *yaml.Node, v any) error {
	text, err := yaml.Marshal(n)
	if err != nil {
		return err
	}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	d.KnownFields(true)
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("line %d: %s", n.Line, strings.TrimPrefix(err.Error(), "yaml: unmarshal errors:\n  "))
	}
	return nil
}

// RedLine is a hard limit. While it is crossed nothing may go out in its scope, whoever asks, and it pages. It is about
// an indicator, or about a share of stores.
type RedLine struct {
	Name  string    `yaml:"name"`
	Scope ops.Scope `yaml:"scope"` // of the changes that it holds; absent: all

	Service   string       `yaml:"service"`
	Indicator string       `yaml:"indicator"`
	Above     *float64     `yaml:"above"`
	Below     *float64     `yaml:"below"`
	Over      ops.Duration `yaml:"over"` // the mean of how much time counts; absent: 5m

	// Dark and Changing are shares of the stores in Scope: those that are dark, and those under change.
	Dark     float64 `yaml:"dark"`
	Changing float64 `yaml:"changing"`

	InFlight string `yaml:"in_flight"` // what a rollout under way does: finish (absent), pause, rollback
	Override string `yaml:"override"`  // admin, or nobody (absent)
	Severity string `yaml:"severity"`  // label of the alert; absent: critical
}

// Maintenance is the gate's own: until then everything is allowed, or nothing is.
type Maintenance struct {
	Mode   string   `yaml:"mode"` // allow or deny; "" is off
	Until  ops.Time `yaml:"until"`
	Reason string   `yaml:"reason"`
}

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

// zone is where the wall clock of policies hangs.
func (c Config) zone() (*time.Location, error) { return time.LoadLocation(c.Timezone) }

func (b ErrorBudget) indicator() string { return orDefault(b.Indicator, "success_ratio") }
func (b ErrorBudget) period() time.Duration {
	return orDefault(time.Duration(b.Period), 30*24*time.Hour)
}

// defaultWindows are the SRE Workbook's: 2 % of a 30 day budget within an hour, 5 % within six.
var defaultWindows = []BurnWindow{
	{Short: ops.Duration(5 * time.Minute), Long: ops.Duration(time.Hour), Burn: 14.4, Effect: ops.EffectDeny},
	{Short: ops.Duration(30 * time.Minute), Long: ops.Duration(6 * time.Hour), Burn: 6, Effect: ops.EffectWait},
}

func (b ErrorBudget) windows() []BurnWindow {
	if len(b.Windows) == 0 {
		return defaultWindows
	}
	return b.Windows
}

// objective is the share of success that a service must reach, 0 when none was set; stated when it is the service's own.
func (b ErrorBudget) objective(s ops.Service) (objective float64, stated bool) {
	if o, ok := b.Services[s.Name]; ok {
		return o.Objective, o.Objective > 0
	}
	for _, i := range s.Indicators {
		if i.Name == b.indicator() {
			return b.Objective, false
		}
	}
	return 0, false
}

func (c Collision) depth() int {
	if c.Depth == nil {
		return 1
	}
	return *c.Depth
}

func (c Collision) stale() time.Duration { return orDefault(time.Duration(c.Stale), 24*time.Hour) }

// approvals is what must approve a change of the risk; no risk counts as medium.
func (c Config) approvals(risk string) ApprovalRule { return c.Approvals[orDefault(risk, "medium")] }

// counts says whether an approval is of somebody who counts.
func (c Config) counts(a *ops.Approval, from []string) bool {
	if len(from) == 0 {
		return true
	}
	for _, f := range from {
		if samePerson(f, a.Person) || (a.Role != "" && f == string(a.Role)) {
			return true
		}
		if slices.ContainsFunc(c.Groups[f], func(p string) bool { return samePerson(p, a.Person) }) {
			return true
		}
	}
	return false
}

// samePerson says whether two names are one person's: nobody becomes another by capitals.
func samePerson(a, b string) bool {
	return a != "" && strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

package changes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

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

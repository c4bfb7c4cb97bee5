package changes

import (
	"fmt"
	"time"

	"goc/ops"
)

// Config is the section `gate` of the configuration. The zero value works: see each field for what holds when it is absent.
type Config struct {
	// Environments says per environment whether the gate must be asked. Absent, production must and no other.
	// A change that names no environment counts as one of production.
	Environments map[string]Environment `yaml:"environments"`
	// Severities says what an open incident in scope does: deny, wait or allow. Absent: P1 and P2 deny, P3 waits, P4 allows.
	Severities map[ops.Severity]string `yaml:"severities"`
	// NoData says what a stage whose bake saw too little does to the next: wait (when absent), deny or allow.
	NoData string `yaml:"no_data"`
	// Approvals is how many people other than its author must approve a change of a risk (low, medium, high). Absent: none.
	Approvals map[string]ApprovalRule `yaml:"approvals"`
	// Groups are people by the name of their group, for approvals.
	Groups map[string][]string `yaml:"groups"`

	ErrorBudget ErrorBudget  `yaml:"error_budget"`
	Collision   Collision    `yaml:"collision"`
	MaxShare    MaxShare     `yaml:"max_share"`
	Reviews     []ReviewRule `yaml:"reviews"`
	Rollback    RollbackRule `yaml:"rollback"`
	RedLines    []RedLine    `yaml:"red_lines"`
	Maintenance Maintenance  `yaml:"maintenance"`
	// Override is what follows a broken glass.
	Override OverrideRule `yaml:"override"`
	// Hygiene is what counts as worth to tidy up.
	Hygiene HygieneRule `yaml:"hygiene"`
	// Auto is what the gate does by itself to a change that does harm.
	Auto Auto `yaml:"auto"`
	// Policies are conditions of one's own, in CEL. Timezone is that of their wall clock. Absent: UTC.
	Policies []ops.GatePolicy `yaml:"policies"`
	Timezone string           `yaml:"timezone"`

	// Bake is how long a stage or a change bakes that does not say so itself. Absent: not at all.
	Bake ops.Duration `yaml:"bake"`
	// Valid is how long an allow may be acted upon. Absent: 5m.
	Valid ops.Duration `yaml:"valid"`
	// Retry is what a wait without a known end says. Absent: 60s.
	Retry ops.Duration `yaml:"retry"`
	// MaxFreezes bounds the freezes that are neither lifted nor over. Absent: 1000.
	MaxFreezes int `yaml:"max_freezes"`
	// MaxChanges bounds the changes on record. Absent: 1,000,000.
	MaxChanges int `yaml:"max_changes"`
}

// Environment is what holds for the changes of one environment.
type Environment struct {
	// Required: a change that starts without an allow is flagged as unapproved. Absent: so it is in production, and nowhere else.
	Required    *bool  `yaml:"required"`
	Exempt      bool   `yaml:"exempt"`         // freezes and incidents do not hold changes back here
	Unavailable string `yaml:"on_unavailable"` // what a caller should do when the gate does not answer: deny, allow, last-known
}

// Production is the environment of a change that names none.
const Production = "production"

// Validate names each bad field.
func (c Config) Validate() error {
	for name, e := range c.Environments {
		switch e.Unavailable {
		case "", "deny", "allow", "last-known":
		default:
			return bad("environments."+name+".on_unavailable", "must be deny, allow or last-known")
		}
	}
	for sev, effect := range c.Severities {
		if _, known := defaultSeverities[sev]; !known {
			return bad("severities", "a severity must be P1, P2, P3 or P4")
		}
		if !isEffect(effect) {
			return bad("severities."+string(sev), "must be deny, wait or allow")
		}
	}
	if c.NoData != "" && !isEffect(c.NoData) {
		return bad("no_data", "must be deny, wait or allow")
	}
	if err := c.validateRules(); err != nil {
		return err
	}
	for _, err := range []error{c.Auto.validate(), c.Override.validate(), c.Hygiene.validate()} {
		if err != nil {
			return err
		}
	}
	return c.validateBounds()
}

func (c Config) validateBounds() error {
	switch {
	case time.Duration(c.Bake) > MaxBake:
		return bad("bake", "must be at most %s", ops.Duration(MaxBake))
	case c.Valid != 0 && (time.Duration(c.Valid) < 10*time.Second || time.Duration(c.Valid) > time.Hour):
		return bad("valid", "must be between 10s and 1h")
	case c.Retry != 0 && (time.Duration(c.Retry) < time.Second || time.Duration(c.Retry) > time.Hour):
		return bad("retry", "must be between 1s and 1h")
	case c.MaxFreezes < 0 || c.MaxFreezes > 100_000:
		return bad("max_freezes", "must be between 0 and 100000")
	case c.MaxChanges < 0 || c.MaxChanges > 100_000_000:
		return bad("max_changes", "must be between 0 and 100000000")
	}
	return nil
}

func bad(field, format string, args ...any) error {
	return ops.Errorf(ops.Invalid, "%s", fmt.Sprintf(format, args...)).At("gate." + field)
}

func isEffect(s string) bool {
	return s == ops.EffectAllow || s == ops.EffectDeny || s == ops.EffectWait
}

func isRisk(s string) bool { return s == "low" || s == "medium" || s == "high" }

var defaultSeverities = map[ops.Severity]string{
	ops.P1: ops.EffectDeny, ops.P2: ops.EffectDeny, ops.P3: ops.EffectWait, ops.P4: ops.EffectAllow,
}

// environment is what holds for a change of the named environment.
func (c Config) environment(name string) Environment {
	return c.Environments[orDefault(name, Production)]
}

// required says whether a change of the named environment must ask the gate.
func (c Config) required(name string) bool {
	name = orDefault(name, Production)
	if r := c.Environments[name].Required; r != nil {
		return *r
	}
	return name == Production
}

func (c Config) severity(s ops.Severity) string {
	if effect, ok := c.Severities[s]; ok {
		return effect
	}
	return defaultSeverities[s]
}

func (c Config) noData() string {
	if c.NoData == "" {
		return ops.EffectWait
	}
	return c.NoData
}

func (c Config) valid() time.Duration { return orDefault(time.Duration(c.Valid), 5*time.Minute) }
func (c Config) retry() time.Duration { return orDefault(time.Duration(c.Retry), time.Minute) }
func (c Config) maxFreezes() int      { return orDefault(c.MaxFreezes, 1000) }
func (c Config) maxChanges() int      { return orDefault(c.MaxChanges, 1_000_000) }

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

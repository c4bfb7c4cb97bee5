// Package plans runs response plans: preconditions, steps with undo, verification, a second person where configured.
// A run moves only by its state machine (machine.go); each step goes through the outbox, recorded before it is tried, and
// one whose outcome is not known waits for a person. Never optimistic, never twice.
package plans

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"goc/ops"
)

// Bounds of the configuration.
const (
	maxPlans = 500
	maxSteps = 50
)

// Config is the section "plans" of the configuration. The zero value has no plans.
type Config struct {
	Plans          []ops.Plan `yaml:"plans"`
	ops.StepLimits `yaml:",inline"`
}

// builtin are the parameters that every run has.
var builtin = []string{"run", "plan", "incident"}

// sources are what a parameter may be filled from.
var sources = []string{"", "suspect", "service", "store", "city", "incident"}

// Validate returns one error per bad field, joined, each naming its place.
func (c Config) Validate() error {
	var errs []error
	if len(c.Plans) > maxPlans {
		errs = append(errs, ops.Errorf(ops.Invalid, "there may be at most %d plans", maxPlans).At("plans.plans"))
	}
	seen := map[string]bool{}
	for i, p := range c.Plans {
		at := fmt.Sprintf("plans.plans[%d]", i)
		if seen[p.Name] {
			errs = append(errs, ops.Errorf(ops.Invalid, "another plan has this name").At(at+".name"))
		}
		seen[p.Name] = true
		errs = append(errs, c.validatePlan(p, at)...)
	}
	return errors.Join(errs...)
}

func (c Config) validatePlan(p ops.Plan, at string) []error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, ops.Errorf(ops.Invalid, format, args...).At(at+field))
	}
	if p.Name == "" || len(p.Name) > 128 || url.PathEscape(p.Name) != p.Name {
		bad(".name", "a plan needs a name of letters, digits, - and _")
	}
	if err := p.Scope.Validate(at + ".scope"); err != nil {
		errs = append(errs, err)
	}
	if len(p.Steps) == 0 || len(p.Steps) > maxSteps {
		bad(".steps", "a plan has 1 to %d steps", maxSteps)
	}
	names := slices.Clone(builtin)
	for i, param := range p.Params {
		field := fmt.Sprintf(".params[%d]", i)
		if !ops.ParamName(param.Name) || slices.Contains(names, param.Name) {
			bad(field+".name", "must be lower case, and neither another parameter's name nor run, plan or incident")
		}
		if !slices.Contains(sources, param.From) {
			bad(field+".from", "must be suspect, service, store, city or incident")
		}
		names = append(names, param.Name)
	}
	for i, k := range p.ChangeKinds {
		if k != "none" && !slices.Contains(ops.ChangeKinds[:], ops.ChangeKind(k)) {
			bad(fmt.Sprintf(".change_kinds[%d]", i), "must be a kind of change, or none")
		}
	}
	for i, s := range p.Steps {
		errs = append(errs, c.validateStep(s, fmt.Sprintf("%s.steps[%d]", at, i), names)...)
	}
	for i, check := range p.Precondition {
		errs = append(errs, check.Validate(fmt.Sprintf("%s.precondition[%d]", at, i))...)
	}
	for i, check := range p.Verify {
		errs = append(errs, check.Validate(fmt.Sprintf("%s.verify[%d]", at, i))...)
	}
	return errs
}

// validateStep checks a step and its undo, and that both use only what is allowed.
func (c Config) validateStep(s ops.Step, at string, names []string) []error {
	errs := s.Validate(at, names)
	if len(errs) > 0 {
		return errs
	}
	if err := c.Allows(s, "plans"); err != nil {
		errs = append(errs, err.At(at))
	}
	if s.HTTP != nil {
		if err := checkBody(*s.HTTP); err != nil {
			errs = append(errs, err.At(at+".http.body"))
		}
	}
	if s.Undo != nil {
		errs = append(errs, c.validateStep(*s.Undo, at+".undo", names)...)
	}
	return errs
}

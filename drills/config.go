// Package drills breaks things on purpose through the real path, measures how fast the chain's people and programs detect,
// locate and recover, and takes the fault away whatever happens, a crash included.
package drills

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // schedules name zones, and a small machine may have no database of them

	"github.com/robfig/cron/v3"

	"goc/ops"
)

const (
	maxDrills          = 200
	defaultMaxDuration = 15 * time.Minute
	longestDuration    = 2 * time.Hour
)

// Config is the section "drills" of the configuration. The zero value has no drills.
type Config struct {
	Drills         []ops.Drill `yaml:"drills"`
	ops.StepLimits `yaml:",inline"`
}

// params are the parameters of a drill's steps: its run, its name, and what its scope names, joined by commas.
var params = []string{"run", "drill", "service", "store", "city", "device"}

// Validate returns one error per bad field, joined, each naming its place.
func (c Config) Validate() error {
	var errs []error
	if len(c.Drills) > maxDrills {
		errs = append(errs, ops.Errorf(ops.Invalid, "there may be at most %d drills", maxDrills).At("drills.drills"))
	}
	seen := map[string]bool{}
	for i, d := range c.Drills {
		at := fmt.Sprintf("drills.drills[%d]", i)
		if seen[d.Name] {
			errs = append(errs, ops.Errorf(ops.Invalid, "another drill has this name").At(at+".name"))
		}
		seen[d.Name] = true
		errs = append(errs, c.validateDrill(d, at)...)
	}
	return errors.Join(errs...)
}

func (c Config) validateDrill(d ops.Drill, at string) []error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, ops.Errorf(ops.Invalid, format, args...).At(at+field))
	}
	if d.Name == "" || len(d.Name) > 128 || url.PathEscape(d.Name) != d.Name {
		bad(".name", "a drill needs a name of letters, digits, - and _")
	}
	if d.Scope.Empty() {
		bad(".scope", "a drill must say what it may touch: its blast radius is bounded by it")
	}
	if err := d.Scope.Validate(at + ".scope"); err != nil {
		errs = append(errs, err)
	}
	if d.MaxDuration < 0 || time.Duration(d.MaxDuration) > longestDuration {
		bad(".max_duration", "may be at most %s", ops.Duration(longestDuration))
	}
	if s := d.Expect.Severity; s != "" && !slices.Contains([]ops.Severity{ops.P1, ops.P2, ops.P3, ops.P4}, s) {
		bad(".expect.severity", "must be P1, P2, P3 or P4")
	}
	errs = append(errs, c.validateStep(d.Inject, at+".inject")...)
	errs = append(errs, c.validateStep(d.Revert, at+".revert")...)
	for i, check := range d.Abort {
		errs = append(errs, check.Validate(fmt.Sprintf("%s.abort[%d]", at, i))...)
	}
	if _, err := schedule(d, time.Now()); err != nil {
		errs = append(errs, err.At(at+"."+err.Location))
	}
	return errs
}

// validateStep checks a step, which may go without a name here, and that it uses only what is allowed.
func (c Config) validateStep(step ops.Step, at string) []error {
	if step.Name == "" {
		step.Name = at
	}
	errs := step.Validate(at, params)
	if len(errs) == 0 {
		if err := c.Allows(step, "drills"); err != nil {
			errs = append(errs, err.At(at))
		}
	}
	return errs
}

// timetable says when a drill comes next after a time, in its own zone; nil for a drill without a schedule.
type timetable func(after time.Time) time.Time

// schedule reads a drill's schedule. The cron library panics on some specs and takes others that never come; both are
// errors here, located at schedule or timezone.
func schedule(d ops.Drill, now time.Time) (t timetable, err *ops.Error) {
	if d.Schedule == "" {
		return nil, nil
	}
	zone, zerr := time.LoadLocation(d.Timezone)
	if zerr != nil || d.Timezone == "Local" {
		return nil, ops.Errorf(ops.Invalid, "must be a zone's IANA name, as Asia/Shanghai").At("timezone")
	}
	if strings.Contains(d.Schedule, "TZ=") {
		return nil, ops.Errorf(ops.Invalid, "must not hold a zone").WithHint("write it to timezone").At("schedule")
	}
	defer func() {
		if recover() != nil {
			t, err = nil, ops.Errorf(ops.Invalid, "must be a cron expression").At("schedule")
		}
	}()
	spec, perr := cron.ParseStandard(d.Schedule)
	if perr != nil {
		return nil, ops.Errorf(ops.Invalid, "must be a cron expression of five fields, as 0 10 * * 2").At("schedule")
	}
	t = func(after time.Time) time.Time { return spec.Next(after.In(zone)) }
	if t(now).IsZero() {
		return nil, ops.Errorf(ops.Invalid, "names a time that never comes").At("schedule")
	}
	return t, nil
}

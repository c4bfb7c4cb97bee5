package incidents

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"goc/incidents/engine"
	"goc/incidents/history"
	"goc/incidents/suspects"
	"goc/ops"
)

// Config is the section `incidents` of the configuration. Everything has a default; the zero value works.
type Config struct {
	Window         ops.Duration `yaml:"window"`          // alerts that only resemble each other belong together within this time: 5m
	ResolveTimeout ops.Duration `yaml:"resolve_timeout"` // a firing alert that says no end is resolved after this time: 5m
	Hold           ops.Duration `yaml:"hold"`            // all alerts must stay resolved, and the indicators back, for this long before an incident counts as recovered: 60s
	BelieveUnknown ops.Duration `yaml:"believe_unknown"` // resolved alerts are believed although the indicators have no samples after this time: 5m
	BelieveOff     ops.Duration `yaml:"believe_off"`     // resolved alerts are believed although indicators are still off their course after this time: 30m
	ResolveAfter   ops.Duration `yaml:"resolve_after"`   // a recovered incident is resolved by itself after this time: 30m
	ReopenWithin   ops.Duration `yaml:"reopen_within"`   // an alert that fires again so soon after the resolution reopens: 10m
	RefireAfter    ops.Duration `yaml:"refire_after"`    // an incident resolved although its alerts fire reopens after this time: 15m
	LowerAfter     ops.Duration `yaml:"lower_after"`     // a lower severity must have held for this long: 5m

	Severity []engine.SeverityRule    `yaml:"severity"` // the first rule that holds counts; absent: the built-in table
	Targets  map[ops.Severity]Targets `yaml:"targets"`  // 1-5-10 targets by severity: 1m, 5m, 10m
	Headline Headline                 `yaml:"headline"` // the curve that is shown when nothing is wrong
	// Updates is how often stakeholders are to be told of an incident, by severity; 0 is never. Absent: P1 15m, P2 30m, others never.
	Updates map[ops.Severity]ops.Duration `yaml:"updates"`

	Weights Weights        `yaml:"weights"` // sizes of the terms of suspects, by name, in place of the built-in ones
	History history.Config `yaml:"history"` // the recording of everything that the engine is told
}

// Targets are the targets of one severity's clock, all from onset.
type Targets struct {
	Detect  ops.Duration `yaml:"detect"`
	Locate  ops.Duration `yaml:"locate"`
	Recover ops.Duration `yaml:"recover"`
}

// Headline names the indicator that proves that the chain works: success_ratio of the T0 services unless it says otherwise.
type Headline struct {
	Indicator string   `yaml:"indicator"`
	Services  []string `yaml:"services"`
}

// Validate says what is wrong, one error per bad field.
func (c Config) Validate() error {
	var errs []error
	for s, t := range c.Targets {
		if !severity(s) {
			errs = append(errs, ops.Errorf(ops.Invalid, "a severity must be one of P1, P2, P3, P4").At("incidents.targets"))
		}
		if t.Detect < 0 || t.Locate < 0 || t.Recover < 0 {
			errs = append(errs, ops.Errorf(ops.Invalid, "a target must not be negative").At("incidents.targets."+string(s)))
		}
	}
	for i, r := range c.Severity {
		at := fmt.Sprintf("incidents.severity[%d]", i)
		if !severity(r.Severity) {
			errs = append(errs, ops.Errorf(ops.Invalid, "a severity must be one of P1, P2, P3, P4").At(at+".severity"))
		}
		if r.Share < 0 || r.Share > 1 {
			errs = append(errs, ops.Errorf(ops.Invalid, "a share must be between 0 and 1").At(at+".share"))
		}
		if r.Lost < 0 || r.Lost > 1 {
			errs = append(errs, ops.Errorf(ops.Invalid, "a share must be between 0 and 1").At(at+".orders_share"))
		}
		if r.Stores < 0 || r.Devices < 0 || r.Voice < 0 || r.Orders < 0 {
			errs = append(errs, ops.Errorf(ops.Invalid, "a number must not be negative").At(at))
		}
	}
	for s, d := range c.Updates {
		if !severity(s) {
			errs = append(errs, ops.Errorf(ops.Invalid, "a severity must be one of P1, P2, P3, P4").At("incidents.updates"))
		}
		if d != 0 && time.Duration(d) < time.Minute {
			errs = append(errs, ops.Errorf(ops.Invalid, "updates may be due every minute at most; 0 is never").At("incidents.updates."+string(s)))
		}
	}
	if len(c.Headline.Services) > 100 {
		errs = append(errs, ops.Errorf(ops.Invalid, "at most 100 services can make the headline").At("incidents.headline.services"))
	}
	errs = append(errs, c.Weights.validate(), c.History.Validate())
	return errors.Join(errs...)
}

func severity(s ops.Severity) bool {
	return slices.Contains([]ops.Severity{ops.P1, ops.P2, ops.P3, ops.P4}, s)
}

// EngineConfig is what the configuration means to the engine; `goc replay` uses it too.
func EngineConfig(c Config) engine.Config {
	out := engine.Config{
		Window: time.Duration(c.Window), ResolveTimeout: time.Duration(c.ResolveTimeout), RecoverHold: time.Duration(c.Hold),
		ResolveAfter: time.Duration(c.ResolveAfter), ReopenWithin: time.Duration(c.ReopenWithin), RefireAfter: time.Duration(c.RefireAfter),
		BelieveUnknown: time.Duration(c.BelieveUnknown), BelieveOff: time.Duration(c.BelieveOff),
		LowerAfter: time.Duration(c.LowerAfter), Severity: c.Severity, Targets: map[ops.Severity]engine.Targets{},
		Weights: c.Weights.over(suspects.DefaultWeights()),
	}
	for s, t := range c.Targets {
		out.Targets[s] = engine.Targets{Detect: time.Duration(t.Detect), Locate: time.Duration(t.Locate), Recover: time.Duration(t.Recover)}
	}
	out = out.WithDefaults()
	for s, d := range c.Updates {
		out.Updates[s] = time.Duration(d)
	}
	return out
}

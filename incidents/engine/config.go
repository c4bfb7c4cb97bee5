package engine

import (
	"time"

	"goc/incidents/suspects"
	"goc/ops"
)

// Config is the engine's settings with their defaults filled in by WithDefaults.
type Config struct {
	Window         time.Duration // alerts without a parent among them belong together only within this time: 5m
	ResolveTimeout time.Duration // a firing alert that says no end counts as resolved after this time: 5m
	RecoverHold    time.Duration // all alerts must stay resolved, and the indicators back, for this long: 60s
	BelieveUnknown time.Duration // resolved alerts are believed without samples after this time: 5m
	BelieveOff     time.Duration // resolved alerts are believed although indicators are still off after this time: 30m
	ResolveAfter   time.Duration // a recovered incident is resolved after this time: 30m
	ReopenWithin   time.Duration // an alert that fires again within this time after the resolution reopens: 10m
	RefireAfter    time.Duration // an incident resolved with firing alerts reopens after this time: 15m
	LowerAfter     time.Duration // a lower severity must have held for this long: 5m
	Targets        map[ops.Severity]Targets
	Severity       []SeverityRule // the first that holds counts; empty means DefaultSeverity
	MaxAlerts      int            // firing at once, beyond which alerts are refused: 50,000
	MaxListed      int            // alerts that an incident lists; beyond it they count: 500
	MaxActive      int            // incidents that are not resolved; beyond it alerts join the newest: 1,000
	MaxIncidents   int            // incidents in memory, resolved ones included: 10,000
	Weights        suspects.Weights
	Updates        map[ops.Severity]time.Duration // how often stakeholders are to be told; a severity that is absent owes no updates: P1 15m, P2 30m
}

// Targets are the 1-5-10 targets of one severity.
type Targets struct{ Detect, Locate, Recover time.Duration }

// DefaultTargets are one, five and ten minutes.
var defaultTargets = Targets{time.Minute, 5 * time.Minute, 10 * time.Minute}

// WithDefaults fills in what is zero.
func (c Config) WithDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Window, 5 * time.Minute},
		{&c.ResolveTimeout, 5 * time.Minute},
		{&c.RecoverHold, time.Minute},
		{&c.BelieveUnknown, 5 * time.Minute},
		{&c.BelieveOff, 30 * time.Minute},
		{&c.ResolveAfter, 30 * time.Minute},
		{&c.ReopenWithin, 10 * time.Minute},
		{&c.RefireAfter, 15 * time.Minute},
		{&c.LowerAfter, 5 * time.Minute},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	for _, n := range []struct {
		field *int
		value int
	}{{&c.MaxAlerts, 50_000}, {&c.MaxListed, 500}, {&c.MaxActive, 1_000}, {&c.MaxIncidents, 10_000}} {
		if *n.field <= 0 {
			*n.field = n.value
		}
	}
	if len(c.Severity) == 0 {
		c.Severity = DefaultSeverity()
	}
	if c.Updates == nil {
		c.Updates = map[ops.Severity]time.Duration{ops.P1: 15 * time.Minute, ops.P2: 30 * time.Minute}
	}
	if c.Weights == (suspects.Weights{}) {
		c.Weights = suspects.DefaultWeights()
	}
	return c
}

// targets are those of a severity, each one to five to ten minutes unless configured.
func (c Config) targets(s ops.Severity) Targets {
	t := c.Targets[s]
	if t.Detect <= 0 {
		t.Detect = defaultTargets.Detect
	}
	if t.Locate <= 0 {
		t.Locate = defaultTargets.Locate
	}
	if t.Recover <= 0 {
		t.Recover = defaultTargets.Recover
	}
	return t
}

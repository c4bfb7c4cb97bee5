package fleet

import (
	"time"

	"goc/ops"
)

// Config is the section `heartbeats:`. Its zero value works.
type Config struct {
	Enrol           string       `yaml:"enrol"`            // open (default): an unknown device joins by its first beat; token: only with a credential of its own or its store's; closed: it is refused
	DefaultInterval ops.Duration `yaml:"default_interval"` // of a kind that the catalog does not list, default 30s
	DefaultGrace    ops.Duration `yaml:"default_grace"`    // from late to offline, default 30s
	OpeningGrace    ops.Duration `yaml:"opening_grace"`    // how long after opening a store's silent devices are let be, default 5m
	Checkpoint      ops.Duration `yaml:"checkpoint"`       // how often last-seen is written, default 1m
	MaxSkew         ops.Duration `yaml:"max_skew"`         // a clock that is off by more is corrected for, default 1m
	Flap            FlapConfig   `yaml:"flap"`             // when a link that comes and goes is one fact
	MaxDevices      int          `yaml:"max_devices"`      // default 1,100,000
	MaxStores       int          `yaml:"max_stores"`       // default 50,000
	Explain         string       `yaml:"explain"`          // on (default): what devices that are not well share is told as alerts; off
}

// FlapConfig says when a link flaps: so many changes between up and down within a window, until none for a while.
type FlapConfig struct {
	Changes int          `yaml:"changes"` // default 5
	Window  ops.Duration `yaml:"window"`  // default 10m
	Calm    ops.Duration `yaml:"calm"`    // default 10m
}

// Bounds of one batch of beats and of what one beat may hold.
const (
	MaxBatch   = 10_000
	MaxName    = 128 // bytes of store and device
	MaxFact    = 64  // bytes of kind, model and firmware
	MaxNote    = 256 // bytes
	maxAbsurd  = 366 * 24 * time.Hour
	maxKinds   = 1_000
	maxMakes   = 50_000 // combinations of kind, model and firmware
	tick       = 50 * time.Millisecond
	wallPeriod = 100 * time.Millisecond
	stall      = 5 * time.Second // a pause of our own that counts as a restart
)

// Validate says which field is wrong.
func (c Config) Validate() error {
	if c.Enrol != "" && c.Enrol != "open" && c.Enrol != "token" && c.Enrol != "closed" {
		return ops.Errorf(ops.Invalid, "must be open, token or closed").At("heartbeats.enrol")
	}
	if c.Explain != "" && c.Explain != "on" && c.Explain != "off" {
		return ops.Errorf(ops.Invalid, "must be on or off").At("heartbeats.explain")
	}
	for _, d := range []struct {
		name     string
		v        ops.Duration
		min, max time.Duration
	}{
		{"default_interval", c.DefaultInterval, time.Second, 24 * time.Hour},
		{"default_grace", c.DefaultGrace, time.Millisecond, 24 * time.Hour},
		{"opening_grace", c.OpeningGrace, time.Millisecond, 24 * time.Hour},
		{"checkpoint", c.Checkpoint, time.Second, time.Hour},
		{"max_skew", c.MaxSkew, time.Second, time.Hour},
		{"flap.window", c.Flap.Window, time.Second, 24 * time.Hour},
		{"flap.calm", c.Flap.Calm, time.Second, 24 * time.Hour},
	} {
		if v := time.Duration(d.v); v != 0 && (v < d.min || v > d.max) {
			return ops.Errorf(ops.Invalid, "must be between %s and %s", d.min, d.max).At("heartbeats." + d.name)
		}
	}
	if n := c.Flap.Changes; n != 0 && (n < 3 || n > maxTurns) {
		return ops.Errorf(ops.Invalid, "must be between 3 and %d", maxTurns).At("heartbeats.flap.changes")
	}
	if c.MaxDevices < 0 || c.MaxDevices > 10_000_000 {
		return ops.Errorf(ops.Invalid, "must be between 1 and 10,000,000").At("heartbeats.max_devices")
	}
	if c.MaxStores < 0 || c.MaxStores > 1_000_000 {
		return ops.Errorf(ops.Invalid, "must be between 1 and 1,000,000").At("heartbeats.max_stores")
	}
	return nil
}

// filled returns c with its defaults.
func (c Config) filled() Config {
	def := func(d *ops.Duration, v time.Duration) {
		if *d == 0 {
			*d = ops.Duration(v)
		}
	}
	def(&c.DefaultInterval, 30*time.Second)
	def(&c.DefaultGrace, 30*time.Second)
	def(&c.OpeningGrace, 5*time.Minute)
	def(&c.Checkpoint, time.Minute)
	def(&c.MaxSkew, time.Minute)
	def(&c.Flap.Window, 10*time.Minute)
	def(&c.Flap.Calm, 10*time.Minute)
	if c.Flap.Changes == 0 {
		c.Flap.Changes = 5
	}
	if c.MaxDevices == 0 {
		c.MaxDevices = 1_100_000
	}
	if c.MaxStores == 0 {
		c.MaxStores = 50_000
	}
	return c
}

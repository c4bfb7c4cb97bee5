package alertrules

import (
	"path/filepath"
	"time"

	"goc/ops"
)

// Config is the section `alertrules` of goc.yaml. Its zero value evaluates the shipped rules.
type Config struct {
	Files    []string     `yaml:"files"`    // Prometheus rule files; a pattern such as rules/*.yml names several
	Builtin  *bool        `yaml:"builtin"`  // the shipped rules; true
	Interval ops.Duration `yaml:"interval"` // of groups that name none; metrics.global.evaluation_interval
}

// Bounds of what is evaluated.
const (
	MaxFiles      = 1_000
	MaxFileSize   = 4 << 20 // bytes of one rule file
	MaxGroups     = 5_000   // over all files
	MaxRules      = 1_000   // of one group
	MaxExprLength = 16 << 10
	MinInterval   = 100 * time.Millisecond
)

// Shipped says whether the rules that ship with the product are wanted.
func (c Config) Shipped() bool { return c.Builtin == nil || *c.Builtin }

// Validate refuses patterns that mean nothing and an interval out of bounds. What the files say is not looked at here:
// Check does that.
func (c Config) Validate() error {
	if len(c.Files) > MaxFiles {
		return ops.Errorf(ops.Invalid, "at most %d patterns", MaxFiles).At("alertrules.files")
	}
	for _, pattern := range c.Files {
		if _, err := filepath.Match(pattern, ""); err != nil || pattern == "" {
			return ops.Errorf(ops.Invalid, "a pattern is malformed").At("alertrules.files").WithHint("patterns are as in a shell: rules/*.yml")
		}
	}
	if i := time.Duration(c.Interval); i != 0 && (i < MinInterval || i > time.Hour) {
		return ops.Errorf(ops.Invalid, "must be between %s and 1h", MinInterval).At("alertrules.interval")
	}
	return nil
}

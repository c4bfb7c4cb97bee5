// Package history records what the incident engine is told, as a replay file that goes on, and plays such files back.
//
// A Recorder writes every input of the live engine, with the time at which its step ran, into segment files: gzip of JSON
// lines. A Player runs such lines, or a history that somebody else recorded, through an engine on virtual time. A
// recording is exact: the same steps in the same order, with the same answers of other rooms, bring the same incidents
// about.
package history

import (
	"time"

	"goc/ops"
)

// Config is the section `incidents.history` of the configuration. The zero value works.
type Config struct {
	Keep     ops.Duration `yaml:"keep"`      // older segments are removed: 7d
	MaxBytes Bytes        `yaml:"max_bytes"` // beyond it the oldest segments are removed: 1GiB
	Off      bool         `yaml:"off"`       // records nothing
}

// Bounds and defaults of a recording.
const (
	defaultKeep     = 7 * 24 * time.Hour
	defaultMaxBytes = 1 << 30
	minBytes        = 1 << 20
	segmentBytes    = 64 << 20
	segmentTime     = time.Hour
)

// Validate says what is wrong with it.
func (c Config) Validate() error {
	if c.MaxBytes != 0 && c.MaxBytes < minBytes {
		return ops.Errorf(ops.Invalid, "a history needs at least 1MiB").At("incidents.history.max_bytes").WithHint("off: true records nothing")
	}
	if c.Keep != 0 && time.Duration(c.Keep) < time.Hour {
		return ops.Errorf(ops.Invalid, "a history must be kept for at least 1h").At("incidents.history.keep").WithHint("off: true records nothing")
	}
	return nil
}

func (c Config) keep() time.Duration {
	if c.Keep == 0 {
		return defaultKeep
	}
	return time.Duration(c.Keep)
}

func (c Config) maxBytes() int64 {
	if c.MaxBytes == 0 {
		return defaultMaxBytes
	}
	return int64(c.MaxBytes)
}

// segmentBytes is how large one segment may become: small enough that removing the oldest keeps most of the history.
func (c Config) segmentBytes() int64 { return min(segmentBytes, c.maxBytes()/8) }

package history

import (
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"goc/ops"
)

// Bytes is a size, in YAML a number of bytes or text such as 512MiB or 1GiB.
type Bytes int64

// units of Bytes, the longest first.
var units = []struct {
	name string
	size float64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3}, {"B", 1}}

// UnmarshalYAML implements yaml.Unmarshaler.
func (b *Bytes) UnmarshalYAML(n *yaml.Node) error {
	text, size := strings.TrimSpace(n.Value), 1.0
	for _, u := range units {
		if head, ok := strings.CutSuffix(text, u.name); ok {
			text, size = strings.TrimSpace(head), u.size
			break
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || v < 0 || v*size > 1<<50 {
		return ops.Errorf(ops.Invalid, "line %d: a size must read like 512MiB or 1GiB", n.Line)
	}
	*b = Bytes(v * size)
	return nil
}

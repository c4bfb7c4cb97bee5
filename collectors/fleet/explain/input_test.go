package explain_test

import (
	"strings"
	"testing"

	"goc/collectors/fleet/explain"
)

func TestAnInputThatDoesNotFitIsRefusedAtItsPlace(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*explain.Input)
		at    string
	}{
		"more affected than there are":  {func(in *explain.Input) { in.Affected[3] = 101 }, "affected[3]"},
		"a count too few":               {func(in *explain.Input) { in.Affected = in.Affected[1:] }, "affected"},
		"a code beyond the values":      {func(in *explain.Input) { in.Axes[1].Code[0] = 3 }, "axes[1].code"},
		"an attribute without a name":   {func(in *explain.Input) { in.Axes[0].Name = "" }, "axes[0].name"},
		"a code too few":                {func(in *explain.Input) { in.Axes[2].Code = in.Axes[2].Code[1:] }, "axes[2].code"},
		"an attribute above itself":     {func(in *explain.Input) { in.Axes[2].Above = []int{2} }, "axes[2].above"},
		"a share over 1":                {func(in *explain.Input) { in.Normal = make([]float64, 24); in.Normal[5] = 1.5 }, "normal[5]"},
		"more attributes than it takes": {func(in *explain.Input) { in.Axes = make([]explain.Axis, 33) }, "axes"},
	} {
		t.Run(name, func(t *testing.T) {
			in := grid(func(_, _, _ int) uint32 { return 1 })
			test.spoil(&in)
			_, err := explain.Explain(in, explain.Options{})
			if err == nil || !strings.HasPrefix(err.Error(), test.at+": ") {
				t.Errorf("says %v, want the place %s", err, test.at)
			}
		})
	}
}

package ops_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"goc/ops"
)

func TestStepValidate(t *testing.T) {
	post := func(url string) ops.Step { return ops.Step{Name: "s", HTTP: &ops.HTTPStep{URL: url}} }
	run := func(argv ...string) ops.Step { return ops.Step{Name: "s", Command: &ops.CommandStep{Argv: argv}} }
	for name, c := range map[string]struct {
		step ops.Step
		want string // part of the one error, "" for none
	}{
		"a parameter in the path is fine":             {post("http://h/x/${id}?a=${id}"), ""},
		"a parameter may not choose the host":         {post("http://${id}/x"), "s.http.url: a parameter may not choose the host"},
		"a parameter may not choose the port":         {post("http://h:${id}/x"), "a parameter may not choose the host"},
		"a parameter may not choose the scheme":       {post("${id}://h/"), "s.http.url: must be a whole http"},
		"an unknown parameter is named":               {post("http://h/${ID}"), "${ID} is no parameter here; there are: id"},
		"a placeholder that never closes is an error": {post("http://h/${id"), "is no parameter here"},
		"neither http nor command":                    {ops.Step{Name: "s"}, "either http or command"},
		"a parameter may not choose the program":      {run("${id}"), "may not choose the program"},
		"an argument may be a parameter":              {run("/bin/echo", "${id}"), ""},
		"a file URL is refused":                       {post("file:///etc/passwd"), "must be a whole http"},
		"an undo is checked at its place":             {ops.Step{Name: "s", Command: &ops.CommandStep{Argv: []string{"x"}}, Undo: &ops.Step{Name: "u"}}, "s.undo: a step is either"},
		"too long a timeout":                          {ops.Step{Name: "s", Command: &ops.CommandStep{Argv: []string{"x"}}, Timeout: ops.Duration(ops.MaxStepTimeout + 1)}, "s.timeout: a step may take at most 10m"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range c.step.Validate("s", []string{"id"}) {
				got = append(got, e.Error())
			}
			if (c.want == "") != (len(got) == 0) || !strings.Contains(strings.Join(got, "\n"), c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPlaceholders(t *testing.T) {
	got := ops.Placeholders("a ${b} $c ${} ${d")
	if want := []string{"b", "", "{d"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCheckHolds(t *testing.T) {
	one := 1.0
	check := ops.Check{Above: &one}
	for name, c := range map[string]struct {
		values []float64
		want   bool
	}{
		"every value inside the bound holds":  {[]float64{1.5, 2}, true},
		"one value outside does not hold":     {[]float64{1.5, 1}, false},
		"no value does not hold":              {nil, false},
		"what is not a number does not hold":  {[]float64{math.NaN()}, false},
		"infinity is above everything finite": {[]float64{math.Inf(1)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var points []ops.Point
			for _, v := range c.values {
				points = append(points, ops.Point{Value: v})
			}
			if got, text := check.Holds(points); got != c.want || text == "" {
				t.Errorf("got %v %q, want %v", got, text, c.want)
			}
		})
	}
}

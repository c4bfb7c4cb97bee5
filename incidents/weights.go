package incidents

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"goc/incidents/suspects"
	"goc/ops"
)

// Weights overrides suspects.Weights by name: its fields in small letters with underscores, such as at_service.
type Weights map[string]float64

// maxWeight bounds a weight: e^20 is half a billion to one.
const maxWeight = 20

// weightNames lists the names, in the order of the fields of suspects.Weights.
func weightNames() []string {
	var out []string
	for f := range reflect.TypeFor[suspects.Weights]().Fields() {
		out = append(out, snake(f.Name))
	}
	return out
}

// snake writes AtService as at_service.
func snake(name string) string {
	var sb strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			sb.WriteByte('_')
		}
		sb.WriteRune(unicode.ToLower(r))
	}
	return sb.String()
}

func (w Weights) validate() error {
	names := weightNames()
	var errs []error
	for _, name := range sorted(w) {
		if !slices.Contains(names, name) {
			errs = append(errs, ops.Errorf(ops.Invalid, "there is no such weight%s", meant(name, names)).At("incidents.weights").WithHint("the weights are "+strings.Join(names, ", ")))
			continue
		}
		if v := w[name]; math.IsNaN(v) || math.Abs(v) > maxWeight {
			errs = append(errs, ops.Errorf(ops.Invalid, "a weight must be a number between -%d and %d", maxWeight, maxWeight).At("incidents.weights."+name))
		}
	}
	return errors.Join(errs...)
}

// over is base with the weights of w in place of its own.
func (w Weights) over(base suspects.Weights) suspects.Weights {
	v := reflect.ValueOf(&base).Elem()
	for i, name := range weightNames() {
		if x, ok := w[name]; ok {
			v.Field(i).SetFloat(x)
		}
	}
	return base
}

// meant is what to say of a name that is not known: the known one that it may be, if it is near one.
func meant(name string, known []string) string {
	best, dist := "", max(2, len(name)/3)+1
	for _, k := range known {
		if d := distance(name, k); d < dist {
			best, dist = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is how many letters must be put in, taken out or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(diagonal+1, row[j]+1, cost)
		}
	}
	return row[len(b)]
}

func sorted(w Weights) []string {
	var out []string
	for name := range w {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

package evaluation_test

import (
	"flag"
	"fmt"
	"reflect"
	"testing"

	"goc/incidents/evaluation"
	"goc/incidents/suspects"
)

var ablate = flag.Bool("ablate", false, "vary each weight by half and double, and remove each term in turn")

// changed is the weights with one of them changed.
type changed struct {
	name    string
	weights suspects.Weights
}

// variations are the weights in use, then each of them removed, halved and doubled.
func variations() []changed {
	out := []changed{{"as it is", suspects.DefaultWeights()}}
	fields := reflect.TypeFor[suspects.Weights]()
	for i := range fields.NumField() {
		for _, by := range []struct {
			name string
			x    float64
		}{{"removed", 0}, {"half", 0.5}, {"double", 2}} {
			w := suspects.DefaultWeights()
			f := reflect.ValueOf(&w).Elem().Field(i)
			f.SetFloat(f.Float() * by.x)
			out = append(out, changed{fields.Field(i).Name + ", " + by.name, w})
		}
	}
	return out
}

// TestAblation prints how far the results move: go test ./incidents/evaluation -run TestAblation -ablate -seeds 300 -v.
func TestAblation(t *testing.T) {
	if !*ablate {
		t.Skip("takes minutes; -ablate runs it")
	}
	vary := variations()
	var weights []suspects.Weights
	for _, v := range vary {
		weights = append(weights, v.weights)
	}
	made := outcomes(t, weights...)
	var asRecorded, strained [][]evaluation.Outcome
	for i, v := range evaluation.Variants() {
		all := recorded(t, v, weights...)
		if strained = append(strained, all...); i == 0 {
			asRecorded = all
		}
	}
	t.Logf("%d made-up incidents, %d recorded, %d with their variants", len(made), len(asRecorded), len(strained))
	fmt.Println("| weight | made up: first, at the alert | at the end | mean rank, end | accused above 50 %, end | ECE, end | recorded: first, at the alert | at the end | with variants: at the alert | at the end |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for i, v := range vary {
		last := len(evaluation.Moments) - 1
		a, e := evaluation.Measure(column(made, i), 0), evaluation.Measure(column(made, i), last)
		ra, re := evaluation.Measure(column(asRecorded, i), 0), evaluation.Measure(column(asRecorded, i), last)
		sa, se := evaluation.Measure(column(strained, i), 0), evaluation.Measure(column(strained, i), last)
		fmt.Printf("| %s | %.3f | %.3f | %.2f | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f |\n", v.name, a.First, e.First, e.MeanRank, e.Accused, e.ECE, ra.First, re.First, sa.First, se.First)
	}
}

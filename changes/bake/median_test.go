package bake

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTheMedianIsTheMiddleOfTheSortedNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 300 {
		v := make([]float64, n)
		var numbers []float64
		for i := range v {
			if v[i] = float64(r.IntN(1 + n/2)); r.IntN(10) == 0 {
				v[i] = math.NaN()
				continue
			}
			numbers = append(numbers, v[i])
		}
		slices.Sort(numbers)
		want := math.NaN()
		if k := len(numbers); k > 0 {
			want = (numbers[(k-1)/2] + numbers[k/2]) / 2
		}
		if got := median(v); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("of %d numbers it is %v, want %v", len(numbers), got, want)
		}
	}
}

func TestStudentsQuantilesAreNearTheTables(t *testing.T) {
	for _, tt := range []struct{ p, freedom, want float64 }{{0.05, 10, 1.812}, {0.01, 30, 2.457}, {0.001, 39, 3.313}, {0.01, 5, 3.365}} {
		if got := student(tt.p, tt.freedom); math.Abs(got-tt.want) > 0.05 {
			t.Errorf("student(%v, %v) is %.3f, want %.3f", tt.p, tt.freedom, got, tt.want)
		}
	}
}

func TestFishersTestOnTheLadyTastingTea(t *testing.T) {
	for x, want := range []float64{1, 69.0 / 70, 53.0 / 70, 17.0 / 70, 1.0 / 70} {
		if got := fisher(x, 4, 4-x, 4); math.Abs(got-want) > 1e-9 {
			t.Errorf("%d cups right: %v, want %v", x, got, want)
		}
	}
}

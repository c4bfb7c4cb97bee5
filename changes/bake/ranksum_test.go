package bake_test

import (
	"math"
	"testing"

	"goc/changes/bake"
)

func TestMannWhitneyAgreesWithPublishedTables(t *testing.T) {
	// Critical values of U for a two-sided test: the largest U at which P is still at most alpha (Mann and Whitney 1947;
	// the table is in every textbook, e.g. Siegel, Nonparametric Statistics, 1956, table K).
	critical := []struct {
		n, m  int
		alpha float64
		u     int
	}{
		{3, 5, .05, 0},
		{4, 4, .05, 0},
		{5, 5, .05, 2},
		{5, 8, .05, 6},
		{6, 6, .05, 5},
		{7, 7, .05, 8},
		{8, 8, .05, 13},
		{9, 10, .05, 20},
		{10, 10, .05, 23},
		{12, 12, .05, 37},
		{5, 5, .01, 0},
		{7, 7, .01, 4},
		{8, 8, .01, 7},
		{10, 10, .01, 16},
	}
	for _, c := range critical {
		at, above := bake.MannWhitney(withU(c.n, c.m, c.u)), bake.MannWhitney(withU(c.n, c.m, c.u+1))
		if at.U != float64(c.u) {
			t.Fatalf("n=%d m=%d: U is %v, want %d", c.n, c.m, at.U, c.u)
		}
		if at.P > c.alpha || above.P <= c.alpha {
			t.Errorf("n=%d m=%d: P is %.4f at the critical value %d and %.4f above it, for alpha %v", c.n, c.m, at.P, c.u, above.P, c.alpha)
		}
	}
}

// withU makes two samples without ties whose U is u.
func withU(n, m, u int) (a, b []float64) {
	for i := range m {
		b = append(b, float64(i+1))
	}
	for i := range n {
		over := min(m, u) // this one lies above so many of b
		u -= over
		a = append(a, float64(over)+0.1+float64(i)*0.01)
	}
	return a, b
}

func TestMannWhitneyInCasesThatPeopleKnow(t *testing.T) {
	same := make([]float64, 50)
	tests := []struct {
		name      string
		a, b      []float64
		u, p, eff float64
		within    float64
	}{
		{"nothing to compare", nil, []float64{1}, 0, 1, 0, 0},
		{"all equal", same, same, 1250, 1, 0, 0},
		// scipy.stats.mannwhitneyu's own example, exact: U=17, p=0.1111 two-sided.
		{"ages of males and females", []float64{19, 22, 16, 29, 24}, []float64{20, 11, 17, 12}, 17, 0.1111111, 0.7, 1e-6},
		{"all above", []float64{4, 5, 6}, []float64{1, 2, 3}, 9, 0.1, 1, 1e-9},
		{"all below", []float64{1, 2, 3}, []float64{4, 5, 6}, 0, 0.1, -1, 1e-9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := bake.MannWhitney(tt.a, tt.b)
			if got.U != tt.u || math.Abs(got.P-tt.p) > tt.within || math.Abs(got.Effect-tt.eff) > 1e-9 {
				t.Errorf("got %+v, want U %v P %v effect %v", got, tt.u, tt.p, tt.eff)
			}
		})
	}
}

func TestMannWhitneyForLargerSamplesKeepsToTheTables(t *testing.T) {
	for _, c := range []struct {
		n, m  int
		alpha float64
		u     int
	}{{20, 20, .05, 127}, {15, 20, .05, 90}, {15, 15, .05, 64}, {20, 20, .01, 105}} {
		at, above := bake.MannWhitney(withU(c.n, c.m, c.u)), bake.MannWhitney(withU(c.n, c.m, c.u+2))
		if at.P > c.alpha*1.07 || above.P <= c.alpha {
			t.Errorf("n=%d m=%d: P is %.4f at the critical value %d and %.4f two above it, for alpha %v", c.n, c.m, at.P, c.u, above.P, c.alpha)
		}
	}
}

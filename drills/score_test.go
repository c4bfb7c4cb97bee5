package drills_test

import (
	"testing"

	"pgregory.net/rapid"

	"goc/drills"
)

func TestScore(t *testing.T) {
	for name, c := range map[string]struct {
		legs []float64
		want int
	}{
		"every target met is full marks":          {[]float64{60, 300, 600}, 100},
		"three times every target is none":        {[]float64{180, 900, 1800}, 0},
		"nothing reached is none":                 {[]float64{-1, -1, -1}, 0},
		"only detected in time":                   {[]float64{10, -1, -1}, 30},
		"twice the target is half of a leg":       {[]float64{120, -1, -1}, 15},
		"located late, the rest in time":          {[]float64{30, 390, 450}, 95},
		"recovered without ever being located":    {[]float64{30, -1, 450}, 65},
		"later than three times does not go down": {[]float64{9999, 300, 600}, 70},
	} {
		if got := drills.Score(c.legs...); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestAScoreIsBoundedAndNeverRisesWithTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		legs := rapid.SliceOfN(rapid.Float64Range(-1, 4000), 3, 3).Draw(t, "legs")
		i := rapid.IntRange(0, 2).Draw(t, "leg")
		first := drills.Score(legs...)
		if legs[i] >= 0 {
			legs[i] += rapid.Float64Range(0, 4000).Draw(t, "more")
		}
		if then := drills.Score(legs...); then > first || first > 100 || then < 0 {
			t.Fatalf("%d, then %d for %v", first, then, legs)
		}
	})
}

func TestTheInjectionsAnswer(t *testing.T) {
	for answer, want := range map[string]string{
		`{"change_id":"CHG-1"}`: "CHG-1", `{"change_id":"CHG-1","x":2}`: "CHG-1", ``: "", `ok`: "", `[]`: "", `{"change_id":7}`: "", `{"change_id":"a b"}`: "", `{"change_id":"<x>"}`: "",
	} {
		if got := drills.ChangeIn(answer); got != want {
			t.Errorf("%s: %q, want %q", answer, got, want)
		}
	}
}

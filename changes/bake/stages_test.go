package bake_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"goc/changes/bake"
	"goc/ops"
)

// stage is a made-up stage in stores: which of them have the change, and what comes of it.
type stage struct {
	name    string
	stores  int
	treated int
	bend    func(s *sale) // what is special about it
	want    ops.Verdict
}

// sale is one store's orders a minute as they will be made.
type sale struct {
	treated, ring1 bool    // ring1: of the treated, the first half
	nth            int     // of the treated, or of the untreated
	noise          float64 // of a value, in parts of the level
	slope          float64 // parts of the level lost in each minute, from before the change on
	loss           float64 // part of the level lost with the change
	silent         bool    // sends nothing during the bake
	closed         bool    // sells nothing, before and during the bake
	fresh          bool    // sent nothing before the change
}

var stages = []stage{
	{"nothing happens", 40, 8, func(*sale) {}, ops.Healthy},
	{"nothing happens, in one store", 40, 1, func(*sale) {}, ops.Healthy},
	{"nothing happens, against few others", 8, 4, func(*sale) {}, ops.Healthy},
	{"one treated store is noisy", 40, 4, func(s *sale) { s.noisy(s.treated && s.nth == 0) }, ops.Healthy},
	{"the only treated store is noisy", 40, 1, func(s *sale) { s.noisy(s.treated) }, ops.Healthy},
	{"one other store is noisy", 8, 4, func(s *sale) { s.noisy(!s.treated && s.nth == 0) }, ops.Healthy},
	{"the treated were falling before the change", 40, 4, func(s *sale) {
		if s.treated {
			s.slope = 0.005
		}
	}, ops.Healthy},
	{"one other store is new", 40, 4, func(s *sale) { s.fresh = !s.treated && s.nth == 0 }, ops.Healthy},
	{"the treated send nothing at night", 40, 4, func(s *sale) { s.silent = s.treated }, ops.NoData},
	{"the treated sell nothing at night", 40, 4, func(s *sale) { s.closed = s.treated }, ops.NoData},
	{"all treated lose a quarter", 40, 8, func(s *sale) { s.lose(0.25, s.treated) }, ops.Unhealthy},
	{"the only treated store loses a third", 40, 1, func(s *sale) { s.lose(0.33, s.treated) }, ops.Unhealthy},
	{"they lose a third against few others", 8, 4, func(s *sale) { s.lose(0.33, s.treated) }, ops.Unhealthy},
	{"they lose a quarter, one other store is new", 40, 4, func(s *sale) {
		s.lose(0.25, s.treated)
		s.fresh = !s.treated && s.nth == 0
	}, ops.Unhealthy},
	{"they lose a third, one of them is noisy", 40, 4, func(s *sale) {
		s.lose(0.33, s.treated)
		s.noisy(s.treated && s.nth == 0)
	}, ops.Unhealthy},
	{"half of the treated lose half", 40, 8, func(s *sale) { s.lose(0.5, s.ring1) }, ops.Unhealthy},
	{"one of eight sells nothing more", 40, 8, func(s *sale) { s.lose(1, s.treated && s.nth == 0) }, ops.Unhealthy},
}

func (s *sale) noisy(yes bool) {
	if yes {
		s.noise *= 5
	}
}

func (s *sale) lose(part float64, yes bool) {
	if yes {
		s.loss = part
	}
}

// evidence makes a stage up: stores of all sizes under one daily curve, each with noise that keeps for some minutes.
func (st stage) evidence(r *rand.Rand, length int) bake.Evidence {
	e := bake.Evidence{Service: "pay", Indicator: "orders_per_min", Direction: ops.GoodHigher, Step: time.Minute}
	phase := r.Float64() * 2 * math.Pi
	for i := range st.stores {
		s := sale{treated: i < st.treated, ring1: i < st.treated/2, nth: i, noise: 0.1}
		if !s.treated {
			s.nth = i - st.treated
		}
		st.bend(&s)
		level, carried := 20*math.Exp(0.5*r.NormFloat64()), 0.0
		var u bake.Unit
		for m := -length; m < length; m++ {
			carried = 0.6*carried + 0.8*r.NormFloat64()
			v := level * (1 + 0.2*math.Sin(phase+float64(m)/60) + s.noise*carried - s.slope*float64(m+length))
			if m >= 0 {
				v *= 1 - s.loss
			}
			v = math.Max(0, v)
			if s.closed {
				v = 0
			}
			switch {
			case m < 0 && !s.fresh:
				u.Before = append(u.Before, v)
			case m >= 0 && !s.silent:
				u.During = append(u.During, v)
			}
		}
		switch {
		case len(u.During) == 0: // as a series of which nothing was heard
		case s.treated:
			e.Treated = append(e.Treated, u)
		default:
			e.Untreated = append(e.Untreated, u)
		}
	}
	return e
}

// TestMadeUpStages counts, of each kind of stage, how often the verdict is right, and over all of them precision and recall.
func TestMadeUpStages(t *testing.T) {
	const of, length = 200, 30
	var hit, wrong, missed int
	for n, st := range stages {
		r := rand.New(rand.NewPCG(7, uint64(n)))
		got := map[ops.Verdict]int{}
		for range of {
			k := bake.Bake{ChangeID: "CHG-1", Service: "pay", From: noon, To: noon.Add(length * time.Minute)}
			got[bake.Verdict(k, []bake.Evidence{st.evidence(r, length)}, k.To).Verdict]++
		}
		if st.want == ops.Unhealthy {
			hit, missed = hit+got[ops.Unhealthy], missed+of-got[ops.Unhealthy]
		} else {
			wrong += got[ops.Unhealthy]
		}
		t.Logf("| %s | %s | %.1f %% |", st.name, st.want, 100*float64(got[st.want])/of)
		if right := got[st.want]; right < of*3/4 {
			t.Errorf("%s: right in %d of %d", st.name, right, of)
		}
	}
	precision, recall := float64(hit)/float64(hit+wrong), float64(hit)/float64(hit+missed)
	t.Logf("precision %.3f, recall %.3f", precision, recall)
	if precision < .95 || recall < .93 {
		t.Errorf("precision %.3f, recall %.3f", precision, recall)
	}
}

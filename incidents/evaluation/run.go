package evaluation

import (
	"time"

	"goc/incidents/engine"
	"goc/incidents/suspects"
	"goc/ops"
)

// moments are when the ranking is looked at, after the first alert; the last one is the end.
var moments = [...]time.Duration{0, time.Minute, 5 * time.Minute, after}

// Moments name them.
var Moments = [...]string{"at the alert", "+60 s", "+300 s", "at the end"}

// Outcome is what a ranking said of one history at each moment.
type Outcome struct {
	Seed  uint64
	Truth Truth
	Seen  [len(moments)]Seen
}

// Seen is a ranking at one moment, against the truth.
type Seen struct {
	Rank     float64 // of the guilty change; those not listed share the places behind. 0 when no change is guilty
	First    string  // "" when nothing is suspect
	P        float64 // of the first suspect
	NoChange float64
}

// right says whether the first suspect is the guilty change.
func (o Outcome) right(m int) bool { return o.Truth.Guilty != "" && o.Seen[m].First == o.Truth.Guilty }

// Run feeds a history to the engine and looks at the ranking of its incident at each moment, once for each of the
// weights. Incidents are grouped as the engine's own weights, the first, have it. False when it went unnoticed.
func Run(h *History, weights ...suspects.Weights) ([]Outcome, bool) {
	out := make([]Outcome, len(weights))
	if h.Truth.Detected.IsZero() {
		return nil, false
	}
	e := engine.New(engine.Config{Weights: weights[0]}, h.Catalog, engine.Hooks{})
	f := follower{truth: h.Truth}
	next := 0
	for i, s := range h.Steps {
		f.see(e.Step(s.Input, s.At))
		last := i+1 == len(h.Steps) || h.Steps[i+1].At.After(s.At)
		for ; last && next < len(moments) && !s.At.Before(h.Truth.Detected.Add(moments[next])); next++ {
			for n, w := range weights {
				r, _ := e.RankWith(f.incident, w, s.At)
				out[n].Seen[next] = look(r, h.Truth)
			}
		}
	}
	for n := range out {
		out[n].Seed, out[n].Truth = h.Seed, h.Truth
	}
	return out, f.incident != ""
}

// follower finds the incident that took in the first alert of the trouble, and the one that it was merged into.
type follower struct {
	truth    Truth
	incident string
}

func (f *follower) see(o engine.Outputs) {
	for _, inc := range o.Changed {
		if f.incident == inc.ID && inc.Merged != "" {
			f.incident = inc.Merged
		}
		if f.incident != "" || o.At.Before(f.truth.Detected) {
			continue
		}
		for _, a := range inc.Alerts {
			if (a.Fingerprint == f.truth.Alert || f.truth.Alert == "") && a.Status == ops.Firing && inc.Merged == "" {
				f.incident = inc.ID
			}
		}
	}
}

func look(r suspects.Ranking, t Truth) Seen {
	s := Seen{NoChange: r.NoChange}
	if len(r.Suspects) > 0 {
		s.First, s.P = r.Suspects[0].ChangeID, r.Suspects[0].Probability
	}
	if t.Guilty != "" {
		s.Rank = rankOf(r.Suspects, t.Guilty, r.Weighed)
	}
	return s
}

// rankOf is the rank of the guilty change: ties count as their mean, and one that is not listed shares the places behind
// with the others that were weighed.
func rankOf(list []ops.Suspect, guilty string, weighed int) float64 {
	for _, s := range list {
		if s.ChangeID != guilty {
			continue
		}
		better, ties := 0, 0
		for _, o := range list {
			if o.Probability > s.Probability {
				better++
			} else if o.Probability == s.Probability {
				ties++
			}
		}
		return float64(better) + float64(ties+1)/2
	}
	return float64(len(list)+1+max(weighed, len(list)+1)) / 2
}

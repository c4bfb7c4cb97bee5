package suspects

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// The terms that go by what is on record: kind, risk, conduct, time, distance, fit.

// priorTerm is how often a change of this kind and risk is to blame, before anything is looked at.
func priorTerm(ch *ops.Change, w World) ops.Evidence {
	risk := ch.Risk
	weight := w.Weights.Base + factsOf(ch.Kind).prior
	switch risk {
	case "high":
		weight += w.Weights.RiskHigh
	case "low":
		weight -= w.Weights.RiskHigh
	default:
		risk = "medium"
	}
	n := w.Priors[ch.Kind]
	text := fmt.Sprintf("most changes break nothing; this is a %s of %s risk", word(ch.Kind), risk)
	if judged := n.Confirmed + n.Rejected; judged > 0 {
		// a count of one each way stands for what is not known yet
		weight += 0.5 * math.Log(float64(n.Confirmed+1)/float64(n.Rejected+1))
		text += fmt.Sprintf("; people confirmed %d of the %d that they judged", n.Confirmed, judged)
	}
	return ops.Evidence{
		Term: "prior", Weight: weight, Text: text,
		Args: map[string]any{"kind": ch.Kind, "risk": risk, "confirmed": n.Confirmed, "judged": n.Confirmed + n.Rejected},
	}
}

func word(k ops.ChangeKind) string { return strings.ReplaceAll(string(k), "_", " ") }

// conductTerm is how the change went out: past the gate, or faster than its bake.
func conductTerm(ch *ops.Change, w Weights) ops.Evidence {
	if ch.Overridden || ch.Unapproved {
		how := "although the gate had not allowed it"
		if ch.Overridden {
			how = "by break-glass"
		}
		return ops.Evidence{Term: "conduct", Weight: w.Override, Text: "it went out " + how, Args: map[string]any{"overridden": ch.Overridden, "unapproved": ch.Unapproved}}
	}
	for i := 1; i < len(ch.Stages); i++ {
		before, st := ch.Stages[i-1], ch.Stages[i]
		bake := time.Duration(before.Bake)
		if bake == 0 {
			bake = time.Duration(ch.Bake)
		}
		if bake > 0 && !st.StartedAt.IsZero() && !before.FinishedAt.IsZero() && st.StartedAt.Before(before.FinishedAt.Add(bake)) {
			return ops.Evidence{
				Term: "conduct", Weight: w.SkippedBake, Text: fmt.Sprintf("stage %d began before stage %d had baked for %s", i+1, i, ops.Duration(bake)),
				Args: map[string]any{"stage": i + 1, "bake_s": bake.Seconds()},
			}
		}
	}
	return ops.Evidence{}
}

// undoneTerm speaks for a change that had been taken back before the trouble began.
func undoneTerm(ch *ops.Change, k Case, w Weights) ops.Evidence {
	end := undone(ch)
	if end.IsZero() || end.After(k.Onset.Add(-time.Duration(k.OnsetBy))) {
		return ops.Evidence{}
	}
	before := k.Onset.Sub(end)
	return ops.Evidence{Term: "undone", Weight: -w.Undone, Text: "it was rolled back " + ops.Since(before) + " before the onset", Args: map[string]any{"before_s": math.Round(before.Seconds())}}
}

// undone is when ch was rolled back, zero when it was not.
func undone(ch *ops.Change) time.Time {
	if ch.Status != ops.ChangeRolledBack {
		return time.Time{}
	}
	if ch.FinishedAt.IsZero() {
		return ch.UpdatedAt.Time
	}
	return ch.FinishedAt.Time
}

// bakedTerm speaks for a change whose stages were watched and found well before the onset. A bake finds nine of ten harmful
// changes and is wrong about one healthy one in four (docs/benchmarks.md), so "healthy" is some two log-odds; half of that is
// taken, for what a bake does not look at.
func bakedTerm(ch *ops.Change, k Case, w Weights) ops.Evidence {
	n := 0
	for _, st := range ch.Stages {
		over := st.FinishedAt.Add(time.Duration(st.Bake))
		if st.Verdict == ops.Healthy && !st.FinishedAt.IsZero() && !over.After(k.Onset) {
			n++
		}
	}
	if n == 0 {
		return ops.Evidence{}
	}
	text := fmt.Sprintf("%d of its stages had baked and %s well before the onset", n, plural(n, "was", "were"))
	return ops.Evidence{Term: "baked", Weight: -w.Baked * float64(min(n, 2)), Text: text, Args: map[string]any{"stages": n}}
}

// timeTerm decays with the time between the change's last move and the onset. The kind sets the pace.
func timeTerm(ch *ops.Change, k Case, moved time.Time, stage int, w Weights) ops.Evidence {
	before := max(0, k.Onset.Sub(moved))
	weight := -w.Decay * min(4, float64(before)/float64(factsOf(ch.Kind).tau))
	what := "it started"
	if stage > 0 {
		what = fmt.Sprintf("its stage %d started", stage)
	}
	text := what + " " + ops.Since(before) + " before the onset"
	if before < time.Second {
		text = what + " at the onset"
	}
	if weight > -0.3*w.Decay { // what is recent speaks for it, if only a little
		weight += 0.3 * w.Decay
	}
	return ops.Evidence{Term: "time", Weight: weight, Text: text, Args: map[string]any{"before_s": math.Round(before.Seconds()), "stage": stage}}
}

// reachTerm is whether the change can reach the symptom at all: through the call graph, a place, or a kind of device.
// The distance is -1 when the graph says nothing.
func reachTerm(k Case, ch *ops.Change, w World) (ops.Evidence, int) {
	if ch.Service != "" && len(k.Services) > 0 {
		return distanceTerm(k, ch.Service, w)
	}
	return placeTerm(k, ch, w), -1
}

// below is how far below a symptom's service another stands, and below which.
type below struct {
	calls int
	from  string
}

// belowAll walks the call graph once for all changes.
func belowAll(k Case, g *Graph) map[string]below {
	out := map[string]below{}
	for _, s := range k.Services {
		for name, d := range g.Below(s) {
			if old, ok := out[name]; !ok || d < old.calls {
				out[name] = below{d, s}
			}
		}
	}
	return out
}

func distanceTerm(k Case, service string, w World) (ops.Evidence, int) {
	best, from := -1, ""
	if b, ok := k.below[service]; ok {
		best, from = b.calls, b.from
	}
	args := map[string]any{"service": service, "symptom": from, "calls": best}
	switch {
	case best == 0:
		return ops.Evidence{Term: "distance", Weight: w.Weights.AtService, Text: "it changes " + service + ", which shows the symptom", Args: args}, 0
	case best > 0:
		weight := max(0, w.Weights.BelowService-w.Weights.PerCall*float64(best-1))
		text := fmt.Sprintf("%s, which shows the symptom, depends on %s (%d %s away)", from, service, best, plural(best, "call", "calls"))
		return ops.Evidence{Term: "distance", Weight: weight, Text: text, Args: args}, best
	}
	for _, s := range k.Services {
		if d := w.Graph.Distance(service, s); d > 0 {
			args["symptom"], args["calls"] = s, -d
			return ops.Evidence{Term: "distance", Weight: w.Weights.AboveService, Text: service + " only calls " + s + ", which shows the symptom", Args: args}, -1
		}
	}
	args["symptom"] = k.Services[0]
	return ops.Evidence{Term: "distance", Weight: w.Weights.Unrelated, Text: service + " and " + k.Services[0] + " do not call each other", Args: args}, -1
}

// placeTerm compares the places and kinds of device that the change and the symptom name.
func placeTerm(k Case, ch *ops.Change, w World) ops.Evidence {
	touched := ch.Touched()
	symptom := k.Place
	symptom.Store = k.Stores
	if w.Catalog != nil {
		touched, symptom = w.Catalog.Expand(touched), w.Catalog.Expand(symptom)
	}
	var shared, differs []string
	for _, key := range []string{"store", "city", "region", "kind", "model", "firmware"} {
		a, b := *touched.Key(key), *symptom.Key(key)
		if len(a) == 0 || len(b) == 0 {
			continue
		}
		if i := slices.IndexFunc(a, func(v string) bool { return slices.Contains(b, v) }); i >= 0 {
			if key != "city" && key != "region" || len(symptom.Store) == 0 { // a store says its city
				shared = append(shared, key+" "+a[i])
			}
		} else {
			differs = append(differs, key)
		}
	}
	switch {
	case len(differs) > 0:
		return ops.Evidence{Term: "distance", Weight: w.Weights.Unrelated, Text: "it touches another " + differs[0] + " than the symptom", Args: map[string]any{"differs": differs}}
	case len(shared) > 0:
		return ops.Evidence{Term: "distance", Weight: w.Weights.SamePlace, Text: "it touches " + strings.Join(shared[:min(3, len(shared))], ", ") + ", which the symptom names", Args: map[string]any{"shared": shared}}
	}
	return ops.Evidence{Term: "distance", Weight: -0.5, Text: "nothing on record connects it with the symptom", Args: map[string]any{}}
}

// fitTerm is whether such a change makes such symptoms: firmware fails devices, a network change cuts places off.
func fitTerm(k Case, ch *ops.Change, w Weights) ops.Evidence {
	f := factsOf(ch.Kind)
	fit, symptom := f.place, "a whole place"
	switch {
	case len(k.Services) > 0:
		fit, symptom = f.service, "a service"
	case len(k.Place.Kind)+len(k.Place.Device)+len(k.Place.Model)+len(k.Place.Firmware) > 0:
		fit, symptom = f.device, "devices"
	}
	if fit == 0 || w.Fit == 0 {
		return ops.Evidence{}
	}
	verb := "often shows in"
	if fit < 0 {
		verb = "seldom shows in"
	}
	return ops.Evidence{Term: "fit", Weight: fit * w.Fit, Text: "a " + word(ch.Kind) + " " + verb + " " + symptom, Args: map[string]any{"kind": ch.Kind, "symptom": symptom}}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

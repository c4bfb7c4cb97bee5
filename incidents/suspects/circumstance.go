package suspects

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"goc/ops"
)

// The sentences of the terms that go by what is on record: kind, risk, conduct, time, distance, fit. They are made for
// what is shown; the numbers of all candidates come from frame and scan.

// priorTerm says what is thought of such a change before anything is looked at.
func priorTerm(ch *ops.Change, w World) ops.Evidence {
	risk := [risks]string{riskLow: "low", riskMedium: "medium", riskHigh: "high"}[riskOf(ch)]
	n := w.Priors[ch.Kind]
	text := fmt.Sprintf("most changes break nothing; this is a %s of %s risk", word(ch.Kind), risk)
	if judged := n.Confirmed + n.Rejected; judged > 0 {
		text += fmt.Sprintf("; people confirmed %d of the %d that they judged", n.Confirmed, judged)
	}
	return ops.Evidence{
		Term: "prior", Weight: priorWeight(ch.Kind, riskOf(ch), w), Text: text,
		Args: map[string]any{"kind": ch.Kind, "risk": risk, "confirmed": n.Confirmed, "judged": n.Confirmed + n.Rejected},
	}
}

func word(k ops.ChangeKind) string { return strings.ReplaceAll(string(k), "_", " ") }

// conductTerm is how the change went out: past the gate, or faster than its bake.
func conductTerm(ch *ops.Change, w Weights) ops.Evidence {
	switch conductOf(ch) {
	case conductForced:
		how := "although the gate had not allowed it"
		if ch.Overridden {
			how = "by break-glass"
		}
		return ops.Evidence{Term: "conduct", Weight: w.Override, Text: "it went out " + how, Args: map[string]any{"overridden": ch.Overridden, "unapproved": ch.Unapproved}}
	case conductHasty:
		stage, bake := hastyStage(ch)
		return ops.Evidence{
			Term: "conduct", Weight: w.SkippedBake, Text: fmt.Sprintf("stage %d began before stage %d had baked for %s", stage, stage-1, ops.Duration(bake)),
			Args: map[string]any{"stage": stage, "bake_s": bake.Seconds()},
		}
	}
	return ops.Evidence{}
}

// hastyStage is the first stage that began before the bake of the one before was over, counted from 1, and that bake; 0
// when none did.
func hastyStage(ch *ops.Change) (int, time.Duration) {
	for i := 1; i < len(ch.Stages); i++ {
		before, st := &ch.Stages[i-1], &ch.Stages[i]
		bake := time.Duration(cmp.Or(before.Bake, ch.Bake))
		if bake > 0 && !st.StartedAt.IsZero() && !before.FinishedAt.IsZero() && st.StartedAt.Before(before.FinishedAt.Add(bake)) {
			return i + 1, bake
		}
	}
	return 0, 0
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
func bakedTerm(n int, w Weights) ops.Evidence {
	if n == 0 {
		return ops.Evidence{}
	}
	text := fmt.Sprintf("%d of its stages had baked and %s well before the onset", n, plural(n, "was", "were"))
	return ops.Evidence{Term: "baked", Weight: bakedWeight(n, w), Text: text, Args: map[string]any{"stages": n}}
}

// timeTerm decays with the time between the change's last move and the onset. The kind sets the pace.
func timeTerm(ch *ops.Change, k Case, moved time.Time, stage int, w Weights) ops.Evidence {
	before := max(0, k.Onset.Sub(moved))
	weight := timeWeight(float64(before), float64(factsOf(ch.Kind).tau), w.Decay)
	what := "it started"
	if stage > 0 {
		what = fmt.Sprintf("its stage %d started", stage)
	}
	text := what + " " + ops.Since(before) + " before the onset"
	if before < time.Second {
		text = what + " at the onset"
	}
	return ops.Evidence{Term: "time", Weight: weight, Text: text, Args: map[string]any{"before_s": math.Round(before.Seconds()), "stage": stage}}
}

// distanceTerm is whether the call graph leads from the symptom to the change's service.
func distanceTerm(k Case, service string, below map[string]step, w World) ops.Evidence {
	args := map[string]any{"service": service, "symptom": "", "calls": -1}
	say := func(weight float64, symptom, text string) ops.Evidence {
		args["symptom"] = symptom
		return ops.Evidence{Term: "distance", Weight: weight, Text: text, Args: args}
	}
	if b, ok := below[service]; ok {
		args["calls"] = b.calls
		if b.calls == 0 {
			return say(w.Weights.AtService, b.from, "it changes "+service+", which shows the symptom")
		}
		return say(belowWeight(b.calls, w.Weights), b.from, fmt.Sprintf("%s, which shows the symptom, depends on %s (%d %s away)", b.from, service, b.calls, plural(b.calls, "call", "calls")))
	}
	for _, s := range k.Services {
		if d := w.Graph.Distance(service, s); d > 0 {
			args["calls"] = -d
			return say(w.Weights.AboveService, s, service+" only calls "+s+", which shows the symptom")
		}
	}
	return say(w.Weights.Unrelated, k.Services[0], service+" and "+k.Services[0]+" do not call each other")
}

// placeTerm names the places and kinds of device that the change and the symptom share, or on which they differ.
func (x *Index) placeTerm(p *profile, s *symptom, w Weights) ops.Evidence {
	var shared, differs []string
	for axis := range placeAxes {
		both, same := x.shares(p, s, axis)
		switch {
		case both && !same:
			differs = append(differs, placeKeys[axis])
		case same && (axis != byCity && axis != byRegion || !s.named[byStore]): // a store says its city
			shared = append(shared, placeKeys[axis]+" "+x.firstShared(p, s, axis))
		}
	}
	weight := x.placeWeight(p, s, w)
	switch {
	case len(differs) > 0:
		return ops.Evidence{Term: "distance", Weight: weight, Text: "it touches another " + differs[0] + " than the symptom", Args: map[string]any{"differs": differs}}
	case len(shared) > 0:
		return ops.Evidence{Term: "distance", Weight: weight, Text: "it touches " + strings.Join(shared[:min(3, len(shared))], ", ") + ", which the symptom names", Args: map[string]any{"shared": shared}}
	}
	return ops.Evidence{Term: "distance", Weight: weight, Text: "nothing on record connects it with the symptom", Args: map[string]any{}}
}

// fitTerm is whether such a change makes such symptoms: firmware fails devices, a network change cuts places off.
func fitTerm(k Case, ch *ops.Change, w Weights) ops.Evidence {
	class := classOf(k)
	fit, symptom := factsOf(ch.Kind).fit(class), [classes]string{ofService: "a service", ofDevices: "devices", ofPlace: "a whole place"}[class]
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

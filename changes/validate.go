package changes

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// Bounds of one change.
const (
	MaxStages   = 200
	MaxUnits    = 5_000 // of one stage, and as many that they replace
	MaxText     = 4096  // bytes of a title, a rollback or a note
	MaxLinks    = 50
	MaxBake     = 7 * 24 * time.Hour
	MaxAhead    = 5 * time.Minute // how far in the future an event may say that it happened
	maxLabels   = ops.MaxLabels
	maxLabel    = ops.MaxLabelValue
	placeOfBody = "body"
)

// normalise makes of what a sender gave what goes on record: an unknown kind becomes KindOther with its own name in the
// label "kind"; a title is made up where there is none; what only the record may say is cleared.
func normalise(c ops.Change) ops.Change {
	out := ops.Change{
		Kind: c.Kind, Title: strings.TrimSpace(c.Title), Service: c.Service, Version: c.Version, PreviousVersion: c.PreviousVersion,
		Environment: c.Environment, Scope: c.Scope, Risk: c.Risk, Author: c.Author, Links: slices.Clone(c.Links), Bake: c.Bake,
		Rollback: c.Rollback, Reviews: clone(c.Reviews), Labels: clone(c.Labels), Source: c.Source, Status: ops.ChangePlanned,
	}
	if out.Kind != "" && !slices.Contains(ops.ChangeKinds[:], out.Kind) {
		if out.Labels == nil {
			out.Labels = map[string]string{}
		}
		out.Labels["kind"] = string(c.Kind)
		out.Kind = ops.KindOther
	}
	if out.Title == "" {
		out.Title = strings.TrimSpace(fmt.Sprintf("%s of %s %s", out.Kind, out.Service, out.Version))
	}
	for _, s := range c.Stages {
		out.Stages = append(out.Stages, ops.Stage{
			Name: s.Name, Scope: s.Scope, Share: s.Share, Bake: s.Bake,
			Units: slices.Clone(s.Units), Replaces: slices.Clone(s.Replaces),
		})
	}
	out.Drill = out.Labels["drill"]
	return out
}

func clone(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m)+1)
	for k, v := range m {
		out[k] = v
	}
	return out
}

// validate refuses a change that says too little or too much. at is its place in the input.
func validate(c ops.Change, at string) error {
	if c.Kind == "" {
		return ops.Errorf(ops.Invalid, "a change must have a kind").At(at + ".kind").WithHint("one of " + kindNames())
	}
	if c.Title == "" && c.Service == "" {
		return ops.Errorf(ops.Invalid, "a change must have a title or a service").At(at + ".title")
	}
	if err := validateTexts(c, at); err != nil {
		return err
	}
	if c.Risk != "" && !isRisk(c.Risk) {
		return ops.Errorf(ops.Invalid, "the risk must be low, medium or high").At(at + ".risk")
	}
	if time.Duration(c.Bake) < 0 || time.Duration(c.Bake) > MaxBake {
		return ops.Errorf(ops.Invalid, "a bake may take at most %s", ops.Duration(MaxBake)).At(at + ".bake")
	}
	if err := c.Scope.Validate(at + ".scope"); err != nil {
		return err
	}
	if err := validateMaps(c, at); err != nil {
		return err
	}
	if len(c.Stages) > MaxStages {
		return ops.Errorf(ops.Invalid, "a change may have at most %d stages", MaxStages).At(at + ".stages")
	}
	for i, s := range c.Stages {
		if err := validateStage(s, fmt.Sprintf("%s.stages[%d]", at, i)); err != nil {
			return err
		}
	}
	return nil
}

func kindNames() string {
	names := make([]string, len(ops.ChangeKinds))
	for i, k := range ops.ChangeKinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

func validateTexts(c ops.Change, at string) error {
	for _, f := range []struct {
		name, value string
		max         int
	}{
		{"kind", string(c.Kind), ops.MaxNameLength},
		{"title", c.Title, MaxText},
		{"rollback", c.Rollback, MaxText},
		{"service", c.Service, ops.MaxNameLength},
		{"version", c.Version, ops.MaxNameLength},
		{"previous_version", c.PreviousVersion, ops.MaxNameLength},
		{"environment", c.Environment, ops.MaxNameLength},
		{"author", c.Author, ops.MaxNameLength},
		{"source", c.Source, ops.MaxNameLength},
	} {
		if len(f.value) > f.max {
			return ops.Errorf(ops.Invalid, "must have at most %d bytes", f.max).At(at + "." + f.name)
		}
	}
	return nil
}

func validateMaps(c ops.Change, at string) error {
	for name, m := range map[string]map[string]string{"labels": c.Labels, "reviews": c.Reviews} {
		if len(m) > maxLabels {
			return ops.Errorf(ops.Invalid, "may have at most %d entries", maxLabels).At(at + "." + name)
		}
		for k, v := range m {
			if k == "" || len(k) > ops.MaxLabelName || len(v) > maxLabel {
				return ops.Errorf(ops.Invalid, "a name may have 1 to %d bytes and a value at most %d", ops.MaxLabelName, maxLabel).At(at + "." + name)
			}
		}
	}
	if len(c.Links) > MaxLinks {
		return ops.Errorf(ops.Invalid, "may have at most %d links", MaxLinks).At(at + ".links")
	}
	for i, l := range c.Links {
		u, err := url.Parse(l.URL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || len(l.URL) > MaxText || len(l.Title) > MaxText {
			return ops.Errorf(ops.Invalid, "a link must be an http or https URL of at most %d bytes", MaxText).At(fmt.Sprintf("%s.links[%d].url", at, i))
		}
	}
	return nil
}

func validateStage(s ops.Stage, at string) error {
	if len(s.Name) > ops.MaxNameLength {
		return ops.Errorf(ops.Invalid, "must have at most %d bytes", ops.MaxNameLength).At(at + ".name")
	}
	if time.Duration(s.Bake) < 0 || time.Duration(s.Bake) > MaxBake {
		return ops.Errorf(ops.Invalid, "a bake may take at most %s", ops.Duration(MaxBake)).At(at + ".bake")
	}
	if !(s.Share >= 0 && s.Share <= 1) {
		return ops.Errorf(ops.Invalid, "a share lies between 0 and 1").At(at + ".share").WithHint("0.1 is a tenth of the stores of the ring's scope")
	}
	if err := s.Scope.Validate(at + ".scope"); err != nil {
		return err
	}
	return validateNames(at, map[string][]string{"units": s.Units, "replaces": s.Replaces})
}

func validateNames(at string, lists map[string][]string) error {
	for name, list := range lists {
		if len(list) > MaxUnits {
			return ops.Errorf(ops.Invalid, "may name at most %d", MaxUnits).At(at + "." + name)
		}
		for _, v := range list {
			if v == "" || len(v) > ops.MaxNameLength {
				return ops.Errorf(ops.Invalid, "each must have 1 to %d bytes", ops.MaxNameLength).At(at + "." + name)
			}
		}
	}
	return nil
}

// validateEvent refuses an event that nothing could mean, or that says that it happens later than now.
func validateEvent(e ops.ChangeEvent, now time.Time) error {
	if !slices.Contains(EventNames[:], e.Event) {
		return ops.Errorf(ops.Invalid, "no such event").At(placeOfBody + ".event").WithHint("one of " + strings.Join(EventNames[:], ", "))
	}
	if e.Stage < 0 || e.Stage > MaxStages {
		return ops.Errorf(ops.Invalid, "a stage counts from 1 to %d", MaxStages).At(placeOfBody + ".stage")
	}
	if (e.Event == StageStarted || e.Event == StageFinished) && e.Stage == 0 {
		return ops.Errorf(ops.Invalid, "this event must name its stage, counted from 1").At(placeOfBody + ".stage")
	}
	if e.At.After(now.Add(MaxAhead)) {
		return ops.Errorf(ops.Invalid, "an event must not lie more than %s in the future", ops.Duration(MaxAhead)).At(placeOfBody + ".at")
	}
	if len(e.Note) > MaxText {
		return ops.Errorf(ops.Invalid, "must have at most %d bytes", MaxText).At(placeOfBody + ".note")
	}
	return validateNames(placeOfBody, map[string][]string{"units": e.Units, "replaces": e.Replaces, "stores": e.Stores})
}

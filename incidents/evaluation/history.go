package evaluation

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// History is one made-up stretch of a chain's life with one incident in it.
type History struct {
	Seed    uint64
	Catalog *ops.Catalog
	Steps   []Step // in the order of time
	Truth   Truth
}

// Step is one input and when it arrives.
type Step struct {
	At    time.Time
	Input engine.Input
}

// Truth is the answer, which nothing that is measured may read.
type Truth struct {
	Guilty   string    // the change that did it, "" when none on record did
	Hidden   bool      // a change did it, and nobody recorded it
	Kind     string    // of the guilty change, or of what else went wrong
	Began    time.Time // when the harm began
	Detected time.Time // the first alert of it; zero when it went unnoticed
	Changes  int       // on record
	Alert    string    // the fingerprint of that alert
}

// How long a history is.
const (
	before   = 30 * time.Minute // samples, before the harm begins
	past     = 8 * time.Hour    // changes, before that
	patience = 40 * time.Minute // after it, for an alert
	after    = 11 * time.Minute // after the first alert
)

// epoch is when the harm begins in every history, about.
var epoch = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// Generate makes the history of a seed.
func Generate(seed uint64) *History {
	c := newChain(seed)
	begins := epoch.Add(time.Duration(newDice(seed, ofTrouble+100).Float64() * float64(10*time.Minute))).Round(time.Millisecond)
	t := newTrouble(seed, c, begins)
	acts := c.changes(seed, t)
	h := &History{Seed: seed, Catalog: c.catalog(), Truth: Truth{Kind: t.kind, Began: begins}}
	end := h.observe(seed, c, t)
	c.record(seed, h, t, acts, end)
	slices.SortStableFunc(h.Steps, func(x, y Step) int { return x.At.Compare(y.At) })
	return h
}

// observe adds the samples and alerts, and returns when the history ends.
func (h *History) observe(seed uint64, c *chain, t *trouble) time.Time {
	sig, al := newSignal(seed, c, t), newAlarms(seed, c, t)
	from, end := t.begins.Add(-before), t.begins.Add(patience)
	al.chatter(from, end)
	al.things(end)
	for at := from; at.Before(end); at = at.Add(c.interval) {
		samples := sig.sample(at)
		h.Steps = append(h.Steps, Step{at, engine.Samples{Samples: samples}})
		al.see(at, samples)
		if first := al.first(); !first.IsZero() {
			h.Truth.Detected, end = first, first.Add(after)
		}
	}
	for _, a := range al.out {
		if a.at.After(end) {
			continue
		}
		alert := ops.Alert{Status: a.status, Labels: a.labels, Annotations: map[string]string{"summary": summary(a.labels)}, StartsAt: ops.At(a.at)}
		if a.ours && a.at.Equal(h.Truth.Detected) && h.Truth.Alert == "" {
			h.Truth.Alert = ops.Fingerprint(a.labels)
		}
		if a.status == ops.Resolved {
			alert.EndsAt = ops.At(a.at)
		}
		h.Steps = append(h.Steps, Step{a.at, engine.Alerts{Source: engine.Replay, Alerts: []ops.Alert{alert}}})
	}
	for _, d := range moments { // virtual time stands where the ranking is looked at
		if h.Steps = append(h.Steps, Step{end, engine.Tick{}}); !h.Truth.Detected.IsZero() && d < after {
			h.Steps = append(h.Steps, Step{h.Truth.Detected.Add(d), engine.Tick{}})
		}
	}
	return end
}

// first is when the first alert that the trouble made arrives, zero while there is none.
func (a *alarms) first() time.Time {
	var first time.Time
	for _, t := range a.out {
		if t.ours && t.status == ops.Firing && (first.IsZero() || t.at.Before(first)) {
			first = t.at
		}
	}
	return first
}

// WriteReplay writes the history as a replay file. Its catalog is not part of it.
func (h *History) WriteReplay(w io.Writer) error {
	if err := writeLine(w, h.Steps[0].At, "topology", map[string]any{"calls": h.Catalog.Calls()}); err != nil {
		return err
	}
	for _, s := range h.Steps {
		if err := s.write(w); err != nil {
			return err
		}
	}
	return nil
}

func (s Step) write(w io.Writer) error {
	switch in := s.Input.(type) {
	case engine.Change:
		return writeLine(w, s.At, "change", map[string]any{"change": in.Change})
	case engine.Stage:
		return writeLine(w, s.At, "stage", map[string]any{"change_id": in.ChangeID, "stage": in.Stage, "state": in.State, "units": in.Units, "replaces": in.Replaces, "stores": in.Stores})
	case engine.Samples:
		for _, o := range in.Samples {
			err := writeLine(w, s.At, "indicator", map[string]any{"indicator": o.Indicator, "service": o.Service, "caller": o.Caller, "unit": o.Unit, "caller_unit": o.CallerUnit, "store": o.Store, "value": o.Value})
			if err != nil {
				return err
			}
		}
		return nil
	case engine.Alerts:
		for _, a := range in.Alerts {
			if err := writeLine(w, s.At, "alert", map[string]any{"status": a.Status, "labels": a.Labels, "annotations": a.Annotations}); err != nil {
				return err
			}
		}
		return nil
	}
	return writeLine(w, s.At, "tick", map[string]any{})
}

// writeLine writes one line of a replay file.
func writeLine(w io.Writer, at time.Time, kind string, fields map[string]any) error {
	fields["kind"] = kind
	b, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	head := fmt.Sprintf(`{"at":%.3f,`, float64(at.UnixMilli())/1000)
	_, err = w.Write(append([]byte(head), append(bytes.TrimPrefix(b, []byte("{")), '\n')...))
	return err
}

// changes draws every change of the history, the guilty one among them, in the order in which they began.
func (c *chain) changes(seed uint64, t *trouble) []*act {
	d := newDice(seed, ofChanges)
	var acts []*act
	from, span := t.begins.Add(-past), past+before
	for range d.poisson(d.spread(4, 60) * span.Hours()) {
		at := from.Add(time.Duration(d.Float64() * float64(span))).Round(time.Millisecond)
		acts = append(acts, newAct(d, c, pick(d, harmless), at, -1))
	}
	acts = append(acts, c.decoys(d, t)...)
	for _, a := range acts {
		if a.conduct(d, false); d.chance(0.03) {
			a.rolledBack = a.begins.Add(d.span(2*time.Minute, time.Hour))
		}
	}
	if t.guilty != nil {
		t.guilty.conduct(d, true)
		acts = append(acts, t.guilty)
	}
	slices.SortStableFunc(acts, func(x, y *act) int { return cmp.Compare(x.begins.UnixNano(), y.begins.UnixNano()) })
	for i, a := range acts {
		a.id = fmt.Sprint("CHG-", i+1)
	}
	c.rename(d, acts)
	return acts
}

// decoys draws innocent changes that look guilty: close in time, and on the same service, its callers or callees, or the same stores.
func (c *chain) decoys(d dice, t *trouble) []*act {
	var out []*act
	for range d.poisson(1.2) {
		kind := pick(d, []weighted[ops.ChangeKind]{{ops.KindRelease, 6}, {ops.KindConfig, 2}, {ops.KindFlag, 1}})
		service := t.origin
		if service < 0 {
			service = c.fronts[d.IntN(len(c.fronts))]
		}
		switch x := d.Float64(); {
		case x < 0.3: // the same service
		case x < 0.5 && len(c.services[service].callers) > 0:
			service = c.services[service].callers[d.IntN(len(c.services[service].callers))]
		case x < 0.65 && len(c.services[service].calls) > 0:
			service = c.services[service].calls[d.IntN(len(c.services[service].calls))].to
		case x < 0.85:
			kind, service = pick(d, harmless), -1
		}
		at := t.begins.Add(time.Duration(d.between(-8, 3) * float64(time.Minute))).Round(time.Millisecond)
		a := newAct(d, c, kind, at, service)
		if len(t.stores) > 0 && d.chance(0.4) {
			a.sameStores(d, t)
		}
		out = append(out, a)
	}
	return out
}

// sameStores sends a change to stores in which something goes wrong, and to a few others.
func (a *act) sameStores(d dice, t *trouble) {
	stores := make([]int, 0, len(t.stores))
	for s := range t.stores {
		stores = append(stores, s)
	}
	slices.Sort(stores)
	stores = stores[:1+d.IntN(len(stores))]
	if len(a.rings) > 0 && len(a.rings[0].stores) > 0 {
		a.rings[0].stores = stores
	} else if len(a.rings) == 0 {
		a.stores = stores
	}
}

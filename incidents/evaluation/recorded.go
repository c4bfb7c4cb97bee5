package evaluation

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// ReadReplay reads a replay file as steps; samples of one time are one step.
func ReadReplay(r io.Reader) ([]Step, error) {
	var out []Step
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 4<<20)
	for n := 1; lines.Scan(); n++ {
		l, err := engine.ParseLine(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if l.Kind == "change" && l.Change.Status == "" && l.Change.StartedAt.IsZero() { // a history tells of changes when they begin
			l.Change.StartedAt, l.Change.Status = l.At, ops.ChangeStarted
		}
		in := l.Input()
		if s, ok := in.(engine.Samples); ok && len(out) > 0 && out[len(out)-1].At.Equal(l.At.Time) {
			if before, ok := out[len(out)-1].Input.(engine.Samples); ok {
				out[len(out)-1].Input = engine.Samples{Samples: append(before.Samples, s.Samples...)}
				continue
			}
		}
		out = append(out, Step{l.At.Time, in})
	}
	return out, lines.Err()
}

// Recorded makes a history of a recording; its end is where the last step is.
func Recorded(steps []Step, t Truth) *History {
	h := &History{Truth: t, Steps: slices.Clone(steps)}
	end := steps[len(steps)-1].At
	for _, d := range moments {
		if at := t.Detected.Add(d); at.Before(end) {
			h.Steps = append(h.Steps, Step{at, engine.Tick{}})
		}
	}
	h.sort()
	return h
}

func (h *History) sort() {
	slices.SortStableFunc(h.Steps, func(x, y Step) int { return x.At.Compare(y.At) })
}

// Variant changes a recording into one that was never looked at, with the same answer.
type Variant struct {
	Name  string
	Least float64 // share of guilty changes that must come first at the end
	Apply func(steps []Step, t Truth, seed uint64) ([]Step, Truth)
}

// Variants are the ways in which recordings are strained.
func Variants() []Variant {
	return []Variant{
		{"as recorded", 1, func(s []Step, t Truth, _ uint64) ([]Step, Truth) { return s, t }},
		{"every second sample", 0.8, thinned(2)},
		{"every third sample", 0.8, thinned(3)},
		{"a third of the units unseen", 0.7, unseen},
		{"sample times off by up to 10 s", 0.9, jittered},
		{"change times off by up to 60 s", 0.9, skewed},
		{"the alert 60 s earlier", 0.9, moved(-time.Minute)},
		{"the alert 60 s later", 0.9, moved(time.Minute)},
		{"other names", 1, renamed},
	}
}

// eachSamples maps the samples of every step; those of which none is left go.
func eachSamples(steps []Step, f func(n int, s ops.Sample) (ops.Sample, bool)) []Step {
	var out []Step
	n := 0
	for _, st := range steps {
		in, ok := st.Input.(engine.Samples)
		if !ok {
			out = append(out, st)
			continue
		}
		var kept []ops.Sample
		for _, s := range in.Samples {
			if s, ok := f(n, s); ok {
				kept = append(kept, s)
			}
		}
		if n++; len(kept) > 0 {
			out = append(out, Step{st.At, engine.Samples{Samples: kept}})
		}
	}
	return out
}

func thinned(k int) func([]Step, Truth, uint64) ([]Step, Truth) {
	return func(steps []Step, t Truth, seed uint64) ([]Step, Truth) {
		return eachSamples(steps, func(n int, s ops.Sample) (ops.Sample, bool) { return s, (n+int(seed))%k == 0 }), t
	}
}

func unseen(steps []Step, t Truth, seed uint64) ([]Step, Truth) {
	d, lost := rand.New(rand.NewPCG(seed, 1)), map[string]bool{}
	return eachSamples(steps, func(_ int, s ops.Sample) (ops.Sample, bool) {
		name := s.Unit + s.CallerUnit
		if _, known := lost[name]; !known {
			lost[name] = d.Float64() < 1.0/3
		}
		return s, !lost[name]
	}), t
}

func jittered(steps []Step, t Truth, seed uint64) ([]Step, Truth) {
	d := rand.New(rand.NewPCG(seed, 2))
	return eachSamples(steps, func(_ int, s ops.Sample) (ops.Sample, bool) {
		s.At = ops.At(s.At.Add(-time.Duration(d.Float64() * float64(10*time.Second))))
		return s, true
	}), t
}

// skewed moves all that is on record of changes by the same span: the recorder's clock is off.
func skewed(steps []Step, t Truth, seed uint64) ([]Step, Truth) {
	by := time.Duration(rand.New(rand.NewPCG(seed, 3)).Float64()*120-60) * time.Second
	h := &History{}
	for _, st := range steps {
		switch in := st.Input.(type) {
		case engine.Change:
			in.Change.StartedAt = ops.At(in.Change.StartedAt.Add(by))
			st = Step{st.At.Add(by), in}
		case engine.Stage:
			in.At = ops.At(in.At.Add(by))
			st = Step{st.At.Add(by), in}
		}
		h.Steps = append(h.Steps, st)
	}
	h.sort()
	return h.Steps, t
}

func moved(by time.Duration) func([]Step, Truth, uint64) ([]Step, Truth) {
	return func(steps []Step, t Truth, _ uint64) ([]Step, Truth) {
		h := &History{}
		for _, st := range steps {
			if in, ok := st.Input.(engine.Alerts); ok {
				a := in.Alerts[0]
				a.StartsAt = ops.At(a.StartsAt.Add(by))
				st = Step{st.At.Add(by), engine.Alerts{Source: in.Source, Alerts: []ops.Alert{a}}}
			}
			h.Steps = append(h.Steps, st)
		}
		h.sort()
		t.Detected = t.Detected.Add(by)
		return h.Steps, t
	}
}

// renamed gives services, units and changes other names, in another order.
func renamed(steps []Step, t Truth, seed uint64) ([]Step, Truth) {
	d, names := rand.New(rand.NewPCG(seed, 4)), map[string]string{}
	name := func(old string) string {
		if old != "" && names[old] == "" {
			names[old] = fmt.Sprintf("n%04d-%d", d.IntN(10_000), len(names))
		}
		return names[old]
	}
	all := func(list []string) []string {
		out := slices.Clone(list)
		for i := range out {
			out[i] = name(out[i])
		}
		return out
	}
	out := eachSamples(steps, func(_ int, s ops.Sample) (ops.Sample, bool) {
		s.Service, s.Caller, s.Unit, s.CallerUnit = name(s.Service), name(s.Caller), name(s.Unit), name(s.CallerUnit)
		return s, true
	})
	for i, st := range out {
		switch in := st.Input.(type) {
		case engine.Change:
			in.Change.ID, in.Change.Service, in.Change.Title = name(in.Change.ID), name(in.Change.Service), ""
			out[i].Input = in
		case engine.Stage:
			in.ChangeID, in.Units, in.Replaces = name(in.ChangeID), all(in.Units), all(in.Replaces)
			out[i].Input = in
		case engine.Topology:
			var calls [][2]string
			for _, c := range in.Calls {
				calls = append(calls, [2]string{name(c[0]), name(c[1])})
			}
			out[i].Input = engine.Topology{Calls: calls}
		case engine.Alerts:
			a := in.Alerts[0]
			a.Labels = map[string]string{"alertname": a.Labels["alertname"], "severity": a.Labels["severity"], "service": name(a.Labels["service"])}
			a.Annotations = nil
			out[i].Input = engine.Alerts{Source: in.Source, Alerts: []ops.Alert{a}}
		}
	}
	t.Guilty = name(t.Guilty)
	return out, t
}

package engine

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"goc/ops"
)

// AppendLines appends the lines of one step to b, as a Parser reads them: the same steps in the same order bring the same
// about. An input of a kind that cannot be recorded is an error, and so is one that does not marshal.
func AppendLines(b []byte, step uint64, at time.Time, in Input) ([]byte, error) {
	head := Head{Kind: "tick", At: at, Step: step}
	switch in := in.(type) {
	case Tick:
		return AppendLine(b, head, nil)
	case Samples:
		if len(in.Samples) == 0 {
			return AppendLine(b, head, nil)
		}
		return appendSamples(b, step, at, in.Samples), nil
	case Alerts:
		return appendAlerts(b, head, in)
	case Topology:
		head.Kind = "topology"
		return AppendLine(b, head, map[string]any{"calls": in.Calls})
	case Change:
		head.Kind = "change"
		return AppendLine(b, head, map[string]any{"change": in.Change})
	case Stage:
		head.Kind = "stage"
		return AppendLine(b, head, map[string]any{"change_id": in.ChangeID, "stage": in.Stage, "state": in.State, "units": in.Units, "replaces": in.Replaces, "stores": in.Stores})
	case Declare:
		head.Kind = "declare"
		return AppendLine(b, head, Recorded{Who: &in.Who, Declaration: &in.Declaration})
	case Action:
		head.Kind = "action"
		return AppendLine(b, head, Recorded{Who: &in.Who, Action: &in})
	case PutSilence:
		head.Kind = "silence"
		return AppendLine(b, head, Recorded{Who: &in.Who, Silence: &in.Silence})
	case ExpireSilence:
		head.Kind = "expire"
		return AppendLine(b, head, Recorded{Who: &in.Who, ID: in.ID})
	case Run:
		head.Kind = "run"
		return AppendLine(b, head, Recorded{ID: in.ID, Incident: in.Incident})
	}
	return b, ops.Errorf(ops.Internal, "an input of type %T cannot be recorded", in)
}

// Head is what every line begins with.
type Head struct {
	At   time.Time
	Kind string
	Step uint64 // 0 is not written
}

func (h Head) appendTo(b []byte) []byte {
	b = append(b, `{"at":`...)
	b = appendTime(b, h.At)
	b = append(b, `,"kind":"`...)
	b = append(b, h.Kind...)
	b = append(b, '"')
	if h.Step > 0 {
		b = append(b, `,"step":`...)
		b = strconv.AppendUint(b, h.Step, 10)
	}
	return b
}

// appendTime writes a time in Unix seconds with milliseconds.
func appendTime(b []byte, at time.Time) []byte {
	ms := at.UnixMilli()
	b = strconv.AppendInt(b, ms/1000, 10)
	if ms %= 1000; ms > 0 {
		b = append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	}
	return b
}

// AppendLine appends a line: its head, and the fields of a struct or map; nil has none.
func AppendLine(b []byte, h Head, fields any) ([]byte, error) {
	line := h.appendTo(b)
	if fields != nil {
		text, err := json.Marshal(fields)
		if err != nil {
			return b, err
		}
		if len(text) > 2 { // not {}
			line = append(append(line, ','), text[1:len(text)-1]...)
		}
	}
	return append(line, '}', '\n'), nil
}

// appendSamples writes a line per sample, by hand: they are nearly all there is. A value that is no number is a gap.
func appendSamples(b []byte, step uint64, at time.Time, samples []ops.Sample) []byte {
	head := Head{At: at, Kind: "indicator", Step: step}.appendTo(nil)
	for _, s := range samples {
		b = append(b, head...)
		if !s.At.IsZero() && !s.At.Equal(at) {
			b = append(b, `,"sampled_at":`...)
			b = appendTime(b, s.At.Time)
		}
		for _, f := range [...]struct{ key, value string }{
			{`,"indicator":`, s.Indicator},
			{`,"service":`, s.Service},
			{`,"caller":`, s.Caller},
			{`,"unit":`, s.Unit},
			{`,"caller_unit":`, s.CallerUnit},
			{`,"store":`, s.Store},
		} {
			if f.value != "" {
				b = appendString(append(b, f.key...), f.value)
			}
		}
		b = append(b, `,"value":`...)
		if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendFloat(b, s.Value, 'g', -1, 64)
		}
		b = append(b, '}', '\n')
	}
	return b
}

// appendString writes a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
			text, _ := json.Marshal(s) // a string always marshals
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func appendAlerts(b []byte, head Head, in Alerts) ([]byte, error) {
	if len(in.Alerts) == 0 {
		return AppendLine(b, head, nil)
	}
	head.Kind = "alert"
	for _, a := range in.Alerts {
		source := in.Source
		if source == "" {
			source = a.Source
		}
		var err error
		b, err = AppendLine(b, head, struct {
			Status      ops.AlertStatus   `json:"status"`
			Labels      map[string]string `json:"labels"`
			Annotations map[string]string `json:"annotations,omitempty"`
			Recorded
		}{a.Status, a.Labels, a.Annotations, Recorded{Source: source, StartsAt: a.StartsAt, EndsAt: a.EndsAt, GeneratorURL: a.GeneratorURL}})
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// Whole returns an input as it will be read back from a recording: times in whole milliseconds, text in UTF-8. An engine
// that is to be replayed exactly takes its inputs so.
func Whole(in Input) (Input, error) {
	switch in := in.(type) {
	case Tick:
		return in, nil
	case Stage: // told by replay files only
		return in, nil
	case Samples:
		return Samples{Samples: wholeSamples(in.Samples)}, nil
	case Alerts:
		return wholeAlerts(in), nil
	}
	b, err := AppendLines(nil, 1, time.Unix(1, 0), in)
	if err != nil {
		return in, err
	}
	return read(b, in)
}

// read reads the one line of an input back.
func read(b []byte, in Input) (Input, error) {
	l, err := ParseLine(b)
	if err != nil {
		return in, err
	}
	return l.Input(), nil
}

func wholeSamples(samples []ops.Sample) []ops.Sample {
	out := make([]ops.Sample, len(samples))
	for i, s := range samples {
		if !s.At.IsZero() {
			s.At = whole(s.At)
		}
		out[i] = s
	}
	return out
}

func whole(t ops.Time) ops.Time {
	if t.IsZero() {
		return ops.Time{}
	}
	return ops.At(t.UTC().Truncate(time.Millisecond))
}

func wholeAlerts(in Alerts) Alerts {
	out := Alerts{Source: in.Source, Alerts: make([]ops.Alert, len(in.Alerts))}
	for i, a := range in.Alerts {
		a.StartsAt, a.EndsAt = whole(a.StartsAt), whole(a.EndsAt)
		a.Labels, a.Annotations = wholeText(a.Labels), wholeText(a.Annotations)
		out.Alerts[i] = a
	}
	return out
}

// wholeText is m with what is no UTF-8 replaced, as JSON does it; nearly always m itself.
func wholeText(m map[string]string) map[string]string {
	for k, v := range m {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			out := make(map[string]string, len(m))
			for _, k := range sortedKeys(m) {
				out[strings.ToValidUTF8(k, "\ufffd")] = strings.ToValidUTF8(m[k], "\ufffd")
			}
			return out
		}
	}
	return m
}

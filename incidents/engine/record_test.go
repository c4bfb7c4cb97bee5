package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goc/incidents/engine"
	"goc/ops"
)

// recorded are the inputs of a live engine, one of each type.
var recorded = []engine.Input{
	engine.Alerts{},
	engine.Change{},
	engine.Topology{},
	engine.Samples{},
	engine.Declare{},
	engine.Action{},
	engine.PutSilence{},
	engine.ExpireSilence{},
	engine.Run{},
	engine.Tick{},
}

// fill sets every field that can be set to something of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch {
	case v.Type() == reflect.TypeFor[ops.Time]():
		v.Set(reflect.ValueOf(ops.At(time.Unix(1_763_600_000+int64(*n), 123_000_000).UTC())))
		return
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(1_763_600_000+int64(*n), 0).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("x%d \"支付\"", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) * 1e9)
	case reflect.Float64:
		v.SetFloat(float64(*n) / 7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for f, field := range v.Fields() {
			if f.IsExported() {
				fill(field, n)
			}
		}
	}
}

// TestEveryFieldOfEveryInputIsRecorded fills all that an input can hold and reads it back from its lines: a field that is
// added later and not recorded would make replays differ from what happened.
func TestEveryFieldOfEveryInputIsRecorded(t *testing.T) {
	for _, kind := range recorded {
		t.Run(fmt.Sprintf("%T", kind), func(t *testing.T) {
			v, n := reflect.New(reflect.TypeOf(kind)).Elem(), 0
			fill(v, &n)
			want := v.Interface().(engine.Input)
			if in, ok := want.(engine.Alerts); ok { // what the engine itself fills in
				for i := range in.Alerts {
					in.Alerts[i].Fingerprint, in.Alerts[i].UpdatedAt, in.Alerts[i].Source = "", ops.Time{}, in.Source
				}
				in.Source = ""
				want = in
			}
			whole, err := engine.Whole(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, whole); diff != "" {
				t.Errorf("Whole changes it (-is +whole):\n%s", diff)
			}
			if diff := cmp.Diff(want, reread(t, want)); diff != "" {
				t.Errorf("it is not recorded whole (-is +read back):\n%s", diff)
			}
		})
	}
	none := ops.Time{}
	taken := engine.Action{Do: "task_change", TaskTo: ops.TaskChange{DueAt: &none}}
	if got := reread(t, taken).(engine.Action); got.TaskTo.DueAt == nil || !got.TaskTo.DueAt.IsZero() {
		t.Error("a due date that is taken away is not recorded")
	}
}

// reread writes an input as lines and reads it back.
func reread(t *testing.T, in engine.Input) engine.Input {
	t.Helper()
	b, err := engine.AppendLines(nil, 7, time.Unix(1_763_600_000, 0), in)
	if err != nil {
		t.Fatal(err)
	}
	var out engine.Input
	for _, raw := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		l, err := engine.ParseLine(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if l.Step != 7 {
			t.Errorf("%s is of step %d", raw, l.Step)
		}
		switch part := l.Input().(type) {
		case engine.Alerts:
			sum, _ := out.(engine.Alerts)
			sum.Source, sum.Alerts = part.Source, append(sum.Alerts, part.Alerts...)
			out = sum
		case engine.Samples:
			sum, _ := out.(engine.Samples)
			sum.Samples = append(sum.Samples, part.Samples...)
			out = sum
		default:
			out = part
		}
	}
	return out
}

// TestEveryHookIsRecordable fails when a hook is added: what it answers must be recorded by incidents/history (Asked and
// answers), or a replay would ask nobody.
func TestEveryHookIsRecordable(t *testing.T) {
	var names []string
	for f := range reflect.TypeFor[engine.Hooks]().Fields() {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "Affected VoiceAbove PlansFor ActiveDrill" {
		t.Errorf("the hooks are %s: record the new one in incidents/history, then name it here", got)
	}
}

// FuzzQuickLines: a line that is read without reflection says the same as encoding/json reads in it.
func FuzzQuickLines(f *testing.F) {
	for _, s := range []string{
		`{"at":1763600000.123,"kind":"indicator","step":7,"sampled_at":1763600000.1,"indicator":"success_ratio","service":"a","caller":"b","unit":"u","caller_unit":"v","store":"S","value":-0.5e-3}`,
		`{"at":1,"kind":"indicator","value":01}`, `{"at":1,"kind":"indicator","value":1,"value":2}`, ` {"at":1,"kind":"indicator","value":0x1} `,
		`{"at":1,"kind":"indicator","service":"\u0061","value":1}`, `{"at":1,"kind":"indicator","service":"` + "\xff" + `","value":1}`, `{"at":1,"kind":"indicator","value":1}}`,
		`{"at":1,"kind":"indicator","value":1e999}`, `{"At":1,"kind":"indicator"}`, `{"at":"2026-01-05T08:00:00Z","kind":"indicator","value":1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		quick, err := engine.ParseLine(b)
		var slow engine.Line
		serr := json.Unmarshal(b, &slow)
		if err == nil && serr != nil {
			t.Fatalf("%q: read without reflection only: %v", b, serr)
		}
		if err == nil && quick.Kind == "indicator" && !cmp.Equal(quick, slow) {
			t.Fatalf("%q: %s", b, cmp.Diff(slow, quick))
		}
	})
}

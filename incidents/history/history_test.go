package history_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goc/incidents/engine"
	"goc/incidents/history"
	"goc/ops"
)

var start = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

// tape is an engine that is recorded into a folder, on a clock that the test moves.
type tape struct {
	*history.Recorder
	t   *testing.T
	dir string
	e   *engine.Engine
	at  time.Time
}

func record(t *testing.T, dir string, c history.Config) *tape {
	t.Helper()
	r := &tape{Recorder: history.Start(history.Options{Dir: dir, Config: c}), t: t, dir: dir, e: engine.New(engine.Config{}, catalog(), engine.Hooks{}), at: start}
	r.begin(r.Needs())
	return r
}

func catalog() *ops.Catalog {
	c := &ops.Catalog{Services: []ops.Service{{Name: "pay", Tier: "T0", Core: true}}, Stores: []ops.Store{{ID: "S-1", City: "A"}}}
	if err := c.Index(); err != nil {
		panic(err)
	}
	return c
}

func (r *tape) begin(why history.Need) {
	saved, next := r.e.Save(r.at)
	r.Begin(why, r.at, engine.Config{}, catalog(), saved, next)
}

// step lets something happen and records it, as the service does.
func (r *tape) step(in engine.Input) {
	r.at = r.at.Add(time.Second)
	r.e.Step(in, r.at)
	switch need := r.Needs(); need {
	case "":
		r.Step(r.at, in, nil)
	case "segment":
		r.Step(r.at, in, nil)
		r.begin(need)
	default:
		r.begin(need)
	}
}

func low(store string) engine.Alerts {
	return engine.Alerts{Source: "rules", Alerts: []ops.Alert{{Labels: map[string]string{"alertname": "Low", "service": "pay", "store": store}, EndsAt: ops.At(start.Add(24 * time.Hour))}}}
}

func (r *tape) export(from, to time.Time) []byte {
	r.t.Helper()
	e, err := r.Export(r.t.Context(), from, to)
	if err != nil {
		r.t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := e.WriteTo(&b); err != nil {
		r.t.Fatal(err)
	}
	return b.Bytes()
}

// play plays a file and returns the titles of the incidents that there are at the end, and what was met.
func play(t *testing.T, file []byte) (incidents map[string]string, p *history.Player, torn bool, err error) {
	t.Helper()
	incidents = map[string]string{}
	p = history.NewPlayer(history.PlayerOptions{Out: func(out engine.Outputs) error {
		for _, inc := range out.Changed {
			incidents[inc.ID] = inc.Title
		}
		return nil
	}})
	torn, err = history.Read(bytes.NewReader(file), func(_ int, raw []byte) error {
		l, err := engine.ParseLine(raw)
		if err != nil {
			return err
		}
		return p.Line(l)
	})
	if err == nil {
		err = p.Flush()
	}
	return incidents, p, torn, err
}

func TestAFileThatWasCutOffAnywhereIsReadAsFarAsItGoes(t *testing.T) {
	r := record(t, t.TempDir(), history.Config{})
	for i := range 50 {
		r.step(low(fmt.Sprint("S-", i)))
	}
	whole := r.export(time.Time{}, time.Time{})
	most := 0
	for cut := len(whole); cut >= 0; cut -= 97 {
		_, p, torn, err := play(t, whole[:cut])
		if err != nil || torn != (cut < len(whole)) && cut > 20 {
			t.Fatalf("cut at %d of %d: torn %v, %v", cut, len(whole), torn, err)
		}
		most = max(most, p.Played().Steps)
	}
	if most != 50 {
		t.Errorf("%d steps were played, want 50", most)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatACrashLeavesBehindIsReadUpToTheLastFlush(t *testing.T) {
	dir := t.TempDir()
	r := record(t, dir, history.Config{})
	r.step(low("S-1"))
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := record(t, dir, history.Config{}) // the next run; the first never closed its file
	after.step(engine.Tick{})
	incidents, p, _, err := play(t, after.export(time.Time{}, time.Time{}))
	if err != nil || incidents["INC-1"] == "" || p.Played().Restarts != 1 {
		t.Errorf("%v, %+v, %v", incidents, p.Played(), err)
	}
}

func TestAFullDiskStopsTheRecordingAndNothingElse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	r := record(t, dir, history.Config{})
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 10_000 { // more than the queue holds
		r.step(engine.Tick{})
	}
	if _, err := r.Export(t.Context(), time.Time{}, time.Time{}); err == nil {
		t.Error("there is something to export")
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatComesFasterThanTheDiskIsAGapAndWhatFollowsIsWhole(t *testing.T) {
	r := record(t, t.TempDir(), history.Config{})
	big := engine.Samples{Samples: make([]ops.Sample, 150_000)} // two of them are more than may wait
	for i := range big.Samples {
		big.Samples[i] = ops.Sample{At: ops.At(start), Indicator: "x", Service: fmt.Sprint("s", i%50), Value: 1}
	}
	for range 4 {
		r.step(big)
	}
	r.step(low("S-1"))
	for range 50 {
		if err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.step(engine.Tick{})
	}
	incidents, p, _, err := play(t, r.export(time.Time{}, time.Time{}))
	if err != nil || incidents["INC-1"] == "" {
		t.Fatalf("%v %v", incidents, err)
	}
	if g := p.Played().Gaps; len(g) == 0 || !strings.Contains(g[0], "inputs could not be recorded") {
		t.Errorf("gaps: %v", g)
	}
}

func TestTheOldestSegmentsGoFirstAndAnExportSaysWhatIsMissing(t *testing.T) {
	r := record(t, t.TempDir(), history.Config{Keep: ops.Duration(3 * time.Hour)})
	files := r.hours(24)
	if len(files) < 3 || len(files) > 9 { // a busy writer begins up to two an hour; a day makes 24 or more
		t.Fatalf("%d segments are kept for three hours", len(files))
	}
	incidents, p, _, err := play(t, r.export(start, time.Time{}))
	if err != nil || len(incidents) == 0 {
		t.Fatalf("%v %v", incidents, err)
	}
	if g := p.Played().Gaps; len(g) != 1 || !strings.Contains(g[0], "the history begins at") {
		t.Errorf("gaps: %v", g)
	}
	middle, p, _, err := play(t, r.export(r.at.Add(-90*time.Minute), r.at.Add(-30*time.Minute)))
	if err != nil || middle["INC-1"] != incidents["INC-1"] || p.Now().After(r.at.Add(-30*time.Minute)) {
		t.Errorf("of the middle %v until %s, %v; want %v", middle, p.Now(), err, incidents)
	}
	if _, err := r.Export(t.Context(), r.at, start); ops.KindOf(err) != ops.Invalid {
		t.Errorf("a span that ends before it starts: %v", err)
	}
	if _, err := r.Export(t.Context(), time.Time{}, start.Add(-time.Hour)); ops.KindOf(err) != ops.NotFound {
		t.Errorf("before anything was recorded: %v", err)
	}
}

func TestBadLinesAreRefusedWithTheirNumberOrTolerated(t *testing.T) {
	long := `{"at":2,"kind":"voice","text":"` + strings.Repeat("x", history.MaxLine) + `"}`
	for name, c := range map[string]struct{ file, want string }{
		"an unknown kind":                {`{"at":1,"kind":"tick"}` + "\n" + `{"at":2,"kind":"weather"}`, "line 2: unknown kind"},
		"out of order":                   {`{"at":2,"kind":"tick"}` + "\n" + `{"at":1,"kind":"tick"}`, "line 2: at 1970-01-01T00:00:01.000Z is before the line above"},
		"no time":                        {"\n" + `{"kind":"tick"}`, "line 2: at: a line needs a time"},
		"no JSON":                        {`{"at":1,"kind":"tick"}` + "\n}", "line 2: this is no line of a replay file"},
		"a line of over 4 MB":            {`{"at":1,"kind":"tick"}` + "\n" + long, "line 2: a line may have at most 4194304 bytes"},
		"an alert without labels":        {`{"at":1,"kind":"alert","status":"firing"}`, "line 1: the alert was refused"},
		"a record without its beginning": {`{"at":1,"kind":"record","record":"incident","id":"INC-1","body":{}}`, "line 1: a record stands after"},
		"a record that does not read":    {`{"at":1,"kind":"start","begin":{"why":"start"}}` + "\n" + `{"at":1,"kind":"record","record":"incident","id":"INC-1","body":[]}`, "line 2: the record does not read"},
		"an action without its person":   {`{"at":1,"kind":"action","action":{"do":"note"}}`, "line 1: who: a line of kind action needs it"},
		"a catalog with a double":        {`{"at":1,"kind":"start","begin":{"why":"start"}}` + "\n" + `{"at":1,"kind":"catalog","catalog":{"services":[{"name":"a"},{"name":"a"}]}}` + "\n" + `{"at":1,"kind":"ready"}`, "line 3: the recorded catalog"},
		"a stage out of bounds":          {`{"at":1,"kind":"stage","change_id":"CHG-1","stage":0}`, "line 1: a stage counts from 1"},
		"a change in the future":         {`{"at":1,"kind":"change","change":{"id":"CHG-1","kind":"release","service":"a","status":"started","started_at":4e9}}`, ""},
		"a stage of an unknown change":   {`{"at":1,"kind":"stage","change_id":"CHG-9","stage":1,"state":"started"}`, ""},
		"a recorded alert that starts before it was possible": {`{"at":1e9,"kind":"alert","step":1,"status":"firing","starts_at":1,"ends_at":2e9,"labels":{"a":"b"}}`, ""},
		"a recorded action that was refused":                  {`{"at":1,"kind":"action","step":1,"who":{"name":"ann"},"action":{"do":"note","id":"INC-9"}}`, ""},
		"an indicator that is all gaps":                       {`{"at":1,"kind":"indicator","indicator":"x","value":null}` + "\n" + `{"at":2,"kind":"indicator","indicator":"x","value":null}`, ""},
		"ready by itself":                                     {`{"at":1,"kind":"ready"}`, "line 1: ready stands after"},
		"nothing at all":                                      {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, file := range [][]byte{[]byte(c.file), zipped(c.file)} {
				_, _, _, err := play(t, file)
				if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("%v, want %q", err, c.want)
				}
			}
		})
	}
}

func zipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return b.Bytes()
}

// BenchmarkRecord is what a sample costs the recording: the time of the writer, and bytes on disk. Values have the five
// digits of a ratio, times come each second, and 300 series are told at once, as in the demo.
func BenchmarkRecord(b *testing.B) {
	dir := b.TempDir()
	r := history.Start(history.Options{Dir: dir})
	e := engine.New(engine.Config{}, nil, engine.Hooks{})
	saved, next := e.Save(start)
	r.Begin("start", start, engine.Config{}, catalog(), saved, next)
	n, at := 0, start
	for b.Loop() {
		at = at.Add(time.Second)
		in := engine.Samples{}
		for i := range 300 {
			n++
			in.Samples = append(in.Samples, ops.Sample{At: ops.At(at.Add(-7 * time.Millisecond)), Indicator: "success_ratio", Service: fmt.Sprint("svc-", i%30), Store: fmt.Sprint("S-", i/30), Value: 0.99 + float64(n*7919%1000)/1e5})
		}
		r.Step(at, in, nil)
		if err := r.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
	files, err := filepath.Glob(dir + "/*")
	if err != nil {
		b.Fatal(err)
	}
	var size int64
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			b.Fatal(err)
		}
		size += info.Size()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/sample")
	b.ReportMetric(float64(size)/float64(n), "bytes/sample")
}

// hours records one step in each of several hours, each in a segment of its own, and returns the files.
func (r *tape) hours(n int) []string {
	r.t.Helper()
	for hour := range n {
		r.step(low(fmt.Sprint("S-", hour)))
		r.at = r.at.Add(time.Hour)
		for range 3 {
			r.step(engine.Tick{})
			if err := r.Flush(r.t.Context()); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	files, err := filepath.Glob(r.dir + "/*.jsonl.gz")
	if err != nil {
		r.t.Fatal(err)
	}
	return files
}

func TestWhatFollowsASegmentThatIsMissingOrDamagedBeginsWithItsState(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(path string, file []byte) error
		want string
	}{
		"removed":                {func(path string, _ []byte) error { return os.Remove(path) }, "is no longer there"},
		"cut off":                {func(path string, file []byte) error { return os.WriteFile(path, file[:len(file)*2/3], 0o600) }, "was cut off or is damaged"},
		"cut off to nearly none": {func(path string, file []byte) error { return os.WriteFile(path, file[:5], 0o600) }, "was cut off or is damaged"},
		"overwritten within":     {func(path string, file []byte) error { return os.WriteFile(path, overwritten(file), 0o600) }, "was cut off or is damaged"},
		"no gzip": {func(path string, _ []byte) error {
			return os.WriteFile(path, []byte("\x1f\x8b, or so it seems"), 0o600)
		}, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			r := record(t, t.TempDir(), history.Config{})
			files := r.hours(5)
			if len(files) < 5 {
				t.Fatalf("%d segments", len(files))
			}
			want, _, _, err := play(t, r.export(time.Time{}, time.Time{}))
			if err != nil {
				t.Fatal(err)
			}
			file, err := os.ReadFile(files[2])
			if err != nil {
				t.Fatal(err)
			}
			e, err := r.Export(t.Context(), time.Time{}, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.harm(files[2], file); err != nil { // while it is about to be sent
				t.Fatal(err)
			}
			var sent bytes.Buffer
			if _, err := e.WriteTo(&sent); err != nil {
				t.Fatal(err)
			}
			got, p, torn, err := play(t, sent.Bytes())
			if err != nil || torn {
				t.Fatalf("torn %v, %v", torn, err)
			}
			if g := p.Played().Gaps; len(g) != 1 || !strings.Contains(g[0], c.want) {
				t.Errorf("gaps %q, want one that %s", g, c.want)
			}
			for id, title := range want {
				if got[id] != title {
					t.Errorf("%s is %q, was %q", id, got[id], title)
				}
			}
		})
	}
}

// overwritten is a file of which a bad disk lost some blocks in the middle.
func overwritten(file []byte) []byte {
	out := bytes.Clone(file)
	for i := len(out) / 2; i < len(out)*3/4; i++ {
		out[i] = 0xff
	}
	return out
}

func TestADamagedFileIsReadAsFarAsItMakesSense(t *testing.T) {
	line := `{"at":1,"kind":"tick"}` + "\n"
	var large strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&large, `{"at":%d,"kind":"tick"}`+"\n", i*i)
	}
	file := zipped(large.String())
	checksum := bytes.Clone(file)
	checksum[len(checksum)-6] ^= 1
	for name, c := range map[string]struct {
		file  []byte
		torn  bool
		least int // lines
		want  string
	}{
		"whole":                        {file: file, least: 20_000},
		"two files, one after another": {file: append(bytes.Clone(file), zipped(line)...), least: 20_001},
		"a wrong checksum":             {file: checksum, torn: true, least: 20_000},
		"blocks of a bad disk":         {file: overwritten(file), torn: true, least: 1_000},
		"text after its end":           {file: append(bytes.Clone(file), line...), torn: true, least: 20_000},
		"its first bytes alone":        {file: file[:7], torn: true},
		"first bytes of gzip only":     {file: []byte("\x1f\x8bis no gzip at all"), want: "begins as gzip does, but is none"},
	} {
		t.Run(name, func(t *testing.T) {
			lines := 0
			torn, err := history.Read(bytes.NewReader(c.file), func(int, []byte) error { lines++; return nil })
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
				return
			}
			if err != nil || torn != c.torn || lines < c.least {
				t.Errorf("%d lines, torn %v, %v; want at least %d, torn %v", lines, torn, err, c.least, c.torn)
			}
		})
	}
}

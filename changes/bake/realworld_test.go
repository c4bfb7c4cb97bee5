package bake_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goc/changes/bake"
	"goc/ops"
)

// replayLine is one line of a replay file, as far as bakes care.
type replayLine struct {
	Kind     string      `json:"kind"`
	Change   *ops.Change `json:"change"`
	ChangeID string      `json:"change_id"`
	Stage    int         `json:"stage"`
	State    string      `json:"state"`
	Units    []string    `json:"units"`
	Replaces []string    `json:"replaces"`
	Stores   []string    `json:"stores"`
	ops.Sample
}

// replay runs a file as `goc replay` does and returns what its bakes came to.
func replay(t testing.TB, path string) []bake.Outcome {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	catalog := new(ops.Catalog)
	if err := catalog.Index(); err != nil {
		t.Fatal(err)
	}
	r := bake.NewReplay(catalog, 0)
	var out []bake.Outcome
	lines := bufio.NewScanner(z)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	for lines.Scan() {
		var l replayLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		out = append(out, r.Step(l.At.Time)...)
		switch l.Kind {
		case "change":
			r.Change(l.At.Time, *l.Change)
		case "stage":
			r.Stage(l.At.Time, l.ChangeID, l.Stage, l.State == "finished", l.Units, l.Replaces, l.Stores)
		case "indicator":
			r.Observe([]ops.Sample{l.Sample})
		}
	}
	for next := r.Next(); !next.IsZero(); next = r.Next() {
		out = append(out, r.Step(next)...)
	}
	return out
}

func TestVerdictsOnRecordedHistories(t *testing.T) {
	folder := filepath.Join(os.Getenv("GOC_REALWORLD"), "replays")
	if os.Getenv("GOC_REALWORLD") == "" {
		folder = filepath.Join("..", "..", "..", "shared", "realworld", "replays")
	}
	body, err := os.ReadFile(filepath.Join(folder, "truth.json"))
	if err != nil {
		t.Skipf("the recorded histories are not here: %v", err)
	}
	var truth map[string]struct {
		Unhealthy *bool `json:"unhealthy"`
	}
	if err := json.Unmarshal(body, &truth); err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		t.Skip("ten seconds of recorded histories, skipped for -short")
	}
	var hit, wrong, missed, none int
	began := time.Now()
	for name, is := range truth {
		if !strings.HasPrefix(name, "kontrast-") {
			continue
		}
		out := replay(t, filepath.Join(folder, name+".jsonl.gz"))
		if len(out) != 1 {
			t.Fatalf("%s: %d verdicts, want one", name, len(out))
		}
		switch said := out[0].Verdict == ops.Unhealthy; {
		case said && *is.Unhealthy:
			hit++
		case said:
			wrong++
			t.Logf("false %s %+v", name, out[0])
		case *is.Unhealthy:
			missed++
			t.Logf("missed %s %+v", name, out[0])
		}
		if out[0].Verdict == ops.NoData {
			none++
		}
	}
	precision, recall := float64(hit)/float64(hit+wrong), float64(hit)/float64(hit+missed)
	f1 := 2 * precision * recall / (precision + recall)
	t.Logf("precision %.3f, recall %.3f, F1 %.3f; %d without enough data; %v", precision, recall, f1, none, time.Since(began).Round(time.Millisecond))
	if f1 < .91 {
		t.Errorf("F1 is %.3f", f1)
	}
}

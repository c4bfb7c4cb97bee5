package bake_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// histories is the folder of recorded histories.
func histories() string {
	if root := os.Getenv("GOC_REALWORLD"); root != "" {
		return filepath.Join(root, "replays")
	}
	return filepath.Join("..", "..", "..", "shared", "realworld", "replays")
}

// recorded reads a file.
func recorded(t testing.TB, path string) []replayLine {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []replayLine
	lines := bufio.NewScanner(z)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	for lines.Scan() {
		var l replayLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// variant is the same history seen in another way: only every so manieth sample, or the change told of at another time.
type variant struct {
	name  string
	every int
	later time.Duration
}

var variants = []variant{
	{"as recorded", 1, 0},
	{"every second sample", 2, 0},
	{"every third sample", 3, 0},
	{"every fifth sample", 5, 0},
	{"told of 10 min early", 1, -10 * time.Minute},
	{"told of 5 min early", 1, -5 * time.Minute},
	{"told of 5 min late", 1, 5 * time.Minute},
	{"told of 10 min late", 1, 10 * time.Minute},
}

func (v variant) of(lines []replayLine) []replayLine {
	var out []replayLine
	n := 0
	for _, l := range lines {
		if l.Kind != "indicator" {
			l.At = ops.At(l.At.Add(v.later))
		} else if n++; n%v.every != 0 {
			continue
		}
		out = append(out, l)
	}
	slices.SortStableFunc(out, func(a, b replayLine) int { return a.At.Compare(b.At.Time) })
	return out
}

// replay runs lines as `goc replay` does and returns what their bakes came to.
func replay(t testing.TB, lines []replayLine) []bake.Outcome {
	catalog := new(ops.Catalog)
	if err := catalog.Index(); err != nil {
		t.Fatal(err)
	}
	r := bake.NewReplay(catalog, 0)
	var out []bake.Outcome
	for _, l := range lines {
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
	folder := histories()
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
		t.Skip("seconds of recorded histories, skipped for -short")
	}
	variants := variants
	if os.Getenv("GOC_ALL_VARIANTS") == "" {
		variants = variants[:2]
	}
	tallies := make([]tally, len(variants))
	for name, is := range truth {
		if !strings.HasPrefix(name, "kontrast-") {
			continue
		}
		lines := recorded(t, filepath.Join(folder, name+".jsonl.gz"))
		for i, v := range variants {
			out := replay(t, v.of(lines))
			if len(out) != 1 {
				t.Fatalf("%s %s: %d verdicts, want one", name, v.name, len(out))
			}
			tallies[i].count(out[0].Verdict, *is.Unhealthy)
			if i == 0 && (out[0].Verdict == ops.Unhealthy) != *is.Unhealthy {
				t.Logf("wrong %s %+v", name, out[0])
			}
		}
	}
	for i, v := range variants {
		t.Logf("| %s | %s |", v.name, tallies[i])
		if least := map[bool]float64{true: .91, false: .87}[i == 0]; tallies[i].f1() < least {
			t.Errorf("%s: F1 is %.3f", v.name, tallies[i].f1())
		}
	}
}

// TestStretchesWithoutAChange tells of a change that was none, hours before the recorded one, and counts how often it is
// blamed. Some of these stretches will have had faults of their own.
func TestStretchesWithoutAChange(t *testing.T) {
	if os.Getenv("GOC_ALL_VARIANTS") == "" {
		t.Skip("needs GOC_ALL_VARIANTS")
	}
	files, _ := filepath.Glob(filepath.Join(histories(), "kontrast-*.gz"))
	stretches, blamed := 0, 0
	for _, f := range files {
		lines := recorded(t, f)
		for h := 6; h <= 21; h += 5 {
			moved := variant{every: 1, later: -time.Duration(h) * time.Hour}.of(lines)
			if moved[0].Kind != "indicator" {
				continue
			}
			began := slices.IndexFunc(moved, func(l replayLine) bool { return l.Kind == "stage" })
			if moved[began].At.Sub(moved[0].At.Time) < 48*time.Hour {
				continue
			}
			stretches++
			if out := replay(t, moved); len(out) == 1 && out[0].Verdict == ops.Unhealthy {
				blamed++
			}
		}
	}
	if stretches == 0 {
		t.Skip("the recorded histories are not here")
	}
	t.Logf("%d of %d stretches, %.1f %%", blamed, stretches, 100*float64(blamed)/float64(stretches))
	if blamed*10 > stretches {
		t.Errorf("%d of %d stretches without a change were called unhealthy", blamed, stretches)
	}
}

// tally counts verdicts.
type tally struct{ hit, wrong, missed, none int }

func (n *tally) count(v ops.Verdict, unhealthy bool) {
	switch said := v == ops.Unhealthy; {
	case said && unhealthy:
		n.hit++
	case said:
		n.wrong++
	case unhealthy:
		n.missed++
	}
	if v == ops.NoData {
		n.none++
	}
}

func (n tally) f1() float64 { return 2 * float64(n.hit) / float64(2*n.hit+n.wrong+n.missed) }

func (n tally) String() string {
	return fmt.Sprintf("%.3f | %.3f | %.3f | %d", float64(n.hit)/float64(n.hit+n.wrong), float64(n.hit)/float64(n.hit+n.missed), n.f1(), n.none)
}

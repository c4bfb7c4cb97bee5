package evaluation_test

import (
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goc/incidents/evaluation"
	"goc/incidents/suspects"
)

var draws = flag.Uint64("draws", 1, "how often each variant of a recording is drawn")

// recordings reads the recorded incidents: from GOC_REALWORLD, or shared/realworld beside the checkout.
func recordings(t *testing.T) (steps map[string][]evaluation.Step, truth map[string]evaluation.Truth) {
	t.Helper()
	dir := os.Getenv("GOC_REALWORLD")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "realworld")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "replays", "truth.json"))
	if err != nil {
		t.Skip("no recorded inputs beside the checkout, and GOC_REALWORLD is not set")
	}
	var all map[string]struct {
		Guilty     string  `json:"guilty"`
		DetectedAt float64 `json:"detected_at"`
		Changes    int     `json:"changes"`
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	steps, truth = map[string][]evaluation.Step{}, map[string]evaluation.Truth{}
	for name, want := range all {
		if !strings.HasPrefix(name, "crca-") {
			continue
		}
		f, err := os.Open(filepath.Join(dir, "replays", name+".jsonl.gz"))
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		if steps[name], err = evaluation.ReadReplay(z); err != nil {
			t.Fatal(name, err)
		}
		f.Close()
		truth[name] = evaluation.Truth{Guilty: want.Guilty, Kind: "release", Changes: want.Changes, Detected: time.UnixMilli(int64(want.DetectedAt * 1000)).UTC()}
	}
	return steps, truth
}

// recorded runs every recording through a variant, several times where it has something to draw.
func recorded(t *testing.T, v evaluation.Variant, weights ...suspects.Weights) (all [][]evaluation.Outcome) {
	t.Helper()
	steps, truth := recordings(t)
	for _, name := range slices.Sorted(maps.Keys(steps)) {
		for seed := range *draws {
			s, want := v.Apply(steps[name], truth[name], seed)
			o, ok := evaluation.Run(evaluation.Recorded(s, want), weights...)
			if !ok {
				t.Errorf("%s, %s: no incident was opened", name, v.Name)
				continue
			}
			all = append(all, o)
		}
	}
	return all
}

func column(all [][]evaluation.Outcome, n int) (out []evaluation.Outcome) {
	for _, o := range all {
		out = append(out, o[n])
	}
	return out
}

func TestRecordedIncidentsAndTheirVariants(t *testing.T) {
	for _, v := range evaluation.Variants() {
		all := column(recorded(t, v, suspects.DefaultWeights()), 0)
		line := fmt.Sprintf("| %s |", v.Name)
		for m := range evaluation.Moments {
			f := evaluation.Measure(all, m)
			line += fmt.Sprintf(" %.3f | %.2f |", f.First, f.MeanRank)
			if m == len(evaluation.Moments)-1 && f.First < v.Least {
				t.Errorf("%s: the guilty release is first in %.3f at the end, want at least %.2f", v.Name, f.First, v.Least)
			}
		}
		t.Log(line)
	}
}

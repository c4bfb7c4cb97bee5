package evaluation_test

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"testing"

	"goc/incidents/evaluation"
	"goc/incidents/suspects"
)

// Seeds below a million were looked at while terms and weights were chosen; those from a million on were only reported.
const reportFrom = 1_000_000

var (
	seeds = flag.Int("seeds", 12, "how many histories are made")
	from  = flag.Uint64("from", reportFrom, "the first seed")
)

// outcomes runs the histories of the flags with each of the weights.
func outcomes(t *testing.T, weights ...suspects.Weights) (all [][]evaluation.Outcome) {
	t.Helper()
	for seed := *from; seed < *from+uint64(*seeds); seed++ {
		if o, ok := evaluation.Run(evaluation.Generate(seed), weights...); ok {
			all = append(all, o)
		}
	}
	return all
}

// TestTables prints the tables of docs/suspects.md: go test ./incidents/evaluation -run TestTables -seeds 1000 -v.
func TestTables(t *testing.T) {
	all := column(outcomes(t, suspects.DefaultWeights()), 0)
	if testing.Verbose() {
		t.Logf("%d histories from seed %d; %d went unnoticed by every alert rule and are left out", *seeds, *from, *seeds-len(all))
		evaluation.WriteTables(os.Stdout, all)
	}
	end := evaluation.Measure(all, len(evaluation.Moments)-1)
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"guilty changes first at the end", end.First, 0.5},
		{"guilty changes among the first three at the end", end.Three, 0.6},
		{"cases without a guilty change in which none is shown above 50 %", 1 - end.Accused, 0.8},
	} {
		if c.got < c.want {
			t.Errorf("%s: %.3f, want at least %.2f", c.what, c.got, c.want)
		}
	}
}

func TestASeedMakesTheSameHistoryAgain(t *testing.T) {
	for seed := range uint64(2) {
		if a, b := evaluation.Generate(seed), evaluation.Generate(seed); !reflect.DeepEqual(a.Steps, b.Steps) || a.Truth != b.Truth {
			t.Errorf("seed %d makes two different histories", seed)
		}
	}
}

func TestAWrittenHistoryIsReadAsItIs(t *testing.T) {
	for seed := range uint64(2) {
		h := evaluation.Generate(seed)
		want, noticed := evaluation.Run(h, suspects.DefaultWeights())
		if !noticed {
			continue
		}
		var file bytes.Buffer
		if err := h.WriteReplay(&file); err != nil {
			t.Fatal(err)
		}
		steps, err := evaluation.ReadReplay(&file)
		if err != nil {
			t.Fatal(err)
		}
		h.Steps = steps
		got, _ := evaluation.Run(h, suspects.DefaultWeights())
		for m := range want[0].Seen {
			if w, g := want[0].Seen[m], got[0].Seen[m]; w.First != g.First || w.Rank != g.Rank {
				t.Errorf("seed %d, %s: the file ranks %+v, the history %+v", seed, evaluation.Moments[m], g, w)
			}
		}
	}
}

package incidents_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// realworld finds the folder of recorded inputs: GOC_REALWORLD, or shared/realworld beside the checkout.
func realworld(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("GOC_REALWORLD"); dir != "" {
		return dir
	}
	dir, _ := os.Getwd()
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
	}
	dir = filepath.Join(dir, "..", "shared", "realworld")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no recorded inputs beside the checkout, and GOC_REALWORLD is not set")
	}
	return dir
}

// replay feeds a recording to an engine and hands each step's outputs to each.
func replay(t testing.TB, file string, e *engine.Engine, each func(engine.Outputs)) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		l, err := engine.ParseLine(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		each(e.Step(l.Input(), l.At.Time))
	}
}

// expectedRank is the rank of the guilty change; ties count as their mean.
func expectedRank(list []ops.Suspect, guilty string, n int) float64 {
	for _, s := range list {
		if s.ChangeID != guilty {
			continue
		}
		better, ties := 0, 0
		for _, o := range list {
			if o.Probability > s.Probability {
				better++
			} else if o.Probability == s.Probability {
				ties++
			}
		}
		return float64(better) + float64(ties+1)/2
	}
	return float64(len(list)+1+max(n, len(list)+1)) / 2
}

type truth struct {
	Guilty     string  `json:"guilty"`
	DetectedAt float64 `json:"detected_at"`
	Changes    int     `json:"changes"`
}

func cases(t testing.TB, dir string) map[string]truth {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "replays", "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]truth{}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for name := range all {
		if !strings.HasPrefix(name, "crca-") {
			delete(all, name)
		}
	}
	return all
}

func TestTheGuiltyReleaseOfRecordedIncidentsComesFirst(t *testing.T) {
	dir := realworld(t)
	delays := []float64{0, 60, 120, 300, 1e9}
	first := make([]float64, len(delays))
	sum := make([]float64, len(delays))
	all := cases(t, dir)
	for name, want := range all {
		var ranked []engine.Ranked
		replay(t, filepath.Join(dir, "replays", name+".jsonl.gz"), engine.New(engine.Config{}, nil, engine.Hooks{}), func(o engine.Outputs) { ranked = append(ranked, o.Ranked...) })
		detected := time.UnixMilli(int64(want.DetectedAt * 1000))
		for i, d := range delays {
			r := float64(want.Changes)
			var last engine.Ranked
			for _, k := range ranked {
				if k.At.Sub(detected).Seconds() <= d+1 {
					last = k
				}
			}
			if last.Kind != "" {
				r = expectedRank(last.Suspects, want.Guilty, want.Changes)
			}
			sum[i] += r
			first[i] += max(0, min(1, 2-r))
			if r > 1 || (testing.Verbose() && d == 1e9) {
				b, _ := json.Marshal(last.Suspects)
				t.Logf("%s +%.0fs rank %.1f guilty %s no_change %.3f at %+.0f\n   %s", name, d, r, want.Guilty, last.NoChange, last.At.Sub(detected).Seconds(), b)
			}
		}
	}
	for i, d := range delays {
		t.Logf("+%.0f s: first in %.1f of %d, mean rank %.3f", d, first[i], len(all), sum[i]/float64(len(all)))
	}
	if end := first[len(delays)-1]; end < 8 {
		t.Errorf("the guilty release is first in %.1f of %d at the end, want at least 8", end, len(all))
	}
}

package explain_test

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"goc/collectors/fleet/explain"
)

// real is the folder of real faults beside the checkout, or what GOC_REALWORLD names.
func real(t testing.TB) string {
	dir := os.Getenv("GOC_REALWORLD")
	if dir == "" {
		dir = "../../../../shared/realworld"
	}
	dir = filepath.Join(dir, "common-cause")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("skipped: no real faults in %s; set GOC_REALWORLD", dir)
	}
	return dir
}

// standing counts how often the true cause was named.
type standing struct {
	cases, first, three, only int
	said                      [10][2]int // by the probability of the first cause: how often, how often right
}

func (s *standing) mark(r explain.Result, truth scope) (right bool) {
	at := slices.IndexFunc(r.Causes, func(c explain.Cause) bool { return reflect.DeepEqual(c.Scope, truth) })
	s.cases++
	if len(r.Causes) > 0 {
		s.said[min(9, int(10*r.Causes[0].Probability))][0]++
	}
	if at == 0 {
		s.said[min(9, int(10*r.Causes[0].Probability))][1]++
		s.first++
	}
	if at >= 0 && at < 3 {
		s.three++
	}
	if at == 0 && len(scopes(r)) == 1 {
		s.only++
	}
	return at == 0
}

func (s *standing) share(n int) float64 { return float64(n) / float64(max(s.cases, 1)) }

func (s *standing) tell(t *testing.T) {
	t.Logf("of %d: first %.3f, in three %.3f, first and no other cause besides alternatives %.3f", s.cases, s.share(s.first), s.share(s.three), s.share(s.only))
	for i, n := range s.said {
		if n[0] > 0 {
			t.Logf("    said with %d to %d %%: %d times, right %.2f of them", 10*i, 10*i+10, n[0], float64(n[1])/float64(n[0]))
		}
	}
}

func explainText(t *testing.T, text io.Reader) explain.Result {
	t.Helper()
	in, _, err := explain.ReadCSV(text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := explain.Explain(in, explain.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRealFaults(t *testing.T) {
	dir := real(t)
	b, err := os.ReadFile(filepath.Join(dir, "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	var truth map[string]struct{ Causes []map[string]string }
	if err := json.Unmarshal(b, &truth); err != nil {
		t.Fatal(err)
	}
	var s standing
	for _, name := range slices.Sorted(maps.Keys(truth)) {
		f, err := os.Open(filepath.Join(dir, name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		r := explainText(t, f)
		f.Close()
		want := scope{}
		for k, v := range truth[name].Causes[0] {
			want[k] = []string{v}
		}
		if s.mark(r, want) {
			continue
		}
		t.Logf("%s is %v; named:", name, want)
		for _, c := range r.Causes {
			t.Logf("    p %.2f %s", c.Probability, c.Text)
		}
	}
	s.tell(t)
	if s.share(s.first) < .84 || s.share(s.three) < .9 {
		t.Error("worse than it was")
	}
}

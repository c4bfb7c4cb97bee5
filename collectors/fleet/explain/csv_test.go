package explain_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"goc/collectors/fleet/explain"
	"goc/ops"
)

func TestAFileIsReadIntoCells(t *testing.T) {
	in, refused, err := explain.ReadCSV(strings.NewReader("\ufeffminute,city,kind,affected,total\n" +
		"-2,上海,pos,1,100\n-1,上海,pos,2,100\n-1,成都,pos,0,50\n" + // 成都 has nobody now: it only serves the normal share
		"0,上海,pos,30,100\n0,\"Xi'an, west\",,0,10\n0,上海,pos,10,20\n"))
	if err != nil || refused.Count != 0 {
		t.Fatal(err, refused)
	}
	if want := []uint32{40, 0}; !reflect.DeepEqual(in.Affected, want) {
		t.Errorf("affected are %v, want %v: rows of one combination add up", in.Affected, want)
	}
	if want := []uint32{120, 10}; !reflect.DeepEqual(in.Total, want) {
		t.Errorf("totals are %v, want %v", in.Total, want)
	}
	if got := in.Axes[0].Values[in.Axes[0].Code[1]] + "/" + in.Axes[1].Values[in.Axes[1].Code[1]]; got != "Xi'an, west/" {
		t.Errorf("the second cell is %s", got)
	}
	if len(in.Normal) != 2 || in.Normal[0] < .004 || in.Normal[0] > .02 {
		t.Errorf("the normal shares are %v", in.Normal)
	}
}

func TestABadRowIsToldWithItsLineAndTheOthersCount(t *testing.T) {
	for name, test := range map[string]struct{ row, reason string }{
		"too few fields":           {"0,a,1", "as many fields"},
		"a broken quote":           {"0,\"a\"b,1,2", "no row of CSV"},
		"more than there are":      {"0,a,3,2", "more are affected than there are"},
		"a negative count":         {"0,a,-1,2", "whole numbers"},
		"a fraction":               {"0,a,1.5,2", "whole numbers"},
		"a count over 32 bits":     {"0,a,1,4294967296", "whole numbers"},
		"the future":               {"1,a,1,2", "minute should be"},
		"years ago":                {"-100000,a,1,2", "minute should be"},
		"a minute in words":        {"now,a,1,2", "minute should be"},
		"a value of 1 KB":          {"0," + strings.Repeat("x", 1000) + ",1,2", "at most 200 bytes"},
		"a value that is not text": {"0,\xff\xfe,1,2", "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			in, refused, err := explain.ReadCSV(strings.NewReader("minute,city,affected,total\n0,a,1,5\n" + test.row + "\n0,b,2,6\n"))
			if err != nil {
				t.Fatal(err)
			}
			if refused.Count != 1 || refused.First[0].Line != 3 || !strings.Contains(refused.First[0].Reason, test.reason) {
				t.Errorf("told %+v, want line 3: %s", refused, test.reason)
			}
			if !reflect.DeepEqual(in.Affected, []uint32{1, 2}) {
				t.Errorf("affected are %v: the good rows count", in.Affected)
			}
		})
	}
}

func TestAFileThatCannotBeUsedIsRefused(t *testing.T) {
	columns := func(n int) (s string) {
		for i := range n {
			s += fmt.Sprintf("c%d,", i)
		}
		return s
	}
	for name, test := range map[string]struct {
		in   io.Reader
		kind ops.Kind
		says string
	}{
		"nothing in it":           {strings.NewReader(""), ops.Invalid, "no header"},
		"no total":                {strings.NewReader("minute,city,affected\n0,a,1\n"), ops.Invalid, "affected and total"},
		"a column twice":          {strings.NewReader("city,city,affected,total\na,a,1,2\n"), ops.Invalid, "a name of its own"},
		"no row that can be used": {strings.NewReader("city,affected,total\na,2,1\n"), ops.Invalid, "no row"},
		"17 attributes":           {strings.NewReader(columns(17) + "affected,total\n"), ops.TooLarge, "more than 16"},
		"without an end":          {io.MultiReader(strings.NewReader("city,affected,total\n"), endless{}), ops.TooLarge, "over"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := explain.ReadCSV(test.in)
			if err == nil || ops.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says) {
				t.Errorf("says %v (%s), want %s: %s", err, ops.KindOf(err), test.kind, test.says)
			}
		})
	}
}

// endless is one row that goes on for ever.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func FuzzCSV(f *testing.F) {
	f.Add("minute,a,b,affected,total\n0,x,y,1,2\n-1,x,y,0,2\n0,x,z,2,2\n")
	f.Add("a,affected,total\nx,1,2\ny,9,9\n,0,0\n\"\",4294967295,4294967295\n")
	f.Add("affected,total\n1,2\n")
	f.Fuzz(func(t *testing.T, text string) {
		in, _, err := explain.ReadCSV(strings.NewReader(text))
		if err != nil {
			return
		}
		r, err := explain.Explain(in, explain.Options{})
		if err != nil {
			t.Fatalf("what was read is refused: %v", err)
		}
		if got, want := explained(r), sum(in.Affected); got != want {
			t.Fatalf("explained and unexplained are %d, affected are %d", got, want)
		}
		for _, c := range r.Causes {
			if !(c.Lift >= 0) || !(c.Probability > 0 && c.Probability <= 1) || c.Affected > c.Total || c.Text == "" {
				t.Fatalf("%+v", c)
			}
		}
	})
}

func explained(r explain.Result) uint64 {
	n := r.Unexplained
	for _, c := range r.Causes {
		n += c.Explained
	}
	return n
}

// rows is a random file of a fault in city c3 and model m1, as rows of values and counts.
func rows(seed uint64) [][]string {
	r := rand.New(rand.NewPCG(seed, 3))
	var out [][]string
	for minute := -3; minute <= 0; minute++ {
		for city := range 6 {
			for model := range 4 {
				for net := range 3 {
					share, n, a := .02, 50+r.IntN(200), 0
					if minute == 0 && city == 3 && model == 1 {
						share = .4
					}
					for range n {
						if r.Float64() < share {
							a++
						}
					}
					out = append(out, []string{fmt.Sprint(minute), fmt.Sprint("c", city), fmt.Sprint("m", model), fmt.Sprint("n", net), fmt.Sprint(a), fmt.Sprint(n)})
				}
			}
		}
	}
	return out
}

func explainRows(t *testing.T, head string, rows [][]string) explain.Result {
	t.Helper()
	text := head + "\n"
	for _, row := range rows {
		text += strings.Join(row, ",") + "\n"
	}
	return explainText(t, strings.NewReader(text))
}

const head = "minute,city,model,network,affected,total"

func TestTheOrderOfRowsDoesNotMatter(t *testing.T) {
	for seed := range uint64(20) {
		list := rows(seed)
		want := explainRows(t, head, list)
		if !reflect.DeepEqual(want.Causes[0].Scope, scope{"city": {"c3"}, "model": {"m1"}}) {
			t.Fatalf("seed %d: named %v", seed, want.Causes)
		}
		rand.New(rand.NewPCG(seed, 4)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if got := explainRows(t, head, list); !reflect.DeepEqual(texts(got), texts(want)) {
			t.Errorf("seed %d: %v, in another order %v", seed, texts(want), texts(got))
		}
	}
}

func texts(r explain.Result) (out []string) {
	for _, c := range r.Causes {
		out = append(out, fmt.Sprintf("%.6f %s", c.Probability, c.Text))
	}
	return out
}

func TestNamesDoNotMatter(t *testing.T) {
	rename := strings.NewReplacer("c", "z9", "m", "A", "n", "k-")
	for seed := range uint64(20) {
		list := rows(seed)
		want := texts(explainRows(t, head, list))
		for i, row := range list {
			for _, k := range []int{1, 2, 3} {
				list[i][k] = rename.Replace(row[k])
			}
		}
		got := texts(explainRows(t, head, list))
		for i := range want {
			for k := range 6 {
				want[i] = strings.ReplaceAll(want[i], fmt.Sprintf("city c%d", k), fmt.Sprintf("city z9%d", k))
				want[i] = strings.ReplaceAll(want[i], fmt.Sprintf("model m%d", k), fmt.Sprintf("model A%d", k))
				want[i] = strings.ReplaceAll(want[i], fmt.Sprintf("network n%d", k), fmt.Sprintf("network k-%d", k))
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d: %v, with other names %v", seed, want, got)
		}
	}
}

func TestAColumnThatIsTheSameInEveryRowChangesNothing(t *testing.T) {
	for seed := range uint64(20) {
		list := rows(seed)
		want := explainRows(t, head, list)
		for i := range list {
			list[i] = append([]string{list[i][0], "CN"}, list[i][1:]...)
		}
		if got := explainRows(t, "minute,country,city,model,network,affected,total", list); !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d: %v, with the column %v", seed, want, got)
		}
	}
}

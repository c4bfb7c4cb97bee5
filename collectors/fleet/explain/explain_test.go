package explain_test

import (
	"fmt"
	"reflect"
	"testing"

	"goc/collectors/fleet/explain"
)

// grid is a small chain: 4 cities × 3 firmwares × 2 kinds, 100 devices in each cell.
func grid(affected func(city, firmware, kind int) uint32) explain.Input {
	in := explain.Input{Axes: []explain.Axis{
		{Name: "city", Values: []string{"上海", "成都", "北京", "广州"}},
		{Name: "firmware", Values: []string{"4.2.0", "4.2.1", "4.3.0"}},
		{Name: "kind", Values: []string{"pos", "scale"}},
	}}
	for c := range 4 {
		for f := range 3 {
			for k := range 2 {
				for axis, code := range []int{c, f, k} {
					in.Axes[axis].Code = append(in.Axes[axis].Code, uint32(code))
				}
				in.Total = append(in.Total, 100)
				in.Affected = append(in.Affected, affected(c, f, k))
			}
		}
	}
	return in
}

type scope = map[string][]string

func scopes(r explain.Result) []scope {
	out := []scope{}
	for _, c := range r.Causes {
		if !c.Alternative {
			out = append(out, c.Scope)
		}
	}
	return out
}

func TestTheSmallestSetIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		affected func(city, firmware, kind int) uint32
		want     []scope
	}{
		"a firmware": {func(_, f, _ int) uint32 { return pick(f == 1, 95) }, []scope{{"firmware": {"4.2.1"}}}},
		"a firmware of one kind": {
			func(_, f, k int) uint32 { return pick(f == 1 && k == 0, 95) },
			[]scope{{"firmware": {"4.2.1"}, "kind": {"pos"}}},
		},
		"a city, and a firmware elsewhere": {
			func(c, f, _ int) uint32 { return max(pick(c == 2, 99), pick(f == 0, 60)) },
			[]scope{{"city": {"北京"}}, {"firmware": {"4.2.0"}}},
		},
		"nothing but noise": {func(_, _, _ int) uint32 { return 1 }, []scope{}},
		"nobody":            {func(_, _, _ int) uint32 { return 0 }, []scope{}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := explain.Explain(grid(test.affected), explain.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := scopes(r); !sameSet(got, test.want) {
				t.Errorf("named %v, want %v", got, test.want)
			}
		})
	}
}

// pick is n affected where hit, else one in a hundred.
func pick(hit bool, n uint32) uint32 {
	if hit {
		return n
	}
	return 1
}

func sameSet(a, b []scope) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		ok := false
		for _, y := range b {
			ok = ok || reflect.DeepEqual(x, y)
		}
		if !ok {
			return false
		}
	}
	return true
}

func TestTheExplainedAndTheUnexplainedAreAllThatAreAffected(t *testing.T) {
	in := grid(func(c, f, _ int) uint32 { return max(pick(c == 2, 99), pick(f == 0, 60)) })
	r, err := explain.Explain(in, explain.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sum, all := r.Unexplained, uint64(0)
	for _, c := range r.Causes {
		sum += c.Explained
	}
	for _, a := range in.Affected {
		all += uint64(a)
	}
	if sum != all {
		t.Errorf("explained and unexplained are %d, affected are %d", sum, all)
	}
	if want := "594 of 600 devices with city 北京 are affected, 12 of 1,200 others"; r.Causes[0].Text != want {
		t.Errorf("says %q, want %q", r.Causes[0].Text, want)
	}
}

func TestWhatHitsEverythingIsOneCause(t *testing.T) {
	r, err := explain.Explain(grid(func(_, _, _ int) uint32 { return 97 }), explain.Options{State: "are silent"})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Causes) != 1 || len(r.Causes[0].Scope) != 0 || r.Unexplained != 0 {
		t.Fatalf("%+v", r)
	}
	if want := "2,328 of 2,400 devices are silent: it is everywhere"; r.Causes[0].Text != want {
		t.Errorf("says %q, want %q", r.Causes[0].Text, want)
	}
}

func TestNoCellsAtAllAreAnswered(t *testing.T) {
	for name, in := range map[string]explain.Input{
		"no cells":              {Axes: []explain.Axis{{Name: "city"}}},
		"no attributes":         {Counts: explain.Counts{Affected: []uint32{3}, Total: []uint32{9}}},
		"cells without devices": {Axes: []explain.Axis{{Name: "city", Values: []string{"a", "b"}, Code: []uint32{0, 1}}}, Counts: explain.Counts{Affected: []uint32{0, 0}, Total: []uint32{0, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := explain.Explain(in, explain.Options{})
			if err != nil || explained(r) != sum(in.Affected) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func TestAnIndexAnswersManyTimesAsOfTheFirst(t *testing.T) {
	in := grid(func(_, f, k int) uint32 { return pick(f == 1 && k == 0, 95) })
	x, err := explain.NewIndex(in.Axes, len(in.Total))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint32{0, 5, 30, 300, 31, 0, 12} { // devices come and go, and sizes pass what is tabled
		now := explain.Counts{Affected: in.Affected, Total: make([]uint32, len(in.Total))}
		for i := range now.Total {
			now.Total[i] = in.Total[i] + n*uint32(i%3)
		}
		got, err := x.Explain(now, explain.Options{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := explain.Explain(explain.Input{Axes: in.Axes, Counts: now}, explain.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("with %d more: %+v, afresh %+v", n, got, want)
		}
	}
}

func TestWhatHitsEverythingIsOneCauseInCellsOfOneDevice(t *testing.T) {
	in := explain.Input{Axes: []explain.Axis{{Name: "store"}, {Name: "kind", Values: []string{"pos", "scale"}}}}
	for i := range uint32(200) {
		in.Axes[0].Values = append(in.Axes[0].Values, fmt.Sprint("ST-", i))
		for k := range uint32(2) {
			in.Axes[0].Code, in.Axes[1].Code = append(in.Axes[0].Code, i), append(in.Axes[1].Code, k)
			in.Affected, in.Total = append(in.Affected, 1), append(in.Total, 1)
		}
	}
	r, err := explain.Explain(in, explain.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Causes) != 1 || len(r.Causes[0].Scope) != 0 {
		t.Errorf("%+v", r)
	}
}

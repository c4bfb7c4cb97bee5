package explain_test

import (
	"encoding/csv"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Faults are implanted into the calm minutes of the real files: the traffic and its noise are real, the fault is made up
// and so its cause is known. A fault hits most cells of a set, each with a share of its own.

type recorded struct {
	columns []string
	minutes map[int]map[string][2]int // by the values joined with commas: affected, total
}

func recording(t testing.TB, path string) recorded {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	n := len(rows[0])
	out := recorded{columns: rows[0][1 : n-2], minutes: map[int]map[string][2]int{}}
	for _, row := range rows[1:] {
		minute, _ := strconv.Atoi(row[0])
		affected, _ := strconv.Atoi(row[n-2])
		total, _ := strconv.Atoi(row[n-1])
		if out.minutes[minute] == nil {
			out.minutes[minute] = map[string][2]int{}
		}
		out.minutes[minute][strings.Join(row[1:n-2], ",")] = [2]int{affected, total}
	}
	return out
}

func share(m map[string][2]int) float64 {
	var a, n int
	for _, c := range m {
		a, n = a+c[0], n+c[1]
	}
	return float64(a) / float64(max(n, 1))
}

// calm lists the minutes before the real fault that are like the calmest ones.
func (r recorded) calm() []int {
	least := 1.0
	for minute, m := range r.minutes {
		if minute < 0 {
			least = min(least, share(m))
		}
	}
	var out []int
	for minute, m := range r.minutes {
		if minute < 0 && share(m) < 1.6*least {
			out = append(out, minute)
		}
	}
	slices.Sort(out)
	return out
}

// implant makes a case of the recording's calm minutes: the last is now, with a fault in a random set.
func (r recorded) implant(rnd *rand.Rand, calm []int) (text string, truth scope, ok bool) {
	now := r.minutes[calm[len(calm)-1]]
	var keys []string
	all := 0
	for key, c := range now {
		keys = append(keys, key)
		all += c[1]
	}
	slices.Sort(keys)
	at := rnd.IntN(all)
	key := keys[slices.IndexFunc(keys, func(k string) bool { at -= now[k][1]; return at < 0 })]
	depth := 1
	if x := rnd.Float64(); x > .95 {
		depth = 3
	} else if x > .5 {
		depth = 2
	}
	wanted := rnd.Perm(len(r.columns))[:min(depth, len(r.columns))]
	values := strings.Split(key, ",")
	in := func(key string, wanted []int) bool {
		v := strings.Split(key, ",")
		return !slices.ContainsFunc(wanted, func(i int) bool { return v[i] != values[i] })
	}
	count := func(wanted []int) (n int) {
		for key, c := range now {
			if in(key, wanted) {
				n += c[1]
			}
		}
		return n
	}
	n := count(wanted)
	if n < 150 || n > all*6/10 {
		return "", nil, false
	}
	truth = scope{}
	for k, i := range wanted {
		truth[r.columns[i]] = []string{values[i]}
		if len(wanted) > 1 && 10*n > 9*count(slices.Delete(slices.Clone(wanted), k, k+1)) {
			return "", nil, false // it would be another set in truth
		}
	}
	var b strings.Builder
	b.WriteString("minute," + strings.Join(r.columns, ",") + ",affected,total\n")
	row := func(minute int, key string, affected, total int) {
		b.WriteString(strconv.Itoa(minute) + "," + key + "," + strconv.Itoa(affected) + "," + strconv.Itoa(total) + "\n")
	}
	for k, minute := range calm[:len(calm)-1] {
		for key, c := range r.minutes[minute] {
			row(k-len(calm)+1, key, c[0], c[1])
		}
	}
	level := .08 + .4*rnd.Float64()
	for _, key := range keys {
		c := now[key]
		if in(key, wanted) && rnd.Float64() > spared {
			own := 1 / (1 + math.Exp(-math.Log(level/(1-level))-scattered*rnd.NormFloat64()))
			for range c[1] - c[0] {
				if rnd.Float64() < own {
					c[0]++
				}
			}
		}
		row(0, key, c[0], c[1])
	}
	return b.String(), truth, true
}

var (
	spared    = .1 // share of a set's cells that its fault spares
	scattered = .6 // standard deviation of a cell's log-odds of being affected
)

// implants is how many faults are implanted into each file; docs/explain.md has the figures of 30.
var implants = flag.Int("implants", 6, "faults to implant into each real file")

func TestFaultsImplantedIntoRealTraffic(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(real(t), "*.csv"))
	var s standing
	for k, file := range files {
		r := recording(t, file)
		calm := r.calm()
		if len(calm) < 3 {
			continue
		}
		rnd := rand.New(rand.NewPCG(uint64(k), 11))
		for left, tries := *implants, 0; left > 0 && tries < 20**implants; tries++ {
			if text, truth, ok := r.implant(rnd, calm); ok {
				s.mark(explainText(t, strings.NewReader(text)), truth)
				left--
			}
		}
	}
	s.tell(t)
	if s.cases < 10 || s.share(s.first) < .85 || s.share(s.three) < .93 {
		t.Error("worse than it was")
	}
}

package explain_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"goc/collectors/fleet/explain"
)

// The generator of random fleets. Stores lie in cities of regions and hang on one network; a store has devices of five
// kinds, of each kind mostly one model, of each model mostly one firmware; a few recent changes touched some stores.

const (
	store = iota
	city
	region
	network
	kind
	model
	firmware
	changes // the first of them
)

const changesMade = 4

// chain is a fleet before anything goes wrong.
type chain struct {
	axes  []explain.Axis
	total []uint32
}

// newChain makes a fleet of so many stores with so many devices each, on average.
func newChain(r *rand.Rand, stores, each int) chain {
	c := chain{axes: []explain.Axis{
		store: {Name: "store", Above: []int{city, region, network}}, city: {Name: "city", Above: []int{region}},
		region: {Name: "region"}, network: {Name: "network"}, kind: {Name: "kind"},
		model: {Name: "model", Above: []int{kind}}, firmware: {Name: "firmware", Above: []int{model, kind}},
	}}
	for i := range changesMade {
		c.axes = append(c.axes, explain.Axis{Name: "change", Values: []string{"", fmt.Sprintf("CHG-%d", i+1)}})
	}
	name := func(axis int, form string, n int) {
		for i := range n {
			c.axes[axis].Values = append(c.axes[axis].Values, fmt.Sprintf(form, i))
		}
	}
	cities := max(30, stores/20)
	for axis, n := range map[int]int{store: stores, city: cities, region: 6, network: 4, kind: 5, model: 15, firmware: 60} {
		name(axis, c.axes[axis].Name+"-%d", n)
	}
	for s := range stores {
		where := int(float64(cities) * math.Pow(r.Float64(), 1.5)) // some cities are larger
		net := r.IntN(4)
		var touched [changesMade]uint32
		for i := range touched {
			if r.Float64() < .05*float64(i+1) {
				touched[i] = 1
			}
		}
		size := float64(each) * (.5 + r.Float64())
		for k := range 5 {
			c.devices(r, [7]int{s, where, where % 6, net, k}, touched, size*[]float64{.4, .25, .2, .1, .05}[k])
		}
	}
	return c
}

// devices adds those of one kind in one store: mostly one model, mostly its newest firmware.
func (c *chain) devices(r *rand.Rand, at [7]int, touched [changesMade]uint32, n float64) {
	left := int(n + r.Float64())
	for left > 0 {
		m := min(left, 1+int(float64(left)*(.5+r.Float64()/2)))
		left -= m
		at[model] = at[kind]*3 + int(3*r.Float64()*r.Float64())
		at[firmware] = at[model]*4 + int(4*r.Float64()*r.Float64())
		for axis, code := range at {
			c.axes[axis].Code = append(c.axes[axis].Code, uint32(code))
		}
		for i, t := range touched {
			c.axes[changes+i].Code = append(c.axes[changes+i].Code, t)
		}
		c.total = append(c.total, uint32(m))
	}
}

// set is a cause that the generator made.
type set map[int]uint32

func (s set) has(c chain, i int) bool {
	for axis, code := range s {
		if c.axes[axis].Code[i] != code {
			return false
		}
	}
	return true
}

func (s set) scope(c chain) scope {
	out := scope{}
	for axis, code := range s {
		out[c.axes[axis].Name] = append(out[c.axes[axis].Name], c.axes[axis].Values[code])
	}
	return out
}

// forms are the attributes that a cause may have.
var forms = [][]int{
	{store},
	{city},
	{region},
	{network},
	{model},
	{firmware},
	{changes},
	{changes + 2},
	{region, kind},
	{region, network},
	{city, kind},
	{city, network},
	{network, firmware},
	{region, firmware},
	{network, model},
	{region, model},
	{kind, changes + 1},
	{region, changes + 3},
	{city, model},
	{region, network, kind},
	{region, network, model},
	{store, kind},
}

// cause draws one of a form around a random cell.
func (c chain) cause(r *rand.Rand) set {
	for {
		s, at := set{}, r.IntN(len(c.total))
		for _, axis := range forms[r.IntN(len(forms))] {
			s[axis] = c.axes[axis].Code[at]
		}
		none := false
		for axis, code := range s {
			none = none || c.axes[axis].Values[code] == ""
		}
		if !none && !c.shorter(s) {
			return s
		}
	}
}

// count sums the devices of a set.
func (c chain) count(has func(i int) bool) (n uint64) {
	for i, t := range c.total {
		if has(i) {
			n += uint64(t)
		}
	}
	return n
}

// shorter says that the set is another one in truth: without one of its attributes it has the same devices, or it is one
// store's; or it is of fewer than 20 devices.
func (c chain) shorter(s set) bool {
	n := c.count(func(i int) bool { return s.has(c, i) })
	if _, named := s[store]; !named && c.oneStore(s) {
		return true
	}
	for axis := range s {
		less := set{}
		for a, code := range s {
			if a != axis {
				less[a] = code
			}
		}
		if len(less) > 0 && c.count(func(i int) bool { return less.has(c, i) }) == n {
			return true
		}
	}
	return n < 20
}

// oneStore says that all devices of the set are in one store.
func (c chain) oneStore(s set) bool {
	first := -1
	for i, code := range c.axes[store].Code {
		if s.has(c, i) {
			if first >= 0 && int(code) != first {
				return false
			}
			first = int(code)
		}
	}
	return true
}

// two draws two causes of which neither is mostly within the other.
func (c chain) two(r *rand.Rand) [2]set {
	for {
		a, b := c.cause(r), c.cause(r)
		both := c.count(func(i int) bool { return a.has(c, i) && b.has(c, i) })
		least := min(c.count(func(i int) bool { return a.has(c, i) }), c.count(func(i int) bool { return b.has(c, i) }))
		if 2*both < least {
			return [2]set{a, b}
		}
	}
}

// strike affects the devices: each of a cause with its share, all others with the share of noise.
func (c chain) strike(r *rand.Rand, causes []set, shares []float64, noise float64) []uint32 {
	out := make([]uint32, len(c.total))
	for i, n := range c.total {
		well := 1 - noise
		for k, s := range causes {
			if s.has(c, i) {
				well *= 1 - shares[k]
			}
		}
		for range n {
			if r.Float64() > well {
				out[i]++
			}
		}
	}
	return out
}

// old adds devices that have long been affected to some cells, and says so as what is normal there.
func (c chain) old(r *rand.Rand, in explain.Counts) explain.Counts {
	in.Normal = make([]float64, len(in.Total))
	in.Total = slices.Clone(in.Total)
	for i := range in.Total {
		if r.Float64() < .1 {
			n := 1 + uint32(r.IntN(3))
			in.Affected[i] += n
			in.Total[i] += n
			in.Normal[i] = float64(n) / float64(in.Total[i])
		}
	}
	return in
}

// fleets is how many random fleets are tried; docs/explain.md has the figures of 1,000.
var fleets = flag.Int("fleets", 60, "random fleets to try")

func TestTwoCausesAtOnceAreSeparated(t *testing.T) {
	exact := 0
	for seed := range *fleets {
		r := rand.New(rand.NewPCG(uint64(seed), 5))
		c := newChain(r, []int{300, 1000, 3000}[seed%3], []int{20, 50, 100}[seed/3%3])
		causes := c.two(r)
		shares := []float64{.3 + .7*r.Float64(), .3 + .7*r.Float64()}
		noise := .01 * r.Float64()
		in := explain.Input{Axes: c.axes, Counts: explain.Counts{Total: c.total, Affected: c.strike(r, causes[:], shares, noise)}}
		if seed%2 == 1 {
			in.Counts = c.old(r, in.Counts)
		}
		got, err := explain.Explain(in, explain.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if sameSet(scopes(got), []scope{causes[0].scope(c), causes[1].scope(c)}) {
			exact++
			continue
		}
		t.Logf("seed %d: %d devices, noise %.3f", seed, sum(c.total), noise)
		for k, w := range causes {
			t.Logf("    is    %v: %d devices, each with %.2f", w.scope(c), c.count(func(i int) bool { return w.has(c, i) }), shares[k])
		}
		for _, c := range got.Causes {
			t.Logf("    named %v: p %.2f, %s", c.Scope, c.Probability, c.Text)
		}
	}
	t.Logf("of %d fleets, both causes named exactly and nothing else in %d", *fleets, exact)
	if 100*exact < 95**fleets {
		t.Error("fewer than 95 of 100")
	}
}

func TestMoreDarkStoresThanAreNamedDoNotHideOneAnother(t *testing.T) {
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 8))
		c := newChain(r, 800, 200)
		var dark []set
		var shares []float64
		for range 40 {
			dark, shares = append(dark, set{store: uint32(r.IntN(800))}), append(shares, .3+.7*r.Float64())
		}
		in := explain.Input{Axes: c.axes, Counts: explain.Counts{Total: c.total, Affected: c.strike(r, dark, shares, .004)}}
		got, err := explain.Explain(in, explain.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(scopes(got)); n != 8 {
			t.Errorf("seed %d: %d causes are named, not as many as may be", seed, n)
		}
	}
}

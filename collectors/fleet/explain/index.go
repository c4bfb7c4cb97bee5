package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"goc/ops"
)

// Index is what is known of the cells before anybody is affected: which cells have a value. It is made once for a fleet
// and asked each second; it keeps the axes it was given and must not outlive a change of them. One call at a time.
type Index struct {
	axes       []Axis
	cells      int
	of         []postings
	price      []float64 // per axis: what naming one value of it costs, in nats
	order      []int     // the axes, that with the fewest values first
	varied     []bool    // whether the axis tells cells apart; one that does not is never named
	everything []uint32  // all cells
	sizes      []uint32  // per cell, the total that the profiles count it under
	width      int
	profile    []profile // per axis

	widest  int      // values of the axis that has most
	implied [][]bool // whether one of two axes decides the other
}

// postings are the cells of each value of one axis: cell[start[v]:start[v+1]].
type postings struct{ start, cell []uint32 }

// NewIndex checks the axes of so many cells and sorts the cells by value.
func NewIndex(axes []Axis, cells int) (*Index, error) {
	if len(axes) > MaxAxes {
		return nil, ops.Errorf(ops.TooLarge, "there are %d attributes, more than %d", len(axes), MaxAxes).At("axes")
	}
	if cells > MaxCells {
		return nil, ops.Errorf(ops.TooLarge, "there are %d cells, more than %d", cells, MaxCells).At("total")
	}
	for i, a := range axes {
		if err := a.validate(cells, len(axes), i); err != nil {
			return nil, err.At(fmt.Sprintf("axes[%d].%s", i, err.Location))
		}
	}
	x := &Index{axes: axes, cells: cells}
	for i := range uint32(cells) {
		x.everything = append(x.everything, i)
	}
	x.sort()
	x.above()
	return x, nil
}

func (a Axis) validate(cells, axes, self int) *ops.Error {
	if a.Name == "" {
		return ops.Errorf(ops.Invalid, "an attribute needs a name").At("name")
	}
	if len(a.Code) != cells {
		return ops.Errorf(ops.Invalid, "there are %d cells and %d codes", cells, len(a.Code)).At("code")
	}
	for _, code := range a.Code {
		if int(code) >= len(a.Values) {
			return ops.Errorf(ops.Invalid, "a code is beyond the %d values", len(a.Values)).At("code")
		}
	}
	if slices.ContainsFunc(a.Above, func(j int) bool { return j < 0 || j >= axes || j == self }) {
		return ops.Errorf(ops.Invalid, "there is no such attribute above it").At("above")
	}
	return nil
}

func (x *Index) sort() {
	for _, a := range x.axes {
		x.widest = max(x.widest, len(a.Values))
		p := postings{make([]uint32, len(a.Values)+1), make([]uint32, len(a.Code))}
		for _, code := range a.Code {
			p.start[code+1]++
		}
		used := 0
		for v := range a.Values {
			if p.start[v+1] > 0 && a.Values[v] != "" {
				used++
			}
			p.start[v+1] += p.start[v]
		}
		next := slices.Clone(p.start)
		for i, code := range a.Code {
			p.cell[next[code]] = uint32(i)
			next[code]++
		}
		x.of = append(x.of, p)
		x.price = append(x.price, math.Log(float64(max(used, 1))))
	}
	axes := 0
	for axis := range x.axes {
		x.order = append(x.order, axis)
		x.varied = append(x.varied, x.varies(axis))
		if x.varied[axis] {
			axes++
		}
	}
	slices.SortStableFunc(x.order, func(a, b int) int { return cmp.Compare(x.price[a], x.price[b]) })
	for axis := range x.price {
		x.price[axis] += math.Log(float64(max(axes, 1)))
	}
}

func (x *Index) varies(axis int) bool {
	used := 0
	for v := range x.axes[axis].Values {
		if len(x.having(term{axis, uint32(v)})) > 0 {
			used++
		}
	}
	return used > 1
}

func (x *Index) above() {
	x.implied = make([][]bool, len(x.axes))
	for i := range x.implied {
		x.implied[i] = make([]bool, len(x.axes))
	}
	for i, a := range x.axes {
		for _, j := range a.Above {
			x.implied[i][j], x.implied[j][i] = true, true
		}
	}
}

// having lists the cells that have the value.
func (x *Index) having(t term) []uint32 {
	p := x.of[t.axis]
	return p.cell[p.start[t.code]:p.start[t.code+1]]
}

// members lists the cells of a set, ascending. Nil terms mean all cells.
func (x *Index) members(terms []term) []uint32 {
	if len(terms) == 0 {
		return x.everything
	}
	least := slices.MinFunc(terms, func(a, b term) int { return len(x.having(a)) - len(x.having(b)) })
	out := x.having(least)
	for _, t := range terms {
		if t != least {
			out = x.among(out, t)
		}
	}
	return out
}

// among lists those of cells that have the value.
func (x *Index) among(cells []uint32, t term) []uint32 {
	code := x.axes[t.axis].Code
	out := make([]uint32, 0, len(cells)/4+16)
	for _, i := range cells {
		if code[i] == t.code {
			out = append(out, i)
		}
	}
	return out
}

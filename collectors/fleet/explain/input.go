package explain

import (
	"fmt"
	"slices"

	"goc/ops"
)

// Bounds of an input. They keep one call to a known amount of work and memory.
const (
	MaxAxes  = 32      // attributes
	MaxCells = 1 << 20 // cells
)

// Axis is one attribute of the cells: store, city, firmware, a recent change.
type Axis struct {
	Name   string   // the key of the scope that a cause has
	Values []string // by code; "" means none of them (no network known, not touched by the change) and is never a cause
	Code   []uint32 // per cell, which of Values it has
	Above  []int    // the axes that this one's value decides: of a store, its city, region and network
}

// Input is what is to be explained. Axes are static while devices come and go within cells, so a caller keeps the Input
// and writes only Affected and Total anew. Several axes may share a name: each recent change is an axis "change" with the
// values "" and its id, because a cell may be touched by several.
type Input struct {
	Axes     []Axis
	Affected []uint32 // per cell
	Total    []uint32 // per cell

	// Normal is the share of each cell that is affected on a normal day. Without it the share is taken from the cells
	// that no cause covers.
	Normal []float64
}

// Validate says what is wrong with in. Explain takes only what passes.
func (in Input) Validate() error {
	cells := len(in.Total)
	switch {
	case len(in.Axes) > MaxAxes:
		return ops.Errorf(ops.TooLarge, "there are %d attributes, more than %d", len(in.Axes), MaxAxes).At("axes")
	case cells > MaxCells:
		return ops.Errorf(ops.TooLarge, "there are %d cells, more than %d", cells, MaxCells).At("total")
	case len(in.Affected) != cells:
		return ops.Errorf(ops.Invalid, "there are %d cells and %d counts of affected", cells, len(in.Affected)).At("affected")
	case in.Normal != nil && len(in.Normal) != cells:
		return ops.Errorf(ops.Invalid, "there are %d cells and %d normal shares", cells, len(in.Normal)).At("normal")
	}
	for i := range in.Affected {
		if in.Affected[i] > in.Total[i] {
			return ops.Errorf(ops.Invalid, "more are affected than there are").At(fmt.Sprintf("affected[%d]", i))
		}
	}
	for i, share := range in.Normal {
		if !(share >= 0 && share <= 1) {
			return ops.Errorf(ops.Invalid, "a share lies between 0 and 1").At(fmt.Sprintf("normal[%d]", i))
		}
	}
	return in.validateAxes()
}

func (in Input) validateAxes() error {
	for i, a := range in.Axes {
		at := fmt.Sprintf("axes[%d]", i)
		if a.Name == "" {
			return ops.Errorf(ops.Invalid, "an attribute needs a name").At(at + ".name")
		}
		if len(a.Code) != len(in.Total) {
			return ops.Errorf(ops.Invalid, "there are %d cells and %d codes", len(in.Total), len(a.Code)).At(at + ".code")
		}
		for _, code := range a.Code {
			if int(code) >= len(a.Values) {
				return ops.Errorf(ops.Invalid, "a code is beyond the %d values", len(a.Values)).At(at + ".code")
			}
		}
		if slices.ContainsFunc(a.Above, func(j int) bool { return j < 0 || j >= len(in.Axes) || j == i }) {
			return ops.Errorf(ops.Invalid, "there is no such attribute above it").At(at + ".above")
		}
	}
	return nil
}

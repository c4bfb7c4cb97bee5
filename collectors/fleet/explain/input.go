package explain

import (
	"fmt"

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

// Input is what is to be explained once. Several axes may share a name: each recent change is an axis "change" with the
// values "" and its id, because a cell may be touched by several.
type Input struct {
	Axes []Axis
	Counts
}

// Counts are the cells' figures of one moment.
type Counts struct {
	Affected []uint32 // per cell
	Total    []uint32 // per cell

	// Normal is the share of each cell that is affected on a normal day, 0 where nothing is known of that. What is affected
	// besides, in cells that no cause covers, is taken for normal everywhere.
	Normal []float64
}

// check says what is wrong with the counts of an input whose axes are indexed.
func (x *Index) check(c Counts) error {
	switch {
	case len(c.Total) != x.cells:
		return ops.Errorf(ops.Invalid, "there are %d cells and %d totals", x.cells, len(c.Total)).At("total")
	case len(c.Affected) != x.cells:
		return ops.Errorf(ops.Invalid, "there are %d cells and %d counts of affected", x.cells, len(c.Affected)).At("affected")
	case c.Normal != nil && len(c.Normal) != x.cells:
		return ops.Errorf(ops.Invalid, "there are %d cells and %d normal shares", x.cells, len(c.Normal)).At("normal")
	}
	for i := range c.Affected {
		if c.Affected[i] > c.Total[i] {
			return ops.Errorf(ops.Invalid, "more are affected than there are").At(fmt.Sprintf("affected[%d]", i))
		}
	}
	for i, share := range c.Normal {
		if !(share >= 0 && share <= 1) {
			return ops.Errorf(ops.Invalid, "a share lies between 0 and 1").At(fmt.Sprintf("normal[%d]", i))
		}
	}
	return nil
}

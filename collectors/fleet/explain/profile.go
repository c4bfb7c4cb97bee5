package explain

// widestProfile bounds an axis' profile, in counters; the sets of finer axes are small and summed directly.
const widestProfile = 1 << 17

// profile counts, per value of one axis, the cells of each size. Cells without anybody affected say the same when they
// have the same size, so what all of them say together is known without visiting them.
type profile struct {
	width int
	cells []uint32 // [value*width + size]
}

func (p profile) of(value uint32) []uint32 {
	return p.cells[int(value)*p.width : int(value)*p.width+p.width]
}

// profiles brings the index's profiles up to date with the cells' sizes: only those that changed cost anything. Size 0
// stands for cells that are not plain.
func (x *Index) profiles(sizes []uint32, most uint32) []profile {
	if x.sizes == nil || int(most) >= x.width {
		x.width = int(most)*5/4 + 2
		x.sizes, x.profile = make([]uint32, x.cells), make([]profile, len(x.axes))
		for axis, a := range x.axes {
			if x.varied[axis] && len(a.Values)*x.width <= widestProfile {
				x.profile[axis] = profile{x.width, make([]uint32, len(a.Values)*x.width)}
			}
		}
		for i := range x.sizes {
			x.resize(uint32(i), 0, 1)
		}
	}
	for i, n := range sizes {
		if was := x.sizes[i]; was != n {
			x.resize(uint32(i), was, -1)
			x.resize(uint32(i), n, 1)
			x.sizes[i] = n
		}
	}
	return x.profile
}

// resize counts the cell among those of the size, or no longer.
func (x *Index) resize(cell, size uint32, by int) {
	for axis, p := range x.profile {
		if p.cells != nil {
			p.cells[int(x.axes[axis].Code[cell])*p.width+int(size)] += uint32(by)
		}
	}
}

package bake

import (
	"math"
	"slices"
)

const (
	minBefore = 5  // values before, from which a unit's own level is taken
	maxBlocks = 16 // means that a unit's values are put together in: those of neighbouring minutes say much the same
	minLevel  = 0.01
)

// gauge is what one unit shows.
type gauge struct {
	level  float64   // the median before, 0 when units are compared as they are
	noise  float64   // the standard deviation before, around a straight line
	slope  float64   // of that line, by as much time as was looked at before
	ahead  float64   // from the middle of that time to the middle of the bake so far, in the same measure
	change float64   // the mean since, less the level
	blocks []float64 // means of stretches of the bake, less the level
}

// gauges is one side of the comparison.
type gauges struct {
	units   []gauge
	samples int
}

func newGauges(units []Unit, own bool) gauges {
	out := gauges{units: make([]gauge, len(units))}
	var buf []float64
	for i, u := range units {
		out.samples += len(u.During)
		g := &out.units[i]
		if own {
			buf = append(buf[:0], u.Before...)
			g.level = median(buf)
			g.slope, g.noise = line(u.Before)
			g.ahead = (1 + float64(len(u.During))/float64(len(u.Before))) / 2
		}
		g.change = mean(u.During) - g.level
		n := min(maxBlocks, len(u.During))
		g.blocks = make([]float64, n)
		for b := range n {
			g.blocks[b] = mean(u.During[b*len(u.During)/n:(b+1)*len(u.During)/n]) - g.level
		}
	}
	return out
}

// line fits a straight line by least squares: by how much it climbs from end to end, and how far values are from it.
func line(v []float64) (slope, noise float64) {
	n := float64(len(v))
	middle, center := mean(v), (n-1)/2
	xy, xx, yy := 0.0, 0.0, 0.0
	for i, y := range v {
		x := float64(i) - center
		xy, xx, yy = xy+x*(y-middle), xx+x*x, yy+(y-middle)*(y-middle)
	}
	return xy / xx * n, math.Sqrt(math.Max(0, yy-xy*xy/xx) / (n - 2))
}

// relate measures all units in parts of their own levels, when all have one that is well above zero.
func relate(sides ...gauges) bool {
	var levels []float64
	for _, s := range sides {
		for _, g := range s.units {
			levels = append(levels, g.level)
		}
	}
	least := slices.Min(levels)
	if least <= 0 || least < minLevel*median(levels) {
		return false
	}
	for _, s := range sides {
		for i := range s.units {
			s.units[i].divide(s.units[i].level)
		}
	}
	return true
}

func (g *gauge) divide(by float64) {
	g.noise, g.slope, g.change = g.noise/by, g.slope/by, g.change/by
	for i := range g.blocks {
		g.blocks[i] /= by
	}
}

// shift moves what all units show.
func (s gauges) shift(by float64) {
	for i := range s.units {
		g := &s.units[i]
		g.change += by
		for b := range g.blocks {
			g.blocks[b] += by
		}
	}
}

func (s gauges) changes() []float64 {
	return s.each(func(g *gauge) float64 { return g.change })
}

func (s gauges) blocks() []float64 {
	out := make([]float64, 0, len(s.units)*maxBlocks)
	for i := range s.units {
		out = append(out, s.units[i].blocks...)
	}
	return out
}

func (s gauges) each(of func(*gauge) float64) []float64 {
	out := make([]float64, len(s.units))
	for i := range s.units {
		out[i] = of(&s.units[i])
	}
	return out
}

package suspects

import (
	"fmt"
	"math"

	"goc/ops"
)

// spatialWeight is the log-odds ratio of being affected between the stores that a change reached and those that it did
// not, with half a store added to each count, and less of it while few stores are known to be affected. hit are the
// affected ones that it reached, reached the others. Those that it did not reach speak against it in their share.
func spatialWeight(hit, affected, reached, others int, bound float64) float64 {
	if affected == 0 {
		return 0
	}
	a, b := float64(hit), float64(reached)
	share := a / float64(affected)
	against := (1 - share) * bound // a change breaks what it reaches
	if others == 0 {               // nothing to compare with
		return -against
	}
	ratio := math.Log((a + 0.5) / (float64(affected) - a + 0.5) / ((b + 0.5) / (float64(others) - b + 0.5)))
	return share*max(-bound, min(bound, ratio))*float64(affected)/float64(affected+1) - against
}

// spread is how a change and a symptom meet in stores.
type spread struct {
	hit, affected, reached, others int
	known                          bool
}

func (x *Index) spread(slot uint32, s *symptom, w World) spread {
	out := spread{affected: s.affected}
	if s.affected == 0 || w.Catalog == nil {
		return out
	}
	out.others = max(0, len(w.Catalog.Stores)-s.affected)
	switch x.facts[slot].reach {
	case reachNone:
		return out
	case reachEvery:
		out.hit, out.reached = s.affected, out.others
	default:
		exposed := x.slots[slot].exposed
		out.hit = exposed.common(&s.stores)
		out.reached = max(0, min(out.others, exposed.size()-out.hit))
	}
	out.known = true
	return out
}

func (p spread) weight(w Weights) float64 {
	if !p.known {
		return 0
	}
	return spatialWeight(p.hit, p.affected, p.reached, p.others, w.Spatial)
}

// spatialTerm is the spatial weight with its numbers.
func spatialTerm(p spread, w Weights) ops.Evidence {
	return ops.Evidence{
		Term: "spatial", Weight: p.weight(w),
		Text: fmt.Sprintf("it reached %d of the %d affected %s and %d of the %d others", p.hit, p.affected, plural(p.affected, "store", "stores"), p.reached, p.others),
		Args: map[string]any{"hit": p.hit, "affected": p.affected, "reached": p.reached, "others": p.others},
	}
}

package suspects

import (
	"fmt"
	"math"
	"time"

	"goc/ops"
)

// spatialTerm is the log-odds ratio of being affected between the stores that the change reached and those that it did
// not, with half a store added to each count, and less of it while few stores are known to be affected.
func spatialTerm(k Case, c *candidate, w World, _ time.Time) ops.Evidence {
	affected := len(k.Stores)
	if affected == 0 || w.Catalog == nil || (len(c.exposure.stores) == 0 && !c.exposure.every) {
		return ops.Evidence{}
	}
	hit := 0
	for _, s := range k.Stores {
		if _, ok := c.exposure.stores[s]; ok || c.exposure.every {
			hit++
		}
	}
	others := max(0, len(w.Catalog.Stores)-affected)
	reached := min(others, len(c.exposure.stores)-hit)
	if c.exposure.every {
		reached = others
	}
	a, b := float64(hit), float64(max(0, reached))
	ratio := math.Log((a + 0.5) / (float64(affected) - a + 0.5) / ((b + 0.5) / (float64(others) - b + 0.5)))
	weight := max(-w.Weights.Spatial, min(w.Weights.Spatial, ratio)) * float64(affected) / float64(affected+1)
	switch {
	case hit == 0: // a change breaks what it reaches
		weight = -w.Weights.Spatial
	case others == 0: // nothing to compare with
		weight = 0
	}
	return ops.Evidence{
		Term: "spatial", Weight: weight,
		Text: fmt.Sprintf("it reached %d of the %d affected %s and %d of the %d others", hit, affected, plural(affected, "store", "stores"), max(0, reached), others),
		Args: map[string]any{"hit": hit, "affected": affected, "reached": max(0, reached), "others": others},
	}
}

// explainAway takes back part of a gap that shows on a service when a suspicious change below it would make the same gap.
func explainAway(cands []*candidate, w World) {
	for _, c := range cands {
		if c.gap < 0 || c.Service == "" || w.Graph == nil {
			continue
		}
		var by *candidate
		for _, d := range cands {
			if d != c && d.Service != "" && d.local >= 0.5 && d.exposure.share(c.exposure) > 0 && w.Graph.Distance(c.Service, d.Service) > 0 && (by == nil || d.local > by.local) {
				by = d
			}
		}
		if by == nil {
			continue
		}
		weight := -w.Weights.ExplainedAway * by.local * by.exposure.share(c.exposure) * c.evidence[c.gap].Weight
		c.add(ops.Evidence{
			Term: "explained", Weight: weight,
			Text: fmt.Sprintf("%s, which %s depends on, has the suspicious %s, which would make the same gap", by.Service, c.Service, by.ID),
			Args: map[string]any{"service": by.Service, "caller": c.Service, "change_id": by.ID},
		})
	}
}

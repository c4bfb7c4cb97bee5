package suspects

import "goc/ops"

// maxMissing is how many terms of one suspect are said not to have been computed.
const maxMissing = 2

// missing says of the terms that people would expect, and that could not be computed, why not. They weigh nothing.
func (b *batch) missing(k Case, s *symptom, c *candidate) []ops.Evidence {
	var out []ops.Evidence
	for _, m := range []struct {
		term string
		why  func(Case, *symptom, *candidate) string
	}{{"gap", b.noGap}, {"untreated", b.noBefore}, {"spatial", b.noSpatial}, {"silence", b.noSilence}} {
		if why := m.why(k, s, c); why != "" && len(out) < maxMissing {
			out = append(out, ops.Evidence{Term: m.term, Text: sentence(why), Args: map[string]any{"computed": false, "why": why}})
		}
	}
	return out
}

// sentence is what could not be computed, in words. Clients know it by its key.
func sentence(why string) string {
	switch why {
	case "unfinished":
		return "what it treats is not ready yet, so that it cannot be compared with the rest"
	case "no_samples":
		return "no samples are kept of what it treated or of the rest, so that they cannot be compared"
	case "no_indicator":
		return "no indicator tells the treated from the untreated, so that they cannot be compared"
	case "treated_unseen":
		return "nothing of what it treated has been seen since, so that it cannot be compared with the rest"
	case "untreated_unseen":
		return "only what it treated has been seen since, so that there is nothing to compare it with"
	case "no_before":
		return "no samples of the rest were kept from before, so that before and after cannot be compared"
	case "no_catalog":
		return "the catalog lists no stores, so that those that it reached cannot be compared with the others"
	case "no_stores_named":
		return "the alerts name no store, so that where it went cannot be compared with where it hurts"
	case "no_units":
		return "its stages name no units, so that one of them that has gone silent would not be noticed"
	}
	return ""
}

// noGap is why treated and untreated were not compared, "" when they were or nobody would expect it.
func (b *batch) noGap(k Case, s *symptom, c *candidate) string {
	if len(k.Services) == 0 || b.w.Samples == nil || b.x.facts[c.slot].flags&flagTreats == 0 || c.misses(s) {
		return ""
	}
	switch m := c.measured; {
	case !c.treatedBy(b.now):
		return "unfinished"
	case !b.measurable(c): // what is known of other services may be measured none the less
		return "no_samples"
	case m.worst != nil || m.most != nil:
		return ""
	case m.treated == 0 && m.untreated == 0:
		return "no_indicator"
	case m.treated == 0:
		return "treated_unseen"
	case m.untreated == 0:
		return "untreated_unseen"
	}
	return "no_indicator"
}

// noBefore is why it is not known whether the untreated suffer as well, although they were seen.
func (b *batch) noBefore(_ Case, _ *symptom, c *candidate) string {
	if m := c.measured; m != nil && (m.worst != nil || m.most != nil) && m.untreatedBefore == 0 {
		return "no_before"
	}
	return ""
}

// noSpatial is why stores were not compared although the change went to certain ones.
func (b *batch) noSpatial(_ Case, s *symptom, c *candidate) string {
	switch {
	case c.exposed.size() == 0:
		return ""
	case s.affected == 0 && s.class == ofService:
		return "no_stores_named"
	case s.affected > 0 && (b.w.Catalog == nil || len(b.w.Catalog.Stores) == 0):
		return "no_catalog"
	}
	return ""
}

// noSilence is why a silent unit of a staged change would not be noticed although its service is seen unit by unit.
func (b *batch) noSilence(_ Case, _ *symptom, c *candidate) string {
	if len(c.Stages) == 0 || c.distance < 0 || c.exposed.size() > 0 || b.x.facts[c.slot].flags&flagTreats != 0 || !b.sampled[b.x.facts[c.slot].service-1] {
		return ""
	}
	for _, sample := range b.w.Samples.OfService(c.Service) {
		if sample.Unit != "" {
			return "no_units"
		}
	}
	return ""
}

package engine

import "goc/incidents/suspects"

// walks remembers which services lie below and above each one in the call graph, for they are asked for every alert.
type walks struct {
	graph *suspects.Graph
	known map[string][2]map[string]int
}

func newWalks(g *suspects.Graph) *walks { return &walks{g, map[string][2]map[string]int{}} }

// maxWalks bounds what is remembered: labels may name any number of services.
const maxWalks = 4_000

// of answers the services that the named one depends on, and those that depend on it, with the number of calls.
func (w *walks) of(service string) (below, above map[string]int) {
	k, ok := w.known[service]
	if !ok {
		if len(w.known) >= maxWalks {
			clear(w.known)
		}
		k = [2]map[string]int{w.graph.Below(service), w.graph.Above(service)}
		w.known[service] = k
	}
	return k[0], k[1]
}

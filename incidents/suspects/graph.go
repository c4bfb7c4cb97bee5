// Package suspects names the changes that may have caused an incident, with the evidence for and against each. It is
// pure: what it knows of the world is passed in.
package suspects

import "slices"

// Graph is who calls whom. It may have cycles.
type Graph struct {
	callees map[string][]string
	callers map[string][]string
}

// NewGraph makes the graph of edges, caller first.
func NewGraph(calls [][2]string) *Graph {
	g := &Graph{callees: map[string][]string{}, callers: map[string][]string{}}
	for _, c := range calls {
		if c[0] == "" || c[1] == "" || slices.Contains(g.callees[c[0]], c[1]) {
			continue
		}
		g.callees[c[0]] = append(g.callees[c[0]], c[1])
		g.callers[c[1]] = append(g.callers[c[1]], c[0])
	}
	return g
}

// maxDepth bounds every walk over the graph.
const maxDepth = 6

// Below is every service that the named one depends on, with the number of calls to it; itself is 0.
func (g *Graph) Below(service string) map[string]int { return walk(g.callees, service) }

// Above is every service that depends on the named one, with the number of calls from it; itself is 0.
func (g *Graph) Above(service string) map[string]int { return walk(g.callers, service) }

// Callees lists the services that the named one calls directly.
func (g *Graph) Callees(service string) []string { return g.callees[service] }

func walk(edges map[string][]string, from string) map[string]int {
	seen := map[string]int{from: 0}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		d := seen[queue[0]]
		if d == maxDepth {
			break
		}
		for _, next := range edges[queue[0]] {
			if _, ok := seen[next]; !ok {
				seen[next] = d + 1
				queue = append(queue, next)
			}
		}
	}
	return seen
}

// Distance is the number of calls from caller to callee, 0 for itself, -1 when there is no way.
func (g *Graph) Distance(caller, callee string) int {
	if caller == callee {
		return 0
	}
	if d, ok := walk(g.callees, caller)[callee]; ok {
		return d
	}
	return -1
}

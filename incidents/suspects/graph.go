// Package suspects names the changes that may have caused an incident, with the evidence for and against each. It is
// pure: what it knows of the world is passed in.
package suspects

// Graph is who calls whom. It may have cycles.
type Graph struct {
	nodes   names
	callees [][]uint32
	callers [][]uint32
}

// NewGraph makes the graph of edges, caller first.
func NewGraph(calls [][2]string) *Graph {
	g := &Graph{}
	seen := map[[2]uint32]bool{}
	for _, c := range calls {
		if c[0] == "" || c[1] == "" {
			continue
		}
		edge := [2]uint32{g.node(c[0]), g.node(c[1])}
		if seen[edge] {
			continue
		}
		seen[edge] = true
		g.callees[edge[0]] = append(g.callees[edge[0]], edge[1])
		g.callers[edge[1]] = append(g.callers[edge[1]], edge[0])
	}
	return g
}

func (g *Graph) node(name string) uint32 {
	id := g.nodes.id(name)
	if int(id) == len(g.callees) {
		g.callees, g.callers = append(g.callees, nil), append(g.callers, nil)
	}
	return id
}

// maxDepth bounds every walk over the graph.
const maxDepth = 6

// Below is every service that the named one depends on, with the number of calls to it; itself is 0.
func (g *Graph) Below(service string) map[string]int { return g.distances(service, g.callees) }

// Above is every service that depends on the named one, with the number of calls from it; itself is 0.
func (g *Graph) Above(service string) map[string]int { return g.distances(service, g.callers) }

func (g *Graph) distances(service string, edges [][]uint32) map[string]int {
	out := map[string]int{service: 0}
	for _, s := range g.walk(edges, []string{service}) {
		out[s.name] = s.calls
	}
	return out
}

// Callees lists the services that the named one calls directly.
func (g *Graph) Callees(service string) []string {
	id, ok := g.nodes.find(service)
	if !ok {
		return nil
	}
	out := make([]string, len(g.callees[id]))
	for i, c := range g.callees[id] {
		out[i] = g.nodes.list[c]
	}
	return out
}

// step is a service that a walk came to: how many calls away it is, and from which of the services it set out from.
type step struct {
	name  string
	calls int
	from  string
}

// walk goes breadth first from several services at once. The nearest of them counts; of two as near, the first.
func (g *Graph) walk(edges [][]uint32, from []string) []step {
	if g == nil {
		return nil
	}
	out := make([]step, 0, len(from))
	ids := make([]uint32, 0, len(from))
	seen := make([]bool, len(edges))
	see := func(id uint32, calls int, from string) {
		if !seen[id] {
			seen[id] = true
			out, ids = append(out, step{g.nodes.list[id], calls, from}), append(ids, id)
		}
	}
	for _, name := range from {
		if id, ok := g.nodes.find(name); ok {
			see(id, 0, name)
		}
	}
	for i := 0; i < len(out) && out[i].calls < maxDepth; i++ {
		for _, next := range edges[ids[i]] {
			see(next, out[i].calls+1, out[i].from)
		}
	}
	return out
}

// Distance is the number of calls from caller to callee, 0 for itself, -1 when there is no way.
func (g *Graph) Distance(caller, callee string) int {
	if caller == callee {
		return 0
	}
	if g != nil {
		for _, s := range g.walk(g.callees, []string{caller}) {
			if s.name == callee {
				return s.calls
			}
		}
	}
	return -1
}

package changes

import (
	"cmp"
	"context"
	"slices"

	"goc/ops"
)

// MaxCells bounds the stores of one matrix.
const MaxCells = 10_000

// Matrix says of each store where it stands in a change's rollout.
func (s *Service) Matrix(_ context.Context, change string) (ops.RolloutMatrix, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, err := s.find(change)
	if err != nil {
		return ops.RolloutMatrix{}, err
	}
	return matrix(&e.Change, s.catalog, s.index.flight.places), nil
}

// matrix makes one cell of each store that a change is to reach, and of the others in the cities that it goes to. A change
// that names no place has none, unless it is of a kind that goes into stores.
func matrix(c *ops.Change, catalog *ops.Catalog, p *places) ops.RolloutMatrix {
	cells := map[string]ops.RolloutCell{}
	for n := range max(1, len(c.Stages)) {
		stage := n + 1
		if len(c.Stages) == 0 {
			stage = 0
		}
		s := place(stageScope(c, stage))
		if s.Empty() && !slices.Contains(storeKinds, c.Kind) {
			continue
		}
		cell := cellOf(c, stage)
		for _, id := range p.storesIn(s) {
			if was, known := cells[id]; !known || furtherThan(cell, was) {
				cell.Store = id
				cells[id] = cell
			}
		}
	}
	return assemble(c, catalog, p, cells)
}

// furtherThan says whether a store that two rings name stands where the later one is: once that has begun.
func furtherThan(a, b ops.RolloutCell) bool { return !a.At.IsZero() && a.Stage > b.Stage }

// cellOf is where the stores of a ring stand.
func cellOf(c *ops.Change, stage int) ops.RolloutCell {
	st := ops.Stage{StartedAt: c.StartedAt, Verdict: c.Verdict}
	if c.Status == ops.ChangeFinished {
		st.FinishedAt = c.FinishedAt
	}
	if stage > 0 {
		st = c.Stages[stage-1]
	}
	cell := ops.RolloutCell{Stage: stage, At: orDefault(st.FinishedAt, st.StartedAt)}
	switch {
	case st.StartedAt.IsZero() && c.Status == ops.ChangePaused:
		cell.State = ops.StoreHeld
	case st.StartedAt.IsZero():
		cell.State = ops.StoreWaiting
		if !c.Status.Open() {
			cell.State = ops.StoreUntreated
		}
	case !st.RolledBackAt.IsZero():
		cell.State, cell.At = ops.StoreRolledBack, st.RolledBackAt
	case c.Status == ops.ChangeRolledBack:
		cell.State, cell.At = ops.StoreRolledBack, c.FinishedAt
	case st.FinishedAt.IsZero() && c.Status == ops.ChangePaused:
		cell.State, cell.Treated = ops.StoreHeld, true
	case st.FinishedAt.IsZero():
		cell.State, cell.Treated = ops.StoreInProgress, true
	default:
		cell.State, cell.Treated = outState[st.Verdict], true
	}
	return cell
}

var outState = map[ops.Verdict]ops.StoreState{
	"": ops.StoreDone, ops.NoData: ops.StoreDone, ops.Baking: ops.StoreBaking, ops.Healthy: ops.StoreHealthy, ops.Unhealthy: ops.StoreUnhealthy,
}

// assemble adds the stores that no ring names, and puts all in order of their cities.
func assemble(c *ops.Change, catalog *ops.Catalog, p *places, cells map[string]ops.RolloutCell) ops.RolloutMatrix {
	out := ops.RolloutMatrix{ChangeID: c.ID, Status: c.Status, Cells: make([]ops.RolloutCell, 0, len(cells)), Counts: map[ops.StoreState]int{}}
	cities := map[string]bool{}
	for id, cell := range cells {
		cities[p.cityOf[id]] = true
		out.Cells = append(out.Cells, cell)
	}
	for city := range cities {
		for _, id := range p.stores[spot{'c', city}] {
			if _, named := cells[id]; !named {
				out.Cells = append(out.Cells, ops.RolloutCell{Store: id, State: ops.StoreUntreated})
			}
		}
	}
	for i := range out.Cells {
		cell := &out.Cells[i]
		cell.City = p.cityOf[cell.Store]
		if st, known := catalog.Store(cell.Store); known {
			cell.Name = st.Name
		}
		out.Counts[cell.State]++
	}
	slices.SortFunc(out.Cells, func(a, b ops.RolloutCell) int {
		return cmp.Or(cmp.Compare(a.City, b.City), cmp.Compare(a.Store, b.Store))
	})
	if n := len(out.Cells); n > MaxCells {
		out.Cells, out.Omitted = out.Cells[:MaxCells], n-MaxCells
	}
	return out
}

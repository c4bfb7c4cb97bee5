package engine

import (
	"fmt"
	"math"
	"slices"
	"time"

	"goc/incidents/series"
	"goc/ops"
)

// ordersIndicator is the indicator that says how many orders come in.
const ordersIndicator = "orders_per_min"

// How orders are measured: minutes before the onset that say how many are usual and how much that varies, and the span
// that says how many come in now. A loss must stand out of what varies by itself.
const (
	ordersBlocks = 10
	ordersBlock  = time.Minute
	ordersNow    = time.Minute
	ordersEvery  = 5 * time.Second
	ordersSigmas = 3
	ordersLeast  = 0.02 // of those expected
)

// missing is how many orders a minute do not come in, of how many that were to be expected.
type missing struct {
	Lost     float64 `json:"lost,omitempty"`
	Expected float64 `json:"expected,omitempty"`
	Chain    float64 `json:"chain,omitempty"`  // to be expected of all stores together
	Stores   int     `json:"stores,omitempty"` // that the loss is measured in
}

// text says it, "" when none are missing.
func (m missing) text() string {
	if m.Lost <= 0 {
		return ""
	}
	where := ""
	if m.Stores > 0 {
		where = " in " + count(m.Stores, "store", "stores")
	}
	return fmt.Sprintf("%.1f of %.0f orders a minute are missing%s", m.Lost, m.Expected, where)
}

// usual is how orders ran before the onset of an incident: those of its stores, and those of the stores that no incident
// touches, whose rhythm says what would have been now.
type usual struct {
	onset, at  time.Time
	scope      int // stores and services that the incident had when this was measured
	mine, rest []ordered
	stray      float64 // standard deviation of the sum of mine between minutes, less what the rest did
}

// ordered is one series with its mean before the onset.
type ordered struct {
	*series.Series
	mean float64
}

// ordersMissing measures the loss as a difference in differences: orders now against before the onset in the incident's
// stores, against the same in the stores that are well. Nothing when it could be chance; what was last known when it cannot be measured any more, such as
// after a restart.
func (e *Engine) ordersMissing(inc *incident, now time.Time) missing {
	if now.Sub(inc.ordersAt) < ordersEvery {
		return inc.Missing
	}
	inc.ordersAt = now
	if !inc.RecoveredAt.IsZero() || !e.takesOrders(inc) {
		inc.usual, inc.Missing = nil, missing{}
		return inc.Missing
	}
	if u, n := inc.usual, len(inc.Scope.Store)+len(inc.Scope.Service); u == nil || u.scope != n || !u.onset.Equal(inc.OnsetAt.Time) {
		inc.usual = e.usualOrders(inc, now)
		inc.usual.scope = n
	}
	if m, ok := inc.usual.against(now); ok {
		inc.Missing = m
	}
	return inc.Missing
}

// takesOrders says whether the incident may cost orders: it is about places, about devices of named stores, or about a
// service that measures orders or that such a service depends on.
func (e *Engine) takesOrders(inc *incident) bool {
	switch inc.rootSight.class() {
	case aboutPlace:
		return len(e.ordering) > 0
	case aboutDevices:
		return len(e.ordering) > 0 && len(inc.Scope.Store) > 0
	case aboutOther:
		return false
	}
	return slices.ContainsFunc(e.ordering, func(name string) bool {
		_, above := inc.above[name]
		return above || name == inc.rootSight.service || slices.Contains(inc.Scope.Service, name)
	})
}

// usualOrders measures the minutes before the onset.
func (e *Engine) usualOrders(inc *incident, now time.Time) *usual {
	u := &usual{onset: inc.OnsetAt.Time, at: now}
	mine, rest := make([]float64, ordersBlocks), make([]float64, ordersBlocks)
	hit, spared := e.hitStores(inc)
	for _, name := range e.ordering {
		for _, s := range e.samples.OfService(name) {
			if s.Indicator != ordersIndicator || !hit(s.Store) && !spared(s.Store) {
				continue
			}
			blocks, mean, ok := blocksOf(s, u.onset)
			switch {
			case !ok:
			case hit(s.Store):
				u.mine = append(u.mine, ordered{s, mean})
				addTo(mine, blocks)
			default:
				u.rest = append(u.rest, ordered{s, mean})
				addTo(rest, blocks)
			}
		}
	}
	u.stray = stray(mine, rest)
	return u
}

// hitStores tells the stores of the incident from those that no open incident touches.
func (e *Engine) hitStores(inc *incident) (hit, spared func(store string) bool) {
	hit = func(store string) bool {
		if len(inc.Scope.Store) > 0 {
			_, in := slices.BinarySearch(inc.Scope.Store, store)
			return in
		}
		if inc.rootSight.class() == aboutPlace {
			_, in := e.covers(inc.rootSight, sight{store: store})
			return in
		}
		return true
	}
	taken, everywhere := map[string]bool{}, false
	for _, o := range e.active {
		if o == inc || !o.RecoveredAt.IsZero() || !e.takesOrders(o) {
			continue
		}
		everywhere = everywhere || len(o.Scope.Store) == 0
		for _, s := range o.Scope.Store {
			taken[s] = true
		}
	}
	return hit, func(store string) bool { return store != "" && !everywhere && !taken[store] && !hit(store) }
}

// blocksOf are the means of a series in the minutes before the onset, oldest first, and their mean. A minute without
// samples counts as the mean; false when most have none.
func blocksOf(s *series.Series, onset time.Time) (blocks [ordersBlocks]float64, mean float64, ok bool) {
	var seen [ordersBlocks]bool
	n := 0
	for i := range blocks {
		from := onset.Add(-10*time.Second - time.Duration(ordersBlocks-i)*ordersBlock)
		if blocks[i], seen[i] = meanOf(s.Between(from, from.Add(ordersBlock))); seen[i] {
			mean += blocks[i]
			n++
		}
	}
	if n < ordersBlocks/3 {
		return blocks, 0, false
	}
	mean /= float64(n)
	for i := range blocks {
		if !seen[i] {
			blocks[i] = mean
		}
	}
	return blocks, mean, true
}

func addTo(sums []float64, blocks [ordersBlocks]float64) {
	for i, v := range blocks {
		sums[i] += v
	}
}

func meanOf(points []series.Point) (float64, bool) {
	sum := 0.0
	for _, p := range points {
		sum += p.Value
	}
	return sum / float64(max(1, len(points))), len(points) > 0
}

// stray is how much the sum of mine varies from minute to minute beyond what the rest's rhythm explains.
func stray(mine, rest []float64) float64 {
	meanMine, meanRest := meanFloat(mine), meanFloat(rest)
	sum := 0.0
	for i := range mine {
		expected := meanMine
		if meanRest > 0 {
			expected *= rest[i] / meanRest
		}
		sum += (mine[i] - expected) * (mine[i] - expected)
	}
	return math.Sqrt(sum / float64(len(mine)-1))
}

func meanFloat(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// against compares what came before with what comes in now. Series that say nothing now are left out on both sides; false
// when all do.
func (u *usual) against(now time.Time) (missing, bool) {
	from := now.Add(-ordersNow)
	if from.Before(u.onset) {
		from = u.onset
	}
	sum := func(list []ordered) (before, after float64, n int) {
		for _, o := range list {
			if v, ok := meanOf(o.Between(from, now.Add(time.Second))); ok {
				before, after, n = before+o.mean, after+v, n+1
			}
		}
		return before, after, n
	}
	before, after, n := sum(u.mine)
	restBefore, restAfter, controls := sum(u.rest)
	rhythm := 1.0
	if controls >= 3 && restBefore >= 1 {
		rhythm = min(4, max(0.25, restAfter/restBefore))
	}
	m := missing{Expected: before * rhythm, Stores: n}
	m.Chain, m.Lost = m.Expected+restAfter, m.Expected-after
	if n == 1 && u.mine[0].Store == "" {
		m.Stores = 0
	}
	if m.Lost < max(1, ordersSigmas*u.stray, ordersLeast*m.Expected) {
		m.Lost = 0
	}
	m.Lost = math.Round(m.Lost*10) / 10
	return m, n > 0
}

// setOrders keeps the greatest loss with its sentence.
func (inc *incident) setOrders(m missing) {
	if -m.Lost < inc.Impact.OrdersPerMin {
		inc.Impact.OrdersPerMin, inc.OrdersText = -m.Lost, m.text()
	}
}

// worst is how bad an incident was at its worst.
type worst struct {
	Severity ops.Severity `json:"severity"`
	Evidence string       `json:"evidence"`
	At       ops.Time     `json:"at"`
	Lost     float64      `json:"lost,omitempty"` // orders a minute
}

package changes

import (
	"math"
	"sync"
	"time"

	"goc/changes/rollup"
	"goc/ops"
)

// BudgetState is how a service stands against its objective.
type BudgetState struct {
	Service   string       `json:"service"`
	Objective float64      `json:"objective"`
	Stated    bool         `json:"stated,omitempty"` // the objective is the service's own
	Known     bool         `json:"known"`            // there were samples in the last minutes
	Left      float64      `json:"left"`             // share of the period's budget, negative when overspent
	Burn      float64      `json:"burn"`             // times too fast, over the shortest window
	Period    ops.Duration `json:"period"`
	Burning   []Burning    `json:"burning,omitempty"`
}

// Burning is a window over its limit.
type Burning struct {
	Short   ops.Duration `json:"short"`
	Long    ops.Duration `json:"long"`
	Limit   float64      `json:"limit"`
	InShort float64      `json:"in_short"` // burn over the short time
	InLong  float64      `json:"in_long"`
	Effect  string       `json:"effect"`
	Since   ops.Time     `json:"since"`
}

// budgets works out how services stand, each at most every few seconds.
type budgets struct {
	config ErrorBudget
	course *rollup.Rollup

	mu    sync.Mutex
	known map[string]standing
}

// standing is what was worked out last for one service.
type standing struct {
	at    time.Time
	state BudgetState
}

// freshFor is for how long it is not worked out again.
const freshFor = 5 * time.Second

func newBudgets(c ErrorBudget, course *rollup.Rollup) *budgets {
	return &budgets{config: c, course: course, known: map[string]standing{}}
}

// state is how a service stands at now; false when it has no objective.
func (b *budgets) state(s ops.Service, now time.Time) (BudgetState, bool) {
	objective, stated := b.config.objective(s)
	if objective == 0 {
		return BudgetState{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	last, ok := b.known[s.Name]
	if age := now.Sub(last.at); ok && age >= 0 && age < freshFor && last.state.Objective == objective {
		return last.state, true
	}
	state := stand(b.config, b.course, s, objective, last.state.Burning, now)
	state.Stated = stated
	b.known[s.Name] = standing{at: now, state: state}
	return state, true
}

// stand works out how a service stands. before is what burned last, for since when.
func stand(c ErrorBudget, course *rollup.Rollup, s ops.Service, objective float64, before []Burning, now time.Time) BudgetState {
	m := measure{course: course, key: rollup.Key{Service: s.Name, Indicator: c.indicator()}, allowed: 1 - objective, lower: goodLower(s, c.indicator())}
	windows := c.windows()
	out := BudgetState{Service: s.Name, Objective: objective, Period: ops.Duration(c.period())}
	out.Burn, out.Known = m.burn(time.Duration(windows[0].Short), now)
	out.Left = 1 - m.spent(c.period(), now)
	for _, w := range windows {
		short, seen := m.burn(time.Duration(w.Short), now)
		long, _ := m.burn(time.Duration(w.Long), now)
		if !seen || short <= w.Burn || long <= w.Burn {
			continue
		}
		out.Burning = append(out.Burning, Burning{
			Short: w.Short, Long: w.Long, Limit: w.Burn, InShort: round(short), InLong: round(long), Effect: w.Effect, Since: ops.At(m.since(w, before, now)),
		})
	}
	out.Left, out.Burn = round(out.Left), round(out.Burn)
	return out
}

// goodLower says whether an indicator counts failures rather than successes.
func goodLower(s ops.Service, indicator string) bool {
	for _, i := range s.Indicators {
		if i.Name == indicator {
			return i.Direction() == ops.GoodLower
		}
	}
	return ops.DirectionOf(indicator) == ops.GoodLower
}

// measure reads the share of failures off the course of an indicator.
type measure struct {
	course  *rollup.Rollup
	key     rollup.Key
	allowed float64 // share of failures that the objective allows
	lower   bool    // the indicator is the share of failures
}

// burn is how many times faster than allowed the budget was spent over the last d; false when there were no samples.
// Time without samples counts as time without failures: it is never worse than what was seen.
func (m measure) burn(d time.Duration, now time.Time) (float64, bool) {
	c := m.course.Recent(m.key, d, now)
	return m.failed(c) / m.allowed * float64(c.Covered) / float64(d), c.Samples > 0
}

// spent is the share of the period's budget that is used up.
func (m measure) spent(period time.Duration, now time.Time) float64 {
	if period <= rollup.MaxRecent {
		v, _ := m.burn(period, now)
		return v
	}
	c := m.course.Hours(m.key, period, now)
	return m.failed(c) / m.allowed * float64(c.Covered) / float64(period)
}

func (m measure) failed(c rollup.Course) float64 {
	if c.Samples == 0 {
		return 0
	}
	if m.lower {
		return min(max(c.Mean, 0), 1)
	}
	return min(max(1-c.Mean, 0), 1)
}

// since is since when a window burns: what was found the last time, else as far back as its own samples say.
func (m measure) since(w BurnWindow, before []Burning, now time.Time) time.Time {
	for _, b := range before {
		if b.Short == w.Short && b.Long == w.Long {
			return b.Since.Time
		}
	}
	t := now
	for step := now.Add(-rollup.Width); step.After(now.Add(-time.Duration(w.Long))); step = step.Add(-rollup.Width) {
		short, _ := m.burn(time.Duration(w.Short), step)
		if long, _ := m.burn(time.Duration(w.Long), step); short <= w.Burn || long <= w.Burn {
			break
		}
		t = step
	}
	return t.Truncate(time.Second)
}

// round keeps three digits behind the point, enough to act on.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }

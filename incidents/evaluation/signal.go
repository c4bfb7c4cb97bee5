package evaluation

import (
	"math"
	"time"

	"goc/ops"
)

// signal makes the samples of a chain in which something goes wrong.
type signal struct {
	dice
	chain   *chain
	trouble *trouble
	share   float64   // how much of everything is hit now
	drift   []float64 // of each service's latency
	orders  []float64 // a minute and store, when all is well
	out     []ops.Sample
	at      time.Time
}

func newSignal(seed uint64, c *chain, t *trouble) *signal {
	s := &signal{dice: newDice(seed, ofSignal), chain: c, trouble: t, drift: make([]float64, len(c.services))}
	for range c.stores {
		s.orders = append(s.orders, s.spread(1, 30))
	}
	return s
}

// at makes the samples of one time.
func (s *signal) sample(at time.Time) []ops.Sample {
	s.at, s.out = at, nil
	s.share = s.hitShare()
	for i := range s.chain.services {
		s.drift[i] = 0.97*s.drift[i] + 0.02*s.NormFloat64()
		s.ofService(i)
	}
	for _, i := range s.chain.fronts {
		s.byStore(i)
	}
	return s.out
}

// hitShare is the mean strength of the trouble over all units or stores.
func (s *signal) hitShare() float64 {
	t := s.trouble
	in, n := t.slots, 0
	switch {
	case len(t.slots) > 0:
		n = len(s.chain.services[t.origin].units)
	case len(t.stores) > 0:
		in, n = t.stores, len(s.chain.stores)
	default:
		return t.level(t.begins, s.at)
	}
	sum := 0.0
	for i := range n { // in order: sums of floats depend on it
		if since, ok := in[i]; ok {
			sum += t.level(since, s.at)
		}
	}
	return sum / float64(n)
}

// ofService makes the series of one service by unit: its own, or those of its callers.
func (s *signal) ofService(i int) {
	sv := &s.chain.services[i]
	callers := sv.callers
	if len(callers) == 0 {
		callers = []int{-1}
	}
	for n, caller := range callers {
		if n == 3 {
			break // what few callers do says enough
		}
		if sv.byCaller && caller >= 0 {
			for slot, u := range s.chain.services[caller].units {
				s.emit(i, caller, -1, slot, u)
			}
			continue
		}
		for slot, u := range sv.units {
			s.emit(i, caller, slot, -1, u)
		}
	}
}

// emit makes the samples of one pair of a callee and a caller, on one unit of either.
func (s *signal) emit(i, caller, slot, callerSlot int, u *unit) {
	name, ok := u.at(s.at)
	if !ok || s.lost() || s.mute(i, caller, slot, callerSlot) {
		return
	}
	o := ops.Sample{At: ops.At(s.at), Service: s.chain.services[i].name}
	if caller >= 0 {
		o.Caller = s.chain.services[caller].name
	}
	if callerSlot >= 0 {
		o.CallerUnit = name
	} else {
		o.Unit = name
	}
	x := s.strength(i, caller, slot, callerSlot)
	s.put(o, i, x, s.chain.services[i].rate)
}

// put draws the indicators of a service that is hit with strength x and gets rate calls a second there.
func (s *signal) put(o ops.Sample, i int, x, rate float64) {
	sv := &s.chain.services[i]
	p := sv.fails * math.Exp(0.25*s.chain.noise*s.NormFloat64())
	p = min(1, p+(1-p)*x*s.trouble.fails)
	calls := max(1, math.Round(rate*s.chain.interval.Seconds()))
	o.Indicator, o.Value = "success_ratio", 1-s.failing(p, calls)
	s.out = append(s.out, o)
	if !sv.measuresMs {
		return
	}
	slow := x * s.trouble.slows
	if s.trouble.origin >= 0 && s.trouble.origin != i { // what the callee takes longer, its caller takes longer
		slow *= s.chain.services[s.trouble.origin].latency / sv.latency
	}
	o.Indicator = "latency_seconds"
	o.Value = round6(sv.latency * (1 + slow) * math.Exp(s.drift[i]+sv.jitter*s.chain.noise*s.NormFloat64()/math.Sqrt(min(calls, 50))))
	s.out = append(s.out, o)
}

// failing is the measured share of calls that fail.
func (s *signal) failing(p, calls float64) float64 {
	mean := p * calls
	if mean > 30 {
		return max(0, min(1, (mean+math.Sqrt(mean*(1-p))*s.NormFloat64())/calls))
	}
	return min(1, float64(s.poisson(mean))/calls)
}

func (s *signal) lost() bool { return s.chain.gaps > 0 && s.chance(s.chain.gaps) }

// strength is how strong the trouble is on what one series measures.
func (s *signal) strength(i, caller, slot, callerSlot int) float64 {
	t := s.trouble
	reach := t.reach[i]
	switch {
	case t.client >= 0 && i == t.client && caller == t.origin:
		return s.onSlot(callerSlot)
	case reach == 0:
		return 0
	case i != t.origin:
		return reach * s.share
	case t.caller >= 0 && caller >= 0 && caller != t.caller:
		return 0
	}
	return s.onSlot(slot)
}

// onSlot is how strong the trouble is on a unit of its origin; -1 is all of them together.
func (s *signal) onSlot(slot int) float64 {
	if slot < 0 || len(s.trouble.slots) == 0 {
		return s.share
	}
	since, ok := s.trouble.slots[slot]
	if !ok {
		return 0
	}
	return s.trouble.level(since, s.at)
}

// mute says whether the unit of a series says nothing, because it crashed.
func (s *signal) mute(i, caller, slot, callerSlot int) bool {
	t := s.trouble
	if !t.silent {
		return false
	}
	if i != t.origin {
		slot = -1
	}
	if caller == t.origin && callerSlot >= 0 {
		slot = callerSlot
	}
	return slot >= 0 && s.onSlot(slot) > 0
}

// byStore makes the series of one service by store.
func (s *signal) byStore(i int) {
	t := s.trouble
	for n := range s.chain.stores {
		since, hit := t.stores[n]
		x := t.reach[i] * s.share
		if hit {
			x = t.reach[i] * t.level(since, s.at)
		} else if len(t.stores) > 0 {
			x = 0
		}
		if s.lost() || hit && t.dark && t.level(since, s.at) > 0 {
			continue
		}
		sv := &s.chain.services[i]
		o := ops.Sample{At: ops.At(s.at), Service: sv.name, Store: s.chain.stores[n].ID}
		s.put(o, i, x, max(2, sv.rate*float64(len(sv.units))/float64(len(s.chain.stores))))
		if i == s.chain.fronts[0] && s.chain.rules.orders {
			per := s.chain.interval.Minutes()
			o.Indicator, o.Value = "orders_per_min", float64(s.poisson(s.orders[n]*per*(1-x*t.fails)))/per
			s.out = append(s.out, o)
		}
	}
}

// at is the name of the unit's instance at a time, false between two.
func (u *unit) at(now time.Time) (string, bool) {
	for i := len(u.names) - 1; i >= 0; i-- {
		n := u.names[i]
		if !now.Before(n.from) && (n.gone.IsZero() || now.Before(n.gone)) {
			return n.name, true
		}
	}
	return "", false
}

func round6(x float64) float64 { return math.Round(x*1e6) / 1e6 }

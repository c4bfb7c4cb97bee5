package simulate

import (
	"strings"
	"time"

	"goc/ops"
)

// moment is when a beat is sent: what a scenario decides by.
type moment struct {
	at       time.Duration // since the run began
	run      time.Duration // how long it takes in all
	interval time.Duration // from one beat of a device to the next
	unixMs   int64
}

// effect is what the scenarios make of one device.
type effect struct {
	silent bool
	fresh  bool  // it says the new firmware
	skewMs int64 // how far its clock is ahead
}

// rush is when those that a scenario touches all beat at once, on connections of their own.
type rush struct {
	at      time.Duration
	backlog int // beats that each had to keep to itself, and sends now
}

// scenario is one kind of trouble.
type scenario struct {
	Name, Text string

	share float64 // of the fleet that it falls on
	of    func(f *fleet, m *moment, store, device int, e *effect)
	hits  func(f *fleet, store int) bool // whether a rush takes this store
	rush  func(run, interval time.Duration) rush
}

// Purposes of chance: one for each choice that must not depend on another.
const (
	byFlap = iota + 1
	byPhase
	byRollout
	bySkew
)

// scenarios lists every kind of trouble; share is that of the fleet that it falls on.
func scenarios(share float64) []scenario {
	cut := func(f *fleet, store int) bool { return float64(f.city(store)) < share*cityCount }
	return []scenario{
		{
			Name: "steady", Text: "all beat on time",
			of: func(*fleet, *moment, int, int, *effect) {},
		},
		{
			Name: "power-cut", Text: "cities go dark at a quarter of the time, and come back all at once at half", share: share,
			of: func(f *fleet, m *moment, store, _ int, e *effect) {
				e.silent = e.silent || cut(f, store) && m.at >= m.run/4 && m.at < m.run/2
			},
			hits: cut,
			rush: func(run, _ time.Duration) rush { return rush{at: run / 2} },
		},
		{
			Name: "firmware", Text: "firmware " + freshFirmware + " goes to the POS of some stores from a quarter of the time to half; each says so once and is silent until three quarters, when the old one is back", share: share,
			of: rollOut(share),
		},
		{
			Name: "flapping", Text: "the links of some stores come and go: up for three beats' time, gone for three", share: share,
			of: func(f *fleet, m *moment, store, _ int, e *effect) {
				if f.chance(byFlap, uint64(store)) >= share {
					return
				}
				phase := time.Duration(f.chance(byPhase, uint64(store)) * float64(6*m.interval))
				e.silent = e.silent || (m.at+phase)%(6*m.interval) >= 3*m.interval
			},
		},
		{
			Name: "clock-skew", Text: "the clocks of some devices run wrong: some ten minutes ahead, some two hours behind, a few ten years off, which a server refuses", share: share,
			of: func(f *fleet, _ *moment, _, device int, e *effect) {
				if c := f.chance(bySkew, uint64(device)) / share; c < 1 {
					e.skewMs = skewOf(c)
				}
			},
		},
		{
			Name: "herd", Text: "the server is lost to all for two beats' time until half, and then all come back at once, each on a new connection and with what it had to keep", share: 1,
			of: func(_ *fleet, m *moment, _, _ int, e *effect) {
				e.silent = e.silent || m.at < m.run/2 && m.at >= m.run/2-min(2*m.interval, m.run/4)
			},
			hits: func(*fleet, int) bool { return true },
			rush: func(run, interval time.Duration) rush { return rush{at: run / 2, backlog: 2} },
		},
	}
}

// rollOut puts a firmware on the POS of a share of the stores, one store after another. The first beat after it tells;
// there is none after that until three quarters of the run.
func rollOut(share float64) func(f *fleet, m *moment, store, device int, e *effect) {
	return func(f *fleet, m *moment, store, device int, e *effect) {
		if m.at < m.run/4 || m.at >= m.run/4*3 || f.kinds[device%f.perStore] != 0 {
			return
		}
		turn := f.chance(byRollout, uint64(store)) / share
		installed := m.run/4 + time.Duration(turn*float64(m.run/4))
		if turn >= 1 || m.at < installed {
			return
		}
		e.fresh = true
		e.silent = e.silent || m.at >= installed+m.interval
	}
}

// skewOf is by how many ms a clock is wrong, for a chance in [0, 1).
func skewOf(c float64) int64 {
	wrong := -2 * time.Hour
	switch {
	case c < 0.02:
		wrong = -10 * 365 * 24 * time.Hour
	case c < 0.5:
		wrong = 10 * time.Minute
	}
	return wrong.Milliseconds()
}

// Scenarios lists the names of all scenarios.
func Scenarios() (names []string) {
	for _, s := range scenarios(1) {
		names = append(names, s.Name)
	}
	return names
}

// pick finds scenarios by name.
func pick(names []string, share float64) (out []scenario, err error) {
next:
	for _, name := range names {
		for _, s := range scenarios(share) {
			if s.Name == name {
				out = append(out, s)
				continue next
			}
		}
		return nil, ops.Errorf(ops.Invalid, "there is no scenario %q", name).At("scenario").WithHint("there are " + strings.Join(Scenarios(), ", "))
	}
	return out, nil
}

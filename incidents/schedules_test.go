package incidents_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

var oneSeed = flag.Int64("seed", -1, "run only this seed of TestRandomSchedules")

// seeds is how many schedules run; a hundredth of them with -short.
const seeds = 10_000

// TestRandomSchedules lets random faults with known causes happen in random chains while alerts come late, twice and out
// of order, people act, silences begin and end, and the program restarts. After each step: no alert is lost, each is in
// one incident and has a reason, what was told as firing is told as resolved, no clock runs backwards, what people
// decided stays, and the same inputs gave the same outputs. In the end nothing stays open.
func TestRandomSchedules(t *testing.T) {
	if *oneSeed >= 0 {
		if err := runSeed(uint64(*oneSeed)); err != nil {
			t.Fatal(err)
		}
		return
	}
	n := int64(seeds)
	if testing.Short() {
		n /= 100
	}
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := next.Add(1) - 1; seed < n && failed.Load() < 3; seed = next.Add(1) - 1 {
				if err := runSeed(uint64(seed)); err != nil {
					failed.Add(1)
					t.Errorf("seed %d: %v\nrun it again: go test ./incidents -run TestRandomSchedules -seed %d", seed, err, seed)
				}
			}
		})
	}
	wg.Wait()
}

// runSeed runs one schedule and answers what went wrong.
func runSeed(seed uint64) (err error) {
	var s *schedule
	defer func() {
		switch p := recover().(type) {
		case nil:
		case broken:
			err = fmt.Errorf("after %s: %s", s.now.Sub(midnight), string(p))
		default:
			panic(fmt.Sprintf("seed %d: %v", seed, p))
		}
	}()
	r := rand.New(rand.NewPCG(seed, 1))
	w := makeUp(seed, seed%50 == 0, 1+r.IntN(4), length)
	s = newSchedule(randomConfig(r), w.cat, seed%4 == 0)
	for _, h := range w.plan {
		for s.now.Before(midnight.Add(h.at)) && r.IntN(8) == 0 { // something else comes first
			s.now = s.now.Add(time.Duration(r.Int64N(midnight.Add(h.at).Sub(s.now).Milliseconds()+1)) * time.Millisecond)
			s.disturb(r)
		}
		s.now = maxAt(s.now, midnight.Add(h.at))
		s.step(h.in)
	}
	s.end()
	return nil
}

func maxAt(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// randomConfig draws short times, so that much happens, and narrow bounds, so that they are met.
func randomConfig(r *rand.Rand) engine.Config {
	c := engine.Config{RecoverHold: 20 * time.Second, ResolveAfter: 2 * time.Minute, RefireAfter: time.Minute, ReopenWithin: time.Minute}
	if r.IntN(2) == 0 {
		c.MaxListed = 3
	}
	if r.IntN(8) == 0 {
		c.MaxActive = 3
	}
	if r.IntN(2) == 0 {
		c.Window = time.Minute
	}
	return c
}

// disturb lets something happen that is no fault: time, a restart, a silence, or what a person does.
func (s *schedule) disturb(r *rand.Rand) {
	who := ops.Principal{Name: "ann", Role: ops.Responder}
	switch r.IntN(10) {
	case 0:
		s.step(engine.Tick{})
	case 1:
		s.restart()
	case 2:
		key, value := "service", []string{"s0-.*", "db-1", ".*-1"}[r.IntN(3)]
		if r.IntN(3) == 0 {
			key, value = "alertname", "StoreDark"
		}
		s.step(engine.PutSilence{Who: who, Silence: ops.Silence{Matchers: []ops.Matcher{{Name: key, Value: value, IsRegex: true, IsEqual: true}}, EndsAt: ops.At(s.now.Add(time.Duration(30+r.IntN(120)) * time.Second))}})
	case 3:
		s.step(engine.Declare{Who: who, Declaration: ops.Declaration{Title: "customers phone", Scope: ops.Scope{Service: []string{s.cat.Services[r.IntN(len(s.cat.Services))].Name}}}})
	case 4, 5, 6:
		s.regroup(r, who)
	default:
		do := []string{"acknowledge", "mitigate", "resolve", "reopen", "note", "severity", "judge"}[r.IntN(7)]
		out := s.step(engine.Action{Do: do, Who: who, ID: s.anyIncident(r), Note: "x", Severity: ops.P2, Change: []string{"CHG-1", engine.NoChange}[r.IntN(2)], Confirmed: r.IntN(2) == 0})
		if do == "reopen" && out.Err == nil {
			s.byHand[out.Incident] = true
		}
	}
}

func (s *schedule) anyIncident(r *rand.Rand) string {
	return fmt.Sprint("INC-", 1+r.IntN(len(s.latest)+1))
}

// regroup has a person split an incident, take alerts out of it, or merge it, and remembers what was decided.
func (s *schedule) regroup(r *rand.Rand, who ops.Principal) {
	id, into := s.anyIncident(r), s.anyIncident(r)
	if r.IntN(3) == 0 {
		s.merge(engine.Action{Do: "merge", Who: who, ID: id, Into: into})
		return
	}
	var chosen []string
	for _, a := range s.alerts {
		if a.Incident == id {
			chosen = append(chosen, a.Fingerprint)
		}
	}
	slices.Sort(chosen)
	r.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	chosen = chosen[:r.IntN(len(chosen)+1)]
	s.takeOut(engine.Action{Do: []string{"split", "unlink"}[r.IntN(2)], Who: who, ID: id, Alerts: chosen})
}

// takeOut splits or unlinks. What was decided holds from this step on.
func (s *schedule) takeOut(in engine.Action) {
	before := map[string]string{}
	for _, fp := range in.Alerts {
		if inc, put := s.together[fp]; put {
			before[fp] = inc
		}
		delete(s.together, fp)
	}
	out := s.step(in)
	for _, fp := range in.Alerts {
		switch {
		case out.Err != nil:
			if inc, put := before[fp]; put {
				s.together[fp] = inc
			}
			continue
		case s.out[fp] == nil:
			s.out[fp] = map[string]struct{}{}
		}
		s.out[fp][in.ID] = struct{}{}
		if _, fires := s.firing[fp]; fires && in.Do == "split" {
			s.together[fp] = out.Incident
		}
		s.checkAlert(fp)
	}
}

// merge makes two incidents one: the newer word, against which nothing that was decided before holds.
func (s *schedule) merge(in engine.Action) {
	held, put := s.out, s.together
	s.out, s.together = map[string]map[string]struct{}{}, map[string]string{}
	out := s.step(in)
	s.out, s.together = held, put
	for _, a := range s.alerts {
		if out.Err != nil || a.Incident != in.Into {
			continue
		}
		for inc := range s.out[a.Fingerprint] {
			if s.root(inc) == in.Into {
				delete(s.out[a.Fingerprint], inc)
			}
		}
		if a.Status == ops.Firing {
			s.together[a.Fingerprint] = in.Into
		}
	}
	for fp := range s.firing {
		s.checkAlert(fp)
	}
}

// end lets every lease end and every incident be resolved, and looks at what is left.
func (s *schedule) end() {
	for range 40 {
		s.now = s.now.Add(30 * time.Second)
		s.step(engine.Tick{})
	}
	for fp, n := range s.told {
		if n != 0 {
			wrong("alert %s was told as firing and never as resolved", fp)
		}
	}
	for id, inc := range s.latest {
		if inc.State.Active() && inc.AlertsTotal > 0 && !s.byHand[id] {
			wrong("%s is still %s: nothing fires in it for %s", id, inc.State, ops.Since(10*time.Minute))
		}
	}
}

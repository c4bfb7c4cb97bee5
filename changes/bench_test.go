package changes_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"goc/changes"
	"goc/changes/policy"
	"goc/ops"
)

// quiet is a journal that keeps nothing: the benchmark measures the gate, not the disk.
type quiet struct{ done *ops.Receipt }

func (q quiet) Append(ops.Mutation) *ops.Receipt                         { return q.done }
func (quiet) Load(context.Context, string, func(ops.Record) error) error { return nil }

// loaded is a gate with n changes on record, a tenth of them open, and freezes of which a twentieth is closed now.
func loaded(b *testing.B, n, freezes int) *changes.Service {
	return loadedAt(b, n, freezes, func() time.Time { return monday }, func(int) {})
}

// loadedAt does so by a clock that step moves before each change.
func loadedAt(b *testing.B, n, freezes int, clock func() time.Time, step func(i int)) *changes.Service {
	done := ops.NewReceipt()
	done.Settle(nil, nil)
	incidents := []ops.Incident{{ID: "INC-1", Title: "slow", Severity: ops.P3, State: ops.IncidentOpen, Scope: ops.Scope{Service: []string{"cart"}}}}
	s, err := changes.New(b.Context(), changes.Options{
		Catalog: catalog(b), Journal: quiet{done}, Now: clock, Config: everyRule(),
		Incidents: func() []ops.Incident { return incidents },
	})
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		step(i)
		c, err := s.Record(b.Context(), ci, ops.Change{
			Kind: ops.KindRelease, Title: "release", Service: []string{"pay", "cart"}[i%2], Version: fmt.Sprint(i),
			Scope: ops.Scope{Store: []string{[]string{"SH-1", "SH-2", "BJ-1"}[i%3]}}, Stages: []ops.Stage{{Name: "ring 1"}, {Name: "ring 2"}},
		})
		if err != nil {
			b.Fatal(err)
		}
		if i%10 > 0 {
			s.Event(b.Context(), ci, c.ID, ops.ChangeEvent{Event: "start"})
			s.Event(b.Context(), ci, c.ID, ops.ChangeEvent{Event: "finish"})
		}
	}
	for i := range freezes {
		f := ops.Freeze{Name: fmt.Sprint("freeze ", i), Schedule: schedule("0 2 * * *", "Asia/Shanghai", time.Hour)}
		if i%20 == 0 {
			f = ops.Freeze{Name: fmt.Sprint("freeze ", i), From: ops.At(monday), To: ops.At(monday.Add(time.Hour)), Scope: ops.Scope{City: []string{"Beijing"}}}
		}
		if _, err := s.AddFreeze(b.Context(), commander, f); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// BenchmarkCheck is one CI job after another asking; p50-ns and p99-ns are of single questions.
func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("%d changes, 1000 freezes, every rule, 200 policies", n), func(b *testing.B) {
			s := loaded(b, n, 1000)
			var took []time.Duration
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				i++
				began := time.Now()
				if _, err := s.Check(context.Background(), ci, ops.GateRequest{ChangeID: fmt.Sprintf("CHG-%d", 1+i*7919%n), Stage: 1}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			report(b, took)
		})
	}
}

// BenchmarkCheckByManyJobs is 32 jobs asking at once.
func BenchmarkCheckByManyJobs(b *testing.B) {
	s := loaded(b, 10_000, 100)
	var mu sync.Mutex
	var took []time.Duration
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		var mine []time.Duration
		for i := 1; pb.Next(); i++ {
			began := time.Now()
			if _, err := s.Check(context.Background(), ci, ops.GateRequest{ChangeID: fmt.Sprintf("CHG-%d", 1+i*7919%10_000), Stage: 1}); err != nil {
				b.Error(err)
			}
			mine = append(mine, time.Since(began))
		}
		mu.Lock()
		took = append(took, mine...)
		mu.Unlock()
	})
	report(b, took)
}

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
}

// everyRule is a configuration with all rules on, and 200 policies of which a tenth concerns a release of pay.
func everyRule() changes.Config {
	floor := 0.5
	c := changes.Config{
		ErrorBudget: changes.ErrorBudget{Services: map[string]changes.Objective{"pay": {Objective: 0.999}}},
		Collision:   changes.Collision{Effect: ops.EffectWait},
		MaxShare:    changes.MaxShare{City: 0.9, Region: 0.9, All: 0.9},
		Reviews:     []changes.ReviewRule{{Tier: []string{"T0"}, Risk: []string{"high"}, Need: changes.Reviews[:]}},
		Rollback:    changes.RollbackRule{Required: changes.RollbackRequired{Risk: []string{"high"}}, RehearsedWithin: ops.Duration(30 * 24 * time.Hour)},
		Approvals:   map[string]changes.ApprovalRule{"high": {Need: 1}},
		RedLines:    []changes.RedLine{{Name: "payments", Service: "pay", Indicator: "success_ratio", Below: &floor}},
		Timezone:    "Asia/Shanghai", MaxFreezes: 2000,
	}
	for i := range 200 {
		p := ops.GatePolicy{Name: fmt.Sprint("policy-", i), Expr: fmt.Sprintf(`change.service == "svc-%d" && change.risk == "high" && local.hour > 20`, i)}
		switch i % 10 {
		case 0:
			p.Expr = `change.risk == "high" && (local.hour < 9 || local.hour > 20)`
		case 1:
			p = ops.GatePolicy{Name: p.Name, Kinds: []ops.ChangeKind{ops.KindFirmware}, Expr: `local.weekday == 5`}
		case 2:
			p = ops.GatePolicy{Name: p.Name, Scope: ops.Scope{City: []string{"Beijing"}}, Expr: `local.weekday == 5`}
		}
		c.Policies = append(c.Policies, p)
	}
	return c
}

// BenchmarkDecide is the decision alone: no journal, no signature.
func BenchmarkDecide(b *testing.B) {
	for _, freezes := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%d freezes", freezes), func(b *testing.B) {
			c := catalog(b)
			state := changes.State{Catalog: c, Freezes: manyFreezes(b, c, freezes), Incidents: []ops.Incident{{ID: "INC-1", Severity: ops.P3, State: ops.IncidentOpen, Scope: ops.Scope{Service: []string{"pay"}}}}}
			change := staged()
			change.ID, change.Scope.Store = "CHG-1", []string{"SH-1"}
			decideOften(b, change, state, ops.EffectWait)
		})
	}
	b.Run("every rule, 1000 freezes, 200 policies, 300 changes under way", func(b *testing.B) {
		request, state := crowded(b)
		decideOften(b, request.Change, state, ops.EffectWait)
	})
}

// crowded is a request that every rule has to look at.
func crowded(tb testing.TB) (changes.Request, changes.State) {
	tb.Helper()
	c, config := catalog(tb), everyRule()
	set, err := policy.Compile(config.Policies, "policies")
	if err != nil {
		tb.Fatal(err)
	}
	zone, _ := time.LoadLocation("Asia/Shanghai")
	state := changes.State{
		Config: config, Catalog: c, Freezes: manyFreezes(tb, c, 1000), Flight: changes.NewFlight(c), Policies: set, Zone: zone,
		Incidents: []ops.Incident{{ID: "INC-1", Title: "slow", Severity: ops.P3, State: ops.IncidentOpen, Scope: ops.Scope{Service: []string{"pay"}}}},
		Budgets:   []changes.BudgetState{{Service: "pay", Objective: 0.999, Stated: true, Known: true, Left: 0.8, Burn: 0.4, Period: ops.Duration(30 * 24 * time.Hour)}},
		Approvals: []ops.Approval{{ChangeID: "CHG-1", Person: "Li"}},
		Rehearsed: func(string) changes.Rehearsal { return changes.Rehearsal{Known: true, At: monday.Add(-time.Hour)} },
	}
	for i := range 300 {
		f := release(fmt.Sprint("svc-", i), "BJ-1")
		f.ID, f.Status, f.StartedAt, f.UpdatedAt = fmt.Sprint("CHG-", i+2), ops.ChangeStarted, ops.At(monday), ops.At(monday)
		state.Flight.Put(nil, &f)
	}
	change := staged()
	change.ID, change.Risk, change.Rollback, change.Reviews = "CHG-1", "high", "undo", map[string]string{}
	for _, n := range changes.Reviews {
		change.Reviews[n] = "https://wiki/" + n
	}
	return changes.Request{Change: change, Stage: 1, Who: ci}, state
}

func decideOften(b *testing.B, change ops.Change, state changes.State, want string) {
	took := make([]time.Duration, 0, 1<<22) // before anything is counted
	b.ReportAllocs()
	began := cpuTime(b)
	for b.Loop() {
		asked := time.Now()
		if d := changes.Decide(changes.Request{Change: change, Stage: 1, Who: ci}, state, monday); d.Decision != want {
			b.Fatal(d)
		}
		took = append(took, time.Since(asked))
	}
	b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/op")
	report(b, took)
}

// cpuTime is what this process has used of the processors, which says more than the clock where others use them too.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// manyFreezes are freezes of which a twentieth is closed, in a city of their own.
func manyFreezes(tb testing.TB, c *ops.Catalog, n int) *changes.Freezes {
	var list []*changes.Freeze
	for i := range n {
		f := ops.Freeze{ID: fmt.Sprint("FRZ-", i), Name: "f", Schedule: schedule("0 2 * * *", "Asia/Shanghai", time.Hour)}
		if i%20 == 0 {
			f = ops.Freeze{ID: fmt.Sprint("FRZ-", i), Name: "f", From: ops.At(monday), To: ops.At(monday.Add(time.Hour)), Scope: ops.Scope{City: []string{"Beijing"}}}
		}
		compiled, err := changes.CompileFreeze(f, c)
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, compiled)
	}
	return changes.NewFreezes(list)
}

func BenchmarkList(b *testing.B) {
	s := loaded(b, 100_000, 0)
	for b.Loop() {
		if page, err := s.List(context.Background(), ops.ChangeQuery{Status: ops.ChangePlanned, Store: "SH-1", Service: "pay"}); err != nil || len(page.Items) != 100 {
			b.Fatal(len(page.Items), err)
		}
	}
}

func BenchmarkCalendar(b *testing.B) {
	s := loaded(b, 0, 0)
	for i := range 1000 {
		f := ops.Freeze{Name: fmt.Sprint(i), Schedule: schedule(fmt.Sprintf("0 %d %d %d *", i%24, 1+i%28, 1+i%12), "Asia/Shanghai", time.Hour)}
		if _, err := s.AddFreeze(b.Context(), commander, f); err != nil {
			b.Fatal(err)
		}
	}
	var took []time.Duration
	for b.Loop() {
		asked := time.Now()
		if spans, err := s.Calendar(context.Background(), monday, monday.Add(365*24*time.Hour)); err != nil || len(spans) != 1000 {
			b.Fatal(len(spans), err)
		}
		took = append(took, time.Since(asked))
	}
	report(b, took)
}

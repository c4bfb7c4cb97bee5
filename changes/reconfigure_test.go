package changes_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"goc/changes"
	"goc/ops"
)

// flagged is a decision about a flag, as told shows it.
func (r *room) flagged() string {
	return told(r.check(ci, ops.GateRequest{Change: &ops.Change{Kind: ops.KindFlag, Title: "f"}}))
}

func TestNewRulesAreInForceAtOnceAndBadOnesChangeNothing(t *testing.T) {
	r := open(t, changes.Config{})
	cat := catalog(t)
	noFlags := ops.GatePolicy{Name: "no-flags", Expr: `change.kind == "flag"`}
	if err := r.Reconfigure(changes.Config{Policies: []ops.GatePolicy{noFlags}, Retry: ops.Duration(90 * time.Second)}, cat); err != nil {
		t.Fatal(err)
	}
	if got := r.flagged(); got != "deny: policy:no-flags deny" {
		t.Fatalf("with a policy: %s", got)
	}
	for name, c := range map[string]changes.Config{
		"a misspelt field":    {Policies: []ops.GatePolicy{{Name: "p", Expr: `change.kidn == "flag"`}}},
		"an unknown zone":     {Timezone: "Mars/Olympus"},
		"a limit that is off": {Valid: ops.Duration(time.Second)},
	} {
		err := r.Reconfigure(c, cat)
		refused(t, err, ops.Invalid)
		if got := r.flagged(); got != "deny: policy:no-flags deny" {
			t.Errorf("after %s: %s", name, got)
		}
	}
	if err := r.Reconfigure(changes.Config{Approvals: map[string]changes.ApprovalRule{"medium": {Need: 1}}}, cat); err != nil {
		t.Fatal(err)
	}
	if got := r.flagged(); got != "wait: approval wait" {
		t.Errorf("with approvals in its place: %s", got)
	}
}

func TestPoliciesThatStayKeepTheirCounts(t *testing.T) {
	broken := ops.GatePolicy{Name: "broken", Expr: `change.labels["x"] == "y"`, OnError: "allow"}
	r := open(t, changes.Config{Policies: []ops.GatePolicy{broken}})
	r.flagged()
	if err := r.Reconfigure(changes.Config{Policies: []ops.GatePolicy{broken}, Bake: ops.Duration(time.Minute)}, catalog(t)); err != nil {
		t.Fatal(err)
	}
	if got, _ := r.Rules(context.Background()); got.Policies[0].Errors != 1 {
		t.Errorf("%+v, want the error that was counted before", got.Policies)
	}
}

func TestARedLineThatIsTakenOutWhileItIsCrossedIsOver(t *testing.T) {
	busy := changes.RedLine{Name: "busy", Changing: 0.1}
	for name, end := range map[string]func(*room){
		"by a reload": func(r *room) {
			if err := r.Reconfigure(changes.Config{Retry: ops.Duration(time.Minute)}, catalog(t)); err != nil {
				t.Fatal(err)
			}
		},
		"while the program did not run": func(r *room) { r.config = changes.Config{}; r.reopen() },
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, changes.Config{RedLines: []changes.RedLine{busy}})
			c := r.record(ci, ops.Change{Kind: ops.KindPrice, Title: "everywhere"})
			r.event(ci, c.ID, ops.ChangeEvent{Event: "start"})
			r.look(t)
			if got, _ := r.Rules(context.Background()); !got.RedLines[0].Crossed {
				t.Fatal("it is not crossed")
			}
			end(r)
			r.look(t)
			if last := r.journal.last(); last.Name != "gate.red_line" || !strings.Contains(string(last.Data), `"crossed":false`) {
				t.Errorf("the last event is %s %s", last.Name, last.Data)
			}
			if got := r.flagged(); strings.Contains(got, "red_line") {
				t.Errorf("it still holds: %s", got)
			}
		})
	}
}

// look lets the room look at its red lines, some seconds later.
func (r *room) look(t *testing.T) {
	t.Helper()
	r.at = r.at.Add(10 * time.Second)
	if err := r.Tick(context.Background(), r.at); err != nil {
		t.Fatal(err)
	}
}

func TestWhatBudgetsAreMeasuredOverTakesARestart(t *testing.T) {
	day := ops.Duration(24 * time.Hour)
	old := changes.Config{ErrorBudget: changes.ErrorBudget{Objective: 0.99}}
	for name, c := range map[string]struct {
		budget changes.ErrorBudget
		want   string
	}{
		"another objective":         {changes.ErrorBudget{Objective: 0.999}, ""},
		"the defaults, written out": {changes.ErrorBudget{Indicator: "success_ratio", Period: 30 * day}, ""},
		"another period":            {changes.ErrorBudget{Period: day}, "gate.error_budget.period"},
		"other windows":             {changes.ErrorBudget{Windows: []changes.BurnWindow{{Short: day, Long: day, Burn: 1, Effect: "deny"}}}, "gate.error_budget.windows"},
		"another indicator":         {changes.ErrorBudget{Indicator: "orders"}, "gate.error_budget.indicator"},
	} {
		if got := strings.Join(old.TakesRestart(changes.Config{ErrorBudget: c.budget}), " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestDecisionsGoOnWhileRulesChange(t *testing.T) {
	r := open(t, changes.Config{})
	cat := catalog(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if d, err := r.Check(context.Background(), ci, ops.GateRequest{Change: &ops.Change{Kind: ops.KindFlag, Title: "f"}}); err != nil || d.Decision == "" {
					t.Errorf("%+v %v", d, err)
				}
			}
		})
	}
	for i := range 20 {
		need := map[string]changes.ApprovalRule{"medium": {Need: i % 2}}
		if err := r.Reconfigure(changes.Config{Approvals: need, RedLines: []changes.RedLine{{Name: "busy", Changing: 0.9}}}, cat); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

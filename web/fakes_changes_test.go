package web_test

import (
	"context"
	"slices"
	"strconv"
	"time"

	"goc/ops"
)

// changeRoom is the room of changes and the gate.
type changeRoom struct{ *rooms }

func (r changeRoom) List(_ context.Context, q ops.ChangeQuery) (ops.List[ops.Change], error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ops.List[ops.Change]{Items: slices.Clone(r.changes[:min(len(r.changes), q.Size())])}, nil
}

func (r changeRoom) Get(_ context.Context, id string) (ops.Change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.changes {
		if c.ID == id {
			return c, nil
		}
	}
	return ops.Change{}, ops.Errorf(ops.NotFound, "no such change")
}

func (r changeRoom) Record(_ context.Context, who ops.Principal, c ops.Change) (ops.Change, error) {
	if r.slow != nil {
		r.entered <- struct{}{}
		<-r.slow
	}
	r.mu.Lock()
	c.ID = "CHG-" + strconv.Itoa(len(r.changes)+1)
	c.Status = ops.ChangePlanned
	r.changes = append(r.changes, c)
	r.mu.Unlock()
	r.j.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(start), "change.recorded", "changes", c.ID, who.Name, map[string]any{"text": c.Title})}})
	return c, nil
}

func (r changeRoom) Event(ctx context.Context, _ ops.Principal, id string, _ ops.ChangeEvent) (ops.Change, error) {
	return r.Get(ctx, id)
}

func (r changeRoom) Overrides(context.Context, bool) ([]ops.Override, error) { return nil, nil }

func (r changeRoom) ReviewOverride(_ context.Context, _ ops.Principal, id string, _ ops.OverrideReview) (ops.Override, error) {
	return ops.Override{ID: id}, nil
}

func (r changeRoom) Hygiene(context.Context) (ops.GateHygiene, error) {
	return ops.GateHygiene{Items: []ops.HygieneItem{}}, nil
}

func (r changeRoom) Matrix(_ context.Context, id string) (ops.RolloutMatrix, error) {
	return ops.RolloutMatrix{ChangeID: id, Cells: []ops.RolloutCell{}, Counts: map[ops.StoreState]int{}}, nil
}

func (r changeRoom) Check(_ context.Context, _ ops.Principal, q ops.GateRequest) (ops.Decision, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = q
	return ops.Decision{Decision: r.decision, DecisionID: "D-1"}, nil
}

func (r changeRoom) Approve(_ context.Context, _ ops.Principal, a ops.Approval) (ops.Approval, error) {
	return a, nil
}

func (r changeRoom) Override(_ context.Context, _ ops.Principal, o ops.Override) (ops.Override, error) {
	return o, nil
}
func (r changeRoom) Freezes(context.Context) ([]ops.Freeze, error) { return nil, nil }
func (r changeRoom) AddFreeze(_ context.Context, _ ops.Principal, f ops.Freeze) (ops.Freeze, error) {
	f.ID = "FRZ-1"
	return f, nil
}

func (r changeRoom) ImportFreezes(context.Context, ops.Principal, ops.FreezeImport) (ops.FreezeImported, error) {
	return ops.FreezeImported{Added: 1}, nil
}

func (r changeRoom) Evidence(ctx context.Context, _ ops.Principal, id string, _ map[string]string) (ops.Change, error) {
	return r.Get(ctx, id)
}

func (r changeRoom) Standing(_ context.Context, who ops.Principal, id string) (ops.GateStanding, error) {
	if id != "CHG-1" {
		return ops.GateStanding{}, ops.Errorf(ops.NotFound, "no change of that id is on record")
	}
	return ops.GateStanding{ChangeID: id, Decision: "wait", Reasons: []ops.Reason{}, Approvals: []ops.Approval{}, Counting: []string{}, Reviews: []ops.Review{}, Why: "for " + who.Name}, nil
}

func (r changeRoom) Held(ctx context.Context, who ops.Principal) ([]ops.GateStanding, error) {
	st, err := r.Standing(ctx, who, "CHG-1")
	return []ops.GateStanding{st}, err
}

func (r changeRoom) Rules(context.Context) (ops.GateRules, error) {
	return ops.GateRules{Policies: []ops.PolicyStanding{}, RedLines: []ops.RedLineState{}, Budgets: []ops.BudgetLeft{}}, nil
}

func (r changeRoom) Maintenance(context.Context) (ops.GateMaintenance, error) {
	return ops.GateMaintenance{}, nil
}

func (r changeRoom) Key(context.Context) (ops.GateKey, error) {
	return ops.GateKey{Type: "OKP", Curve: "Ed25519", X: "x"}, nil
}

func (r changeRoom) Absent(_ context.Context, _ ops.Principal, a ops.GateAbsence) (ops.GateAbsence, error) {
	return a, nil
}

func (r changeRoom) Maintain(_ context.Context, _ ops.Principal, m ops.GateMaintenance) (ops.GateMaintenance, error) {
	return m, nil
}

func (r changeRoom) DryRunPolicy(_ context.Context, t ops.PolicyTrial) (ops.PolicyDryRun, error) {
	return ops.PolicyDryRun{Policy: t.Policy.Name}, nil
}

func (r changeRoom) LiftFreeze(context.Context, ops.Principal, string) error { return nil }
func (r changeRoom) Calendar(context.Context, time.Time, time.Time) ([]ops.FreezeSpan, error) {
	return nil, nil
}

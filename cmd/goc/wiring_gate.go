package main

import (
	"context"
	"encoding/json"
	"time"

	"goc/changes"
	"goc/ops"
)

// gateOptions are what the gate needs of the other rooms.
func (a *app) gateOptions() changes.Options {
	return changes.Options{
		Config: a.cfg.Gate, Catalog: &a.cfg.Catalog.Catalog, Journal: a.store, Registerer: a.registry, Logger: a.log, Querier: a.metrics,
		Incidents: func() []ops.Incident { return a.incidents.Active() },
		Past:      a.pastIncidents, Plans: a.rehearsedPlans, Dark: a.darkStores, Notify: a.pageRedLine,
	}
}

// maxPast bounds the incidents that a dry run of a policy looks at.
const maxPast = 10_000

// pastIncidents lists the incidents that are kept, newest first.
func (a *app) pastIncidents() (out []ops.Incident) {
	q := ops.IncidentQuery{Page: ops.Page{Limit: 1000}}
	for len(out) < maxPast {
		l, err := a.incidents.List(context.Background(), q)
		out = append(out, l.Items...)
		if q.Cursor = l.Next; err != nil || q.Cursor == "" {
			break
		}
	}
	return out
}

// rehearsedPlans says of each plan when it last ran with success, zero when never.
func (a *app) rehearsedPlans() map[string]time.Time {
	out := map[string]time.Time{}
	rehearsed := a.plans.Rehearsed()
	for _, p := range a.plans.Plans() {
		out[p.Name] = rehearsed[p.Name]
	}
	return out
}

// darkStores counts the stores of a scope of which every device that beats at all is offline, and all that are open.
func (a *app) darkStores(s ops.Scope) (dark, stores int) {
	groups, err := a.fleet.Rollup(context.Background(), ops.FleetQuery{GroupBy: []string{"store"}, Scope: s})
	if err != nil {
		a.log.Error("dark stores were not counted", "err", err)
		return 0, 0
	}
	for _, g := range groups {
		alive := g.States["online"] + g.States["degraded"] + g.States["late"]
		if alive == 0 && g.States["offline"] == 0 {
			continue // closed, or never seen
		}
		stores++
		if alive == 0 {
			dark++
		}
	}
	return dark, stores
}

// pageRedLine hands a red line's alert to the incidents, as the rules' own are.
func (a *app) pageRedLine(ctx context.Context, alerts []ops.Alert) {
	if _, err := a.incidents.ReceiveAlerts(ctx, "gate", alerts); err != nil {
		a.log.Error("alerts of the gate's red lines were not taken", "alerts", len(alerts), "err", err)
	}
}

// rollBack runs the plan that undoes a change. One run of a plan at a time: another waits for its turn.
func (a *app) rollBack(ctx context.Context, e ops.Effect) error {
	var order changes.RollbackOrder
	if err := json.Unmarshal(e.Body, &order); err != nil {
		return ops.Permanent(err)
	}
	var request ops.RunRequest
	for _, p := range a.plans.Plans() {
		if p.Name == order.Plan {
			request = rollbackRequest(p, order)
		}
	}
	run, err := watchedPlans{a.plans, a.incidents, a.changes}.Start(ctx, ops.System, order.Plan, request)
	switch ops.KindOf(err) {
	case "":
		a.log.Info("a change is being rolled back", "change", order.ChangeID, "plan", order.Plan, "run", run.ID)
		return nil
	case ops.Conflict, ops.Unavailable: // nothing was begun
		return ops.RetryAfter(10*time.Second, err)
	}
	a.log.Error("a change was to be rolled back and was not", "change", order.ChangeID, "plan", order.Plan, "err", err)
	return ops.Permanent(err)
}

// announce writes a broken glass into an incident's timeline, and so into its war room and its thread in chat.
func (a *app) announce(ctx context.Context, e ops.Effect) error {
	var told changes.Announcement
	if err := json.Unmarshal(e.Body, &told); err != nil {
		return ops.Permanent(err)
	}
	_, err := a.incidents.Note(ctx, ops.System, told.Incident, told.Text)
	switch ops.KindOf(err) {
	case ops.NotFound, ops.Conflict, ops.Invalid: // it is over, or was taken into another
		return ops.Permanent(err)
	}
	return err
}

// rollbackRequest fills the parameters that an incident's first suspect would fill with the change that is undone.
func rollbackRequest(p ops.Plan, order changes.RollbackOrder) ops.RunRequest {
	r := ops.RunRequest{Confirm: p.Name, Params: map[string]string{}}
	for _, param := range p.Params {
		switch param.From {
		case "suspect":
			r.Params[param.Name] = order.ChangeID
		case "service":
			r.Params[param.Name] = order.Service
		}
	}
	return r
}

package main

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"time"

	"goc/changes"
	"goc/collectors/fleet"
	"goc/collectors/voice"
	"goc/drills"
	"goc/incidents"
	"goc/incidents/engine"
	"goc/ops"
	"goc/plans"
	"goc/storage"
	"goc/web"
)

// The rooms are what the API needs.
var (
	_ web.Incidents = (*incidents.Service)(nil)
	_ web.Changes   = (*changes.Service)(nil)
	_ web.Fleet     = (*fleet.Service)(nil)
	_ web.Voice     = (*voice.Service)(nil)
	_ web.Plans     = watchedPlans{}
	_ web.Drills    = (*drills.Service)(nil)
	_ web.Journal   = (*storage.Store)(nil)
)

// catalog is what the configuration says exists, as of the last reload.
func (a *app) catalog() *ops.Catalog {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return &a.cfg.Catalog.Catalog
}

// reach is how many stores and devices lie in a scope, for a plan's blast radius.
func (a *app) reach(s ops.Scope) (stores, devices int) {
	r := a.fleet.Affected(s)
	return r.Stores, r.Devices
}

// affected is how many stores and devices are unwell in a scope, for an incident's impact.
func (a *app) affected(s ops.Scope) engine.Affected {
	r := a.fleet.Affected(s)
	return engine.Affected{Stores: r.StoresUnwell, Devices: r.DevicesUnwell}
}

// handlers do the effects, by kind.
func (a *app) handlers() map[string]func(context.Context, ops.Effect) error {
	h := a.chat.Handlers()
	maps.Copy(h, a.intake.Handlers())
	h[plans.EffectKind] = a.plans.HandleStep
	h[changes.RollbackEffect] = a.rollBack
	h[changes.AnnounceEffect] = a.announce
	return h
}

// mounts are the handlers that other rooms bring to the server.
func (a *app) mounts() []web.Mount {
	out := []web.Mount{
		{
			Pattern: "/prometheus/", Roles: []ops.Role{ops.Viewer, ops.Responder, ops.Commander}, Summary: "Prometheus' HTTP API over the embedded metrics",
			Handler: http.StripPrefix("/prometheus", a.prometheus()),
		},
	}
	for _, m := range a.intake.Mounts() {
		out = append(out, web.Mount(m))
	}
	for _, m := range a.chat.Mounts() {
		out = append(out, web.Mount(m))
	}
	return out
}

// prometheus joins what the store and the rules answer below /prometheus.
func (a *app) prometheus() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/v1/rules", a.rules.RulesHandler())
	mux.Handle("/api/v1/alerts", a.rules.AlertsHandler())
	mux.Handle("/", a.metrics.Handler())
	return mux
}

// watchedPlans is the room of plans where the incident learns of each run that is started for it, and the gate of each
// plan that was tried dry and could have run.
type watchedPlans struct {
	*plans.Service
	incidents *incidents.Service
	changes   *changes.Service
}

// DryRun says what a plan would do.
func (n watchedPlans) DryRun(ctx context.Context, who ops.Principal, plan string, r ops.RunRequest) (ops.DryRun, error) {
	d, err := n.Service.DryRun(ctx, who, plan, r)
	if err == nil && d.OK {
		err = n.changes.ObserveRehearsal(ctx, plan)
	}
	return d, err
}

// Start begins a run.
func (n watchedPlans) Start(ctx context.Context, who ops.Principal, plan string, r ops.RunRequest) (ops.Run, error) {
	run, err := n.Service.Start(ctx, who, plan, r)
	if err == nil {
		n.incidents.ObserveRun(run)
	}
	return run, err
}

// reload reads the configuration again: catalog, scrape configs, rules, the gate's rules, plans, drills and the file of tokens. What is
// wrong leaves everything as it was, and so does what takes a restart.
func (a *app) reload(context.Context) error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	a.mu.RLock()
	old := a.cfg
	a.mu.RUnlock()
	if old.file == "" {
		return ops.Errorf(ops.Conflict, "there is no configuration file to read again")
	}
	cfg, err := loadConfig(old.file)
	if err != nil {
		return ops.Errorf(ops.Invalid, "%w", err).WithHint("the old configuration goes on working")
	}
	cfg.file = old.file
	if fixed := old.fixedThatDiffer(cfg); len(fixed) > 0 {
		return ops.Errorf(ops.Conflict, "%s changed, which takes a restart; nothing was taken", strings.Join(fixed, ", ")).WithHint("restart goc, or undo that")
	}
	if err, lost := switchOver(a.takes(cfg), a.takes(old)); err != nil {
		if lost != nil {
			a.log.Error("after a reload that failed the old configuration is not wholly back: restart", "err", lost)
		}
		return err
	}
	a.mu.Lock()
	a.cfg = cfg
	a.mu.Unlock()
	a.log.Info("the configuration was read again", "file", cfg.file)
	return nil
}

// switchOver hands the new configuration to one room after the other. Where one refuses it, those that took it are given
// the old one again, the last first, and nobody else: a room that refuses stays as it was. lost is of those that would
// not have it back.
func switchOver(takes, back []func() error) (err, lost error) {
	for n, take := range takes {
		if err = take(); err == nil {
			continue
		}
		for _, undo := range slices.Backward(back[:n]) {
			lost = errors.Join(lost, undo())
		}
		return err, lost
	}
	return nil, nil
}

// takes hands a configuration to each room that takes one while it runs, those first that may refuse it.
func (a *app) takes(cfg *config) []func() error {
	interval := time.Duration(cfg.AlertRules.Interval)
	if interval == 0 {
		interval = cfg.Metrics.EvaluationInterval()
	}
	catalog := &cfg.Catalog.Catalog
	return []func() error{
		func() error { return a.rules.Reload(cfg.AlertRules.Files, cfg.AlertRules.Shipped(), interval) },
		func() error { return a.drills.Reload(cfg.Drills) },
		func() error { return a.fleet.Reload(catalog) },
		func() error { return a.metrics.Reload(cfg.Metrics, catalog) },
		func() error { return a.plans.Reload(cfg.Plans) },
		a.web.ReloadTokens,
		func() error { return a.changes.Reconfigure(cfg.Gate, catalog) },
		func() error { a.voice.Reload(catalog); a.incidents.Reload(catalog); return nil },
	}
}

// fixedThatDiffer names the sections, and of the gate's the keys, that are read only at the start and are not in n what they are in c.
func (c *config) fixedThatDiffer(n *config) (names []string) {
	for _, s := range []struct {
		name     string
		old, new any
	}{
		{"listen", c.Listen, n.Listen},
		{"data", c.Data, n.Data},
		{"storage", c.Storage, n.Storage},
		{"auth", c.Auth, n.Auth},
		{"heartbeats", c.Heartbeats, n.Heartbeats},
		{"voice", c.Voice, n.Voice},
		{"incidents", c.Incidents, n.Incidents},
		{"oncall", c.OnCall, n.OnCall},
		{"chatops", c.ChatOps, n.ChatOps},
		{"hooks", c.Hooks, n.Hooks},
	} {
		if !reflect.DeepEqual(s.old, s.new) {
			names = append(names, s.name)
		}
	}
	return append(names, c.Gate.TakesRestart(n.Gate)...)
}

// reloadOnHangup reads the configuration again on SIGHUP until ctx ends.
func (a *app) reloadOnHangup(ctx context.Context) error {
	defer signal.Stop(a.hangups)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.hangups:
			if err := a.reload(ctx); err != nil {
				a.log.Error("the configuration was not read again; the old one goes on working", "err", err)
			}
		}
	}
}

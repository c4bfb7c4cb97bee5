package main

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"syscall"
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
	_ web.Plans     = (*plans.Service)(nil)
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
	h[plans.EffectKind] = a.plans.HandleStep
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

// reload reads the configuration again: catalog, scrape configs, rules and plans. A bad file leaves everything as it was.
func (a *app) reload(context.Context) error {
	a.mu.RLock()
	file := a.cfg.file
	a.mu.RUnlock()
	if file == "" {
		return ops.Errorf(ops.Conflict, "there is no configuration file to read again")
	}
	cfg, err := loadConfig(file)
	if err != nil {
		return ops.Errorf(ops.Invalid, "%w", err).WithHint("the old configuration goes on working")
	}
	cfg.file = file
	interval := time.Duration(cfg.AlertRules.Interval)
	if interval == 0 {
		interval = cfg.Metrics.EvaluationInterval()
	}
	// The rules first: they are what a person most likely got wrong, and refusing leaves the old ones.
	if err := a.rules.Reload(cfg.AlertRules.Files, cfg.AlertRules.Shipped(), interval); err != nil {
		return err
	}
	if err := a.metrics.Reload(cfg.Metrics, &cfg.Catalog.Catalog); err != nil {
		return err
	}
	if err := a.fleet.Reload(&cfg.Catalog.Catalog); err != nil {
		return err
	}
	a.voice.Reload(&cfg.Catalog.Catalog)
	if err := a.plans.Reload(cfg.Plans); err != nil {
		return err
	}
	if err := a.drills.Reload(cfg.Drills); err != nil {
		return err
	}
	a.mu.Lock()
	a.cfg = cfg
	a.mu.Unlock()
	a.log.Info("the configuration was read again", "file", file)
	return a.web.ReloadTokens()
}

// reloadOnHangup reads the configuration again on SIGHUP until ctx ends.
func (a *app) reloadOnHangup(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			if err := a.reload(ctx); err != nil {
				a.log.Error("the configuration was not read again; the old one goes on working", "err", err)
			}
		}
	}
}

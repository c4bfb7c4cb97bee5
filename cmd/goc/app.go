package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"goc/alertrules"
	"goc/changes"
	"goc/chatops"
	"goc/collectors/fleet"
	"goc/collectors/fleet/mqtt"
	"goc/collectors/intake"
	"goc/collectors/metrics"
	"goc/collectors/voice"
	"goc/drills"
	"goc/incidents"
	"goc/ops"
	"goc/plans"
	"goc/storage"
	"goc/storage/outbox"
	"goc/web"
)

// app is the running program: every room, wired.
type app struct {
	url      string
	log      *slog.Logger
	registry *prometheus.Registry

	mu  sync.RWMutex
	cfg *config // changes with a reload

	store     *storage.Store
	metrics   *metrics.Service
	rules     *alertrules.Service
	incidents *incidents.Service
	changes   *changes.Service
	fleet     *fleet.Service
	mqtt      *mqtt.Service
	voice     *voice.Service
	plans     *plans.Service
	drills    *drills.Service
	chat      *chatops.Service
	intake    *intake.Service
	web       *web.Server

	reloading sync.Mutex     // one reload at a time
	hangups   chan os.Signal // SIGHUP

	ended   <-chan struct{} // closed when the program is to stop
	cancel  context.CancelFunc
	loops   sync.WaitGroup
	failure chan error // the first loop that ended by an error
	closers []func() error
}

// stopWithin bounds how long the loops may take to end.
const stopWithin = 20 * time.Second

// start wires every room to those that it needs, in the order in which they need one another, and sets their loops going.
// It owns ln from here on. What a room needs of one that comes later is asked through a, when it is there.
func start(ctx context.Context, cfg *config, ln net.Listener, log *slog.Logger) (_ *app, err error) {
	ctx, cancel := context.WithCancel(ctx)
	a := &app{url: "http://" + ln.Addr().String(), log: log, cfg: cfg, registry: prometheus.NewRegistry(), ended: ctx.Done(), cancel: cancel, failure: make(chan error, 1), hangups: make(chan os.Signal, 1)}
	if cfg.file != "" { // from here on, for during the start it would otherwise end the process
		signal.Notify(a.hangups, syscall.SIGHUP)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.stop())
		}
	}()
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := os.MkdirAll(cfg.Data, 0o755); err != nil {
		return nil, err
	}
	for _, open := range []func(context.Context) error{
		a.openStore, a.openMetrics, a.openFleet, a.openVoice, a.openChanges, a.openPlans, a.openDrills, a.openIncidents, a.openRules, a.openChat, a.openIntake,
	} {
		if err := open(ctx); err != nil {
			return nil, err
		}
	}
	a.connect()
	if err := a.openWeb(ctx); err != nil {
		return nil, err
	}
	if err := a.openMQTT(ctx); err != nil {
		return nil, err
	}
	return a, a.run(ctx, ln)
}

func (a *app) openStore(ctx context.Context) (err error) {
	o := a.cfg.storage()
	o.Logger, o.Registerer = a.log, a.registry
	// The negative control of the kill test: whoever sets this wants to see what it is to lose what was acknowledged.
	o.UnsafeEarlyAck = os.Getenv("GOC_UNSAFE_EARLY_ACK") == "1"
	if a.store, err = storage.Open(ctx, o); err != nil {
		return err
	}
	a.closers = append(a.closers, a.store.Close)
	return nil
}

func (a *app) openMetrics(ctx context.Context) (err error) {
	a.metrics, err = metrics.Open(ctx, metrics.Options{
		Config: a.cfg.Metrics, Dir: filepath.Join(a.cfg.Data, "metrics"), ConfigDir: a.cfg.dir, Catalog: &a.cfg.Catalog.Catalog,
		Registerer: a.registry, Gatherer: a.registry, SelfURL: a.url, Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.closers = append(a.closers, a.metrics.Close)
	return nil
}

func (a *app) openFleet(ctx context.Context) (err error) {
	a.fleet, err = fleet.New(ctx, fleet.Options{
		Config: a.cfg.Heartbeats.Config, Catalog: &a.cfg.Catalog.Catalog, Journal: a.store, Registerer: a.registry, Logger: a.log,
		Notify: func(ctx context.Context, alerts []ops.Alert) {
			if _, err := a.incidents.ReceiveAlerts(ctx, "fleet", alerts); err != nil {
				a.log.Error("what devices share was not taken as alerts", "alerts", len(alerts), "err", err)
			}
		},
	})
	return err
}

func (a *app) openVoice(ctx context.Context) (err error) {
	a.voice, err = voice.New(ctx, voice.Options{Config: a.cfg.Voice, Catalog: &a.cfg.Catalog.Catalog, Journal: a.store, Registerer: a.registry})
	return err
}

func (a *app) openChanges(ctx context.Context) (err error) {
	a.changes, err = changes.New(ctx, a.gateOptions())
	return err
}

func (a *app) openPlans(ctx context.Context) (err error) {
	a.plans, err = plans.New(ctx, plans.Options{
		Config: a.cfg.Plans, Journal: a.store, Querier: a.metrics, Registerer: a.registry, Logger: a.log,
		Incident: func(ctx context.Context, id string) (ops.Incident, error) { return a.incidents.Get(ctx, id) },
		Affected: a.reach, Overlap: func(x, y ops.Scope) bool { return a.catalog().Overlap(x, y) },
	})
	return err
}

func (a *app) openDrills(ctx context.Context) (err error) {
	a.drills, err = drills.New(ctx, drills.Options{
		Config: a.cfg.Drills, Journal: a.store, Querier: a.metrics, Registerer: a.registry, Logger: a.log,
		Do: plans.NewExecutor(nil).Do, Incidents: func() []ops.Incident { return a.incidents.Recent() }, Change: a.changes.Get,
		Expand: func(s ops.Scope) ops.Scope { return a.catalog().Expand(s) },
	})
	return err
}

func (a *app) openIncidents(ctx context.Context) (err error) {
	a.incidents, err = incidents.New(ctx, incidents.Options{
		Config: a.cfg.Incidents, OnCall: a.cfg.OnCall, Catalog: &a.cfg.Catalog.Catalog, Journal: a.store, Registerer: a.registry, Logger: a.log,
		Querier:     a.metrics,
		Affected:    a.affected,
		VoiceAbove:  a.voice.Above,
		PlansFor:    a.plans.For,
		ActiveDrill: a.drills.ActiveDrill,
		History:     filepath.Join(a.cfg.Data, "history"), Version: version,
	})
	if err != nil {
		return err
	}
	a.closers = append(a.closers, a.incidents.Close)
	return nil
}

func (a *app) openRules(ctx context.Context) (err error) {
	interval := time.Duration(a.cfg.AlertRules.Interval)
	if interval == 0 {
		interval = a.cfg.Metrics.EvaluationInterval()
	}
	a.rules, err = alertrules.New(ctx, alertrules.Options{
		Files: a.cfg.AlertRules.Files, Builtin: a.cfg.AlertRules.Shipped(), Engine: a.metrics, ExternalURL: a.url,
		ExternalLabels: a.cfg.Metrics.Global.ExternalLabels, EvaluationInterval: interval, Registerer: a.registry, Logger: a.log,
		Notify: func(ctx context.Context, alerts []ops.Alert) {
			if _, err := a.incidents.ReceiveAlerts(ctx, "rules", alerts); err != nil {
				a.log.Error("alerts of our own rules were not taken", "alerts", len(alerts), "err", err)
			}
		},
	})
	return err
}

func (a *app) openChat(ctx context.Context) (err error) {
	a.chat, err = chatops.New(ctx, chatops.Options{
		Config: a.cfg.ChatOps, Journal: a.store, Incidents: a.incidents, Registerer: a.registry, Logger: a.log,
	})
	return err
}

func (a *app) openIntake(ctx context.Context) (err error) {
	a.intake, err = intake.New(ctx, intake.Options{
		Config: a.cfg.Hooks, Alerts: a.incidents, Changes: a.changes, Registerer: a.registry, Logger: a.log, Who: who,
		Freezes: a.changes, Gate: a.changes, Catalog: a.catalog, Journal: a.store, Cursors: a.store,
	})
	return err
}

func (a *app) openWeb(ctx context.Context) (err error) {
	a.web, err = web.New(web.Options{
		Incidents: a.incidents, Changes: a.changes, Fleet: a.fleet, Voice: a.voice, Plans: watchedPlans{a.plans, a.incidents, a.changes}, Drills: a.drills, Journal: a.store, Catalog: a.catalog,
		Config: a.cfg.Auth, Listen: a.cfg.Listen, Mounts: a.mounts(), Heartbeats: fleet.Handler(a.fleet, who),
		Metrics: promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{}), Ready: a.missing, Reload: a.reload, UI: web.UI(), Version: version,
		Registerer: a.registry, Logger: a.log,
	})
	if err != nil {
		return err
	}
	path, created, err := a.web.EnsureAdminToken(ctx, a.cfg.Data)
	if created {
		a.log.Warn("nobody could get in, so a first admin's token was made; read it from the file and remove the file", "file", path)
	}
	return err
}

// connect lets what one room learns flow to those that need it.
func (a *app) connect() {
	a.changes.Watch(a.incidents.ObserveChange)
	a.changes.Watch(a.fleet.ObserveChange)
	a.metrics.Subscribe(func(samples []ops.Sample) {
		judged := slices.DeleteFunc(slices.Clone(samples), func(s ops.Sample) bool { return !a.catalog().Judged(s.Service, s.Indicator) })
		a.incidents.ObserveSamples(judged)
		a.changes.ObserveSamples(judged)
	})
}

// run sets every room's loop going, the outbox's and the server's included.
func (a *app) run(ctx context.Context, ln net.Listener) error {
	loops := []struct {
		name string
		run  func(context.Context) error
	}{
		{"incidents", a.incidents.Run},
		{"changes", a.changes.Run},
		{"plans", a.plans.Run},
		{"drills", a.drills.Run},
		{"fleet", a.fleet.Run},
		{"mqtt", a.mqtt.Run},
		{"metrics", a.metrics.Run},
		{"rules", a.rules.Run},
		{"chat", a.chat.Run},
		{"hooks", a.intake.Run},
		{"outbox", a.deliver},
		{"live feed", a.web.Run},
		{"reload", a.reloadOnHangup},
		{"collector", paceCollector},
		{"server", func(ctx context.Context) error { return a.web.Serve(ctx, ln) }},
	}
	for _, l := range loops {
		a.loops.Go(func() {
			err := l.run(ctx)
			switch {
			case err == nil || ctx.Err() != nil:
			case a.store.Err() != nil: // the server goes on: it answers 503 and says on /readyz why
				a.log.Error("a loop ended because the journal has stopped", "loop", l.name, "err", err)
			default:
				select {
				case a.failure <- fmt.Errorf("%s: %w", l.name, err):
				default:
				}
			}
		})
	}
	return nil
}

// deliver does what rooms recorded as to be done to the outside world.
func (a *app) deliver(ctx context.Context) error {
	return outbox.Run(ctx, outbox.Options{
		Store: a.store, Handlers: a.handlers(), Indeterminate: []string{plans.EffectKind, changes.RollbackEffect}, Timeout: ops.MaxStepTimeout,
		Settled: func(e ops.Effect) {
			if e.Kind != plans.EffectKind {
				return
			}
			// Also of a step that was cut off because we are ending, when ctx is over and the journal still open.
			if err := a.plans.Settled(context.WithoutCancel(ctx), e); err != nil {
				a.log.Error("how a plan's step ended was not recorded", "effect", e.ID, "err", err)
			}
		},
		Logger: a.log, Registerer: a.registry,
	})
}

// wait blocks until the context of start ends or a loop fails, and then stops everything, in a bounded time.
func (a *app) wait() error {
	var err error
	select {
	case err = <-a.failure:
	case <-a.ended:
	}
	return errors.Join(err, a.stop())
}

// stop ends the loops and then closes what is open, the last opened first.
func (a *app) stop() error {
	a.cancel()
	done := make(chan struct{})
	go func() { a.loops.Wait(); close(done) }()
	var errs []error
	select {
	case <-done:
	case <-time.After(stopWithin):
		errs = append(errs, fmt.Errorf("some loops did not end within %s", stopWithin))
	}
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.closers = nil
	return errors.Join(errs...)
}

// who is who sent a request, as the web room let them in.
func who(r *http.Request) ops.Principal {
	p, _ := ops.PrincipalFrom(r.Context())
	return p
}

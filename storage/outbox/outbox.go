// Package outbox does what the journal recorded as to be done to the outside world. An effect is marked running on disk
// before its handler is called and done after, so that a crash at any point leaves it either to be tried again (at
// least once) or, for kinds that must not be repeated, to a person (indeterminate).
package outbox

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"goc/ops"
	"goc/storage"
)

// Store is where effects are recorded; *storage.Store is one.
type Store interface {
	Effects(ctx context.Context, q storage.EffectQuery) ([]ops.Effect, error)
	LaneHeads(ctx context.Context, limit int) ([]ops.Effect, error)
	ClaimEffects(ctx context.Context, ids []int64) ([]ops.Effect, error)
	SettleEffects(ctx context.Context, effects ...ops.Effect) error
	PruneEffects(ctx context.Context, done, ended time.Time) error
	EffectsCommitted() <-chan struct{}
}

// Handler does one effect. nil means done; an error means that it is tried again after a while, unless it is marked
// with ops.Permanent; ops.RetryAfter says how long that while is at least. ctx ends with Options.Timeout, and a short
// grace after Run's own.
type Handler = func(ctx context.Context, e ops.Effect) error

// Options. Store and Handlers are required.
type Options struct {
	Store    Store
	Handlers map[string]Handler // by Effect.Kind; an effect that nobody handles fails

	// Indeterminate lists the kinds that are never done twice (plan steps). Cut off by a crash or by Timeout they become
	// indeterminate; an error fails them at once, except one marked with ops.RetryAfter, by which the handler says that
	// nothing happened.
	Indeterminate []string
	// Settled is told of each effect that is done, failed or indeterminate, once that is on disk; nil for nobody.
	Settled func(e ops.Effect)

	Workers int           // handlers at once, over all lanes; 8 when 0
	Timeout time.Duration // of one attempt; a minute when 0
	GiveUp  time.Duration // after Created, when an effect that cannot be delivered fails; 24 hours when 0

	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil registers nowhere
	Now        func() time.Time      // nil is time.Now
}

const (
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
	grace      = 5 * time.Second // for handlers under way when Run is told to end
	pruneEvery = time.Hour
	keepDone   = 3 * 24 * time.Hour
	keepEnded  = 30 * 24 * time.Hour // failed and indeterminate ones, which people look for
)

func (o *Options) defaults() error {
	if o.Store == nil || o.Handlers == nil {
		return errors.New("outbox: Store and Handlers are required")
	}
	if o.Workers <= 0 {
		o.Workers = 8
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.GiveUp <= 0 {
		o.GiveUp = 24 * time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// Run delivers effects until ctx ends or the journal stops, whose error it returns. Handlers that are under way then
// get a few seconds to end.
func Run(ctx context.Context, o Options) error {
	if err := o.defaults(); err != nil {
		return err
	}
	d := &dispatcher{Options: o, finished: make(chan error, o.Workers), metrics: newMetrics(o.Registerer)}
	defer d.metrics.unregister()
	if err := d.revive(ctx); err != nil {
		return ended(ctx, err)
	}
	return ended(ctx, d.loop(ctx))
}

// ended is nil when err only says that ctx ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// dispatcher is the loop's state; only the loop touches it.
type dispatcher struct {
	Options
	metrics  *metrics
	running  int
	workers  sync.WaitGroup
	finished chan error // one per handler that ended: nil, or why its outcome could not be recorded
}

func (d *dispatcher) loop(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer d.drain(cancel)
	prune := time.NewTicker(pruneEvery)
	defer prune.Stop()
	for {
		wait, err := d.dispatch(ctx, work)
		if err != nil {
			return err
		}
		due := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			return nil
		case err = <-d.finished:
			d.running--
		case <-d.Store.EffectsCommitted():
		case <-due.C:
		case <-prune.C:
			err = d.Store.PruneEffects(ctx, d.Now().Add(-keepDone), d.Now().Add(-keepEnded))
		}
		due.Stop()
		if err != nil {
			return err
		}
	}
}

// drain gives handlers a grace, then cuts them off, and waits for them in either case.
func (d *dispatcher) drain(cancel func()) {
	cut := time.AfterFunc(grace, cancel)
	defer cut.Stop()
	d.workers.Wait()
	cancel()
}

// dispatch starts what is due, as far as workers are free, and returns how long nothing else is.
func (d *dispatcher) dispatch(ctx, work context.Context) (wait time.Duration, err error) {
	const idle = time.Hour
	free := d.Workers - d.running
	if free == 0 {
		return idle, nil // a handler that ends wakes the loop
	}
	heads, err := d.Store.LaneHeads(ctx, free+1)
	if err != nil {
		return 0, err
	}
	var due []int64
	wait = idle
	for _, e := range heads {
		if left := e.NotUntil.Sub(d.Now()); left > 0 {
			wait = min(wait, left)
		} else if len(due) < free {
			due = append(due, e.ID)
		}
	}
	if len(due) == 0 {
		return wait, nil
	}
	claimed, err := d.Store.ClaimEffects(context.WithoutCancel(ctx), due) // what is claimed must be tried
	if err != nil {
		return 0, err
	}
	for _, e := range claimed {
		d.running++
		d.workers.Go(func() { d.finished <- d.deliver(work, e) })
	}
	if len(claimed) < len(due) {
		return 0, nil // some were replaced meanwhile
	}
	return wait, nil
}

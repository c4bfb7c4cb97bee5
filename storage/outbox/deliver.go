package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"goc/ops"
	"goc/storage"
)

// deliver tries e once and records the outcome. The error is the journal's.
func (d *dispatcher) deliver(ctx context.Context, e ops.Effect) error {
	attempt, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	start := time.Now()
	err := d.attempt(attempt, e)
	d.metrics.seconds.WithLabelValues(e.Kind).Observe(time.Since(start).Seconds())
	cut := err != nil && attempt.Err() != nil
	e = outcome(e, err, cut, slices.Contains(d.Indeterminate, e.Kind), d.GiveUp, d.Now())
	return d.settle(context.WithoutCancel(ctx), e)
}

// settle makes the outcomes durable and then tells whoever wants to know.
func (d *dispatcher) settle(ctx context.Context, effects ...ops.Effect) error {
	if len(effects) == 0 {
		return nil
	}
	if err := d.Store.SettleEffects(ctx, effects...); err != nil {
		return err
	}
	for _, e := range effects {
		d.metrics.outcomes.WithLabelValues(e.Kind, e.State).Inc()
		if e.State != storage.Done {
			d.Logger.Warn("an effect was not done", "id", e.ID, "kind", e.Kind, "key", e.Key, "state", e.State, "attempts", e.Attempts, "error", e.Error)
		}
		if e.State != storage.Pending && d.Settled != nil {
			d.Settled(e)
		}
	}
	return nil
}

// attempt calls the handler; its panic fails this effect only.
func (d *dispatcher) attempt(ctx context.Context, e ops.Effect) (err error) {
	handle, ok := d.Handlers[e.Kind]
	if !ok {
		return ops.Permanent(fmt.Errorf("nothing is configured that handles %s", e.Kind))
	}
	defer func() {
		if p := recover(); p != nil {
			d.Logger.Error("an effect's handler panicked", "kind", e.Kind, "panic", p, "stack", string(debug.Stack()))
			err = ops.Permanent(fmt.Errorf("its handler panicked: %v", p))
		}
	}()
	return handle(ctx, e)
}

// outcome decides what becomes of e after an attempt that returned err. cut means that the attempt was cut off and may
// or may not have had its effect; once, that its kind must not be repeated.
func outcome(e ops.Effect, err error, cut, once bool, giveUp time.Duration, now time.Time) ops.Effect {
	e.NotUntil, e.Error = ops.Time{}, ""
	if err == nil {
		e.State = storage.Done
		return e
	}
	e.Error = err.Error()
	after, harmless := ops.RetryDelay(err)
	switch {
	case ops.IsPermanent(err):
		e.State = storage.Failed
	case once && cut && !harmless:
		e.State = storage.Indeterminate
	case once && !harmless:
		e.State = storage.Failed
	case now.Sub(e.Created.Time) > giveUp:
		e.State, e.Error = storage.Failed, fmt.Sprintf("given up after %s: %v", ops.Since(now.Sub(e.Created.Time)), err)
	case errors.Is(err, context.Canceled) && cut:
		e.State = storage.Pending // we are ending; the next start tries it at once
	default:
		e.State, e.NotUntil = storage.Pending, ops.At(now.Add(max(after, backoff(e.Attempts, rand.Float64()))))
	}
	return e
}

// backoff doubles from a second to five minutes; r in [0, 1) takes up to a fifth off, so that many do not come back at
// once. attempts counts from 1.
func backoff(attempts int, r float64) time.Duration {
	d := lastRetry
	if attempts < 10 {
		d = min(firstRetry<<max(attempts-1, 0), lastRetry)
	}
	return d - time.Duration(r*float64(d)/5)
}

// revive settles what was running when the last process died.
func (d *dispatcher) revive(ctx context.Context) error {
	for {
		found, err := d.Store.Effects(ctx, storage.EffectQuery{State: storage.Running})
		if err != nil || len(found) == 0 {
			return err
		}
		for i := range found {
			e := &found[i]
			e.State, e.Error, e.NotUntil = storage.Pending, "goc ended while it was being tried", ops.Time{}
			if slices.Contains(d.Indeterminate, e.Kind) {
				e.State = storage.Indeterminate
			}
		}
		if err = d.settle(ctx, found...); err != nil {
			return err
		}
	}
}

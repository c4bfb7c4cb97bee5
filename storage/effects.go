package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"goc/ops"
)

// States of an effect.
const (
	Pending       = "pending"       // to be tried, not before NotUntil
	Running       = "running"       // being tried
	Done          = "done"          // the receiver has it
	Failed        = "failed"        // given up; Error says why
	Indeterminate = "indeterminate" // we died while it ran and must not repeat it: a person decides
)

const (
	effectColumns = `id, kind, key, lane, body, state, attempts, not_until, error, created`
	claimEffect   = `UPDATE effect SET state = 'running', attempts = attempts + 1 WHERE id = $1 AND state = 'pending' RETURNING ` + effectColumns
	settleEffect  = `UPDATE effect SET state = $1, not_until = $2, error = $3, settled = $4 WHERE id = $5 AND state = 'running'`
	// What goes back to pending while a newer one of its kind and key waits gives that one its backoff and goes away.
	supersedeEffect = `UPDATE effect SET attempts = $1, error = $2, not_until = CASE WHEN not_until > $3 THEN not_until ELSE $3 END
		WHERE kind = $4 AND key = $5 AND key <> '' AND state = 'pending'`
	forgetEffect = `DELETE FROM effect WHERE id = $1 AND state = 'running'`
	pruneEffects = `DELETE FROM effect WHERE settled > 0 AND (settled < $1 AND state = 'done' OR settled < $2)`
	// A lane's oldest open effect is its head; while that one runs, the lane waits.
	laneHeads = `SELECT ` + effectColumns + ` FROM effect WHERE state = 'pending'
		AND id IN (SELECT MIN(id) FROM effect WHERE state IN ('pending', 'running') GROUP BY lane)
		ORDER BY not_until, id LIMIT $1`
)

// EffectQuery selects effects, the newest first: Kind and State narrow when set; Limit is 1000 when unset.
type EffectQuery struct {
	Kind  string
	State string
	Limit int
}

// Effects lists effects, for people and for rooms that look at start for what became of theirs.
func (r *Reader) Effects(ctx context.Context, q EffectQuery) ([]ops.Effect, error) {
	text, args := `SELECT `+effectColumns+` FROM effect WHERE id > 0`, []any{}
	narrow := func(column, value string) {
		if value != "" {
			args = append(args, value)
			text += ` AND ` + column + ` = $` + strconv.Itoa(len(args))
		}
	}
	narrow("kind", q.Kind)
	narrow("state", q.State)
	limit := q.Limit
	if limit <= 0 {
		limit = DefaultEvents
	}
	args = append(args, min(limit, MaxEvents))
	return r.effects(ctx, text+` ORDER BY id DESC LIMIT $`+strconv.Itoa(len(args)), args...)
}

// LaneHeads returns the pending effects that are first in their lane, those due first at the front, due or not.
func (r *Reader) LaneHeads(ctx context.Context, limit int) ([]ops.Effect, error) {
	return r.effects(ctx, laneHeads, limit)
}

func (r *Reader) effects(ctx context.Context, text string, args ...any) ([]ops.Effect, error) {
	found := []ops.Effect{}
	err := r.query(ctx, r.d.read, text, func(rows *sql.Rows) error {
		e, err := scanEffect(rows)
		found = append(found, e)
		return err
	}, args...)
	return found, err
}

func scanEffect(row interface{ Scan(...any) error }) (e ops.Effect, err error) {
	var body []byte
	var notUntil, created int64
	if err = row.Scan(&e.ID, &e.Kind, &e.Key, &e.Lane, &body, &e.State, &e.Attempts, &notUntil, &e.Error, &created); err != nil {
		return e, err
	}
	e.Created = fromMilli(created)
	if notUntil != 0 {
		e.NotUntil = fromMilli(notUntil)
	}
	if len(body) > 0 {
		e.Body = body
	}
	return e, nil
}

// ClaimEffects makes the pending effects among ids running and returns them as they are now, which is what must be
// done: a newer one may have taken their place since they were read. It returns when that is on disk.
func (s *Store) ClaimEffects(ctx context.Context, ids []int64) ([]ops.Effect, error) {
	var claimed []ops.Effect
	err := s.submit(ctx, func(ctx context.Context, w *writer) error {
		for _, id := range ids {
			e, err := scanEffect(w.claim.QueryRowContext(ctx, id))
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return fmt.Errorf("claiming an effect: %w", err)
			}
			claimed = append(claimed, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// SettleEffects writes what became of running effects: State (pending to be tried again), NotUntil and Error. An
// effect that is not running is left alone. It returns when that is on disk.
func (s *Store) SettleEffects(ctx context.Context, effects ...ops.Effect) error {
	return s.submit(ctx, func(ctx context.Context, w *writer) error {
		for _, e := range effects {
			if err := w.settleOne(ctx, e, s.now()); err != nil {
				return fmt.Errorf("settling an effect: %w", err)
			}
		}
		return nil
	})
}

func (w *writer) settleOne(ctx context.Context, e ops.Effect, now time.Time) error {
	e.Error = clean(e.Error)
	var notUntil, settled int64
	if !e.NotUntil.IsZero() {
		notUntil = e.NotUntil.UnixMilli()
	}
	if e.State == Pending {
		done, err := w.supersede.ExecContext(ctx, e.Attempts, e.Error, notUntil, e.Kind, e.Key)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n > 0 {
			_, ferr := w.forget.ExecContext(ctx, e.ID)
			return errors.Join(err, ferr)
		}
	} else {
		settled = now.UnixMilli()
	}
	_, err := w.settle.ExecContext(ctx, e.State, notUntil, e.Error, settled, e.ID)
	return err
}

// clean makes what an outside service said fit for a text column: at most 1,000 bytes of UTF-8 without NUL.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s[:min(len(s), 1000)], ""), "\x00", "")
}

// PruneEffects forgets effects that were done before the one time, and those that ended in another way before
// the other.
func (s *Store) PruneEffects(ctx context.Context, done, ended time.Time) error {
	return s.submit(ctx, func(ctx context.Context, w *writer) error {
		_, err := w.prune.ExecContext(ctx, done.UnixMilli(), ended.UnixMilli())
		return err
	})
}

// submit has the committer do something within its next transaction, before that transaction's mutations.
func (s *Store) submit(ctx context.Context, do func(context.Context, *writer) error) error {
	o := &op{receipt: ops.NewReceipt(), do: do}
	if err := s.enqueue(o); err != nil {
		return err
	}
	_, err := o.receipt.Wait(ctx)
	return err
}

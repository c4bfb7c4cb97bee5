package storage

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"strconv"

	"goc/ops"
)

// Bounds of one Events query.
const (
	DefaultEvents = 1000
	MaxEvents     = 10_000
)

// Reader answers from what is on disk. A Store is one; OpenReadOnly makes one beside a running server.
type Reader struct{ d *dialect }

// OpenReadOnly opens the state for reading, without a lock, for `goc audit verify` and `goc backup`. A server may be
// running on it. It refuses a database of another schema version.
func OpenReadOnly(ctx context.Context, o Options) (*Reader, error) {
	place, err := o.resolve()
	if err != nil {
		return nil, err
	}
	d, err := place.connectReadOnly(ctx)
	if err != nil {
		return nil, err
	}
	if err = checkVersion(ctx, d); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return &Reader{d}, nil
}

// Close frees the connections. Not for the Reader inside a Store, whose Close does it.
func (r *Reader) Close() error { return r.d.close() }

// Load calls each with every record of the kind, in order of id. It stops at the first error, which it returns.
func (r *Reader) Load(ctx context.Context, kind string, each func(ops.Record) error) error {
	return r.query(ctx, r.d.read, `SELECT kind, id, body, seq FROM record WHERE kind = $1 ORDER BY id`, func(rows *sql.Rows) error {
		var rec ops.Record
		if err := rows.Scan(&rec.Kind, &rec.ID, &rec.Body, &rec.Seq); err != nil {
			return err
		}
		return each(rec)
	}, kind)
}

// Record returns one record; the error is of kind NotFound when there is none.
func (r *Reader) Record(ctx context.Context, kind, id string) (ops.Record, error) {
	rec := ops.Record{Kind: kind, ID: id}
	if !storable(kind) || !storable(id) {
		return ops.Record{}, ops.Errorf(ops.NotFound, "there is no %s %q", kind, id)
	}
	row := r.d.read.QueryRowContext(ctx, `SELECT body, seq FROM record WHERE kind = $1 AND id = $2`, kind, id)
	switch err := row.Scan(&rec.Body, &rec.Seq); {
	case errors.Is(err, sql.ErrNoRows):
		return ops.Record{}, ops.Errorf(ops.NotFound, "there is no %s %q", kind, id)
	case err != nil:
		return ops.Record{}, readError(ctx, err)
	}
	return rec, nil
}

const eventColumns = `seq, at, name, topic, subject, actor, data, hash`

// Events returns the events after q.Since in order: at most q.Limit, which is 1000 when unset and 10,000 at most.
func (r *Reader) Events(ctx context.Context, q ops.EventQuery) ([]ops.Event, error) {
	if !storable(q.Topic) || !storable(q.Subject) {
		return []ops.Event{}, nil
	}
	limit := q.Limit
	if limit <= 0 {
		limit = DefaultEvents
	}
	text, args := `SELECT `+eventColumns+` FROM event WHERE seq > $1`, []any{q.Since}
	narrow := func(column, value string) {
		if value != "" {
			args = append(args, value)
			text += ` AND ` + column + ` = $` + strconv.Itoa(len(args))
		}
	}
	narrow("subject", q.Subject)
	if q.Subject != "" {
		narrow("topic || ''", q.Topic) // an expression, so that the index by subject is used: it has far fewer rows
	} else {
		narrow("topic", q.Topic)
	}
	args = append(args, min(limit, MaxEvents))
	text += ` ORDER BY seq LIMIT $` + strconv.Itoa(len(args))
	events := []ops.Event{}
	err := r.query(ctx, r.d.read, text, func(rows *sql.Rows) error {
		e, hash, err := scanEvent(rows)
		e.Hash = hex.EncodeToString(hash)
		events = append(events, e)
		return err
	}, args...)
	return events, err
}

func scanEvent(rows *sql.Rows) (e ops.Event, hash []byte, err error) {
	var at int64
	var data []byte
	if err = rows.Scan(&e.Seq, &at, &e.Name, &e.Topic, &e.Subject, &e.Actor, &data, &hash); err != nil {
		return e, nil, err
	}
	e.At = fromMilli(at)
	if len(data) > 0 {
		e.Data = data
	}
	return e, hash, nil
}

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (r *Reader) query(ctx context.Context, from querier, text string, each func(*sql.Rows) error, args ...any) error {
	rows, err := from.QueryContext(ctx, text, args...)
	if err != nil {
		return readError(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err = each(rows); err != nil {
			return err
		}
	}
	if err = rows.Err(); err != nil {
		return readError(ctx, err)
	}
	return nil
}

// readError is ctx's own error, or of kind Unavailable.
func readError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return explain(err)
}

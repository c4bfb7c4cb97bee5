package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// writer holds the one connection that writes, its prepared statements and the end of the chain. On PostgreSQL the same
// connection holds the advisory lock, so that a commit that succeeds proves that the lock was still ours.
type writer struct {
	conn       *sql.Conn
	timeout    time.Duration // of one transaction; 0 for none
	chain      link
	lastEffect int64
	last       batch
	stmts      []*sql.Stmt // all of them, to close

	events, records, effects *inserter
	begin, commit, rollback  *sql.Stmt
	remove, meta             *sql.Stmt
	claim, settle            *sql.Stmt
	supersede, forget, prune *sql.Stmt
}

const (
	insertEvents  = `INSERT INTO event (seq, at, name, topic, subject, actor, data, hash) VALUES `
	insertRecords = `INSERT INTO record (kind, id, body, seq) VALUES `
	upsertRecords = ` ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body, seq = excluded.seq`
	insertEffects = `INSERT INTO effect (id, kind, key, lane, body, not_until, created, state) VALUES `
	// A newer effect takes the place of the pending one in its lane; while that one backs off, so does the newer.
	upsertEffects = ` ON CONFLICT (kind, key) WHERE state = 'pending' AND key <> '' DO UPDATE
		SET lane = excluded.lane, body = excluded.body, created = excluded.created,
		not_until = CASE WHEN effect.attempts > 0 AND effect.not_until > excluded.not_until
			THEN effect.not_until ELSE excluded.not_until END`
	// The number before is part of the condition: if anybody else wrote, nothing matches and the journal stops.
	updateMeta = `UPDATE meta SET last_seq = $1, last_hash = $2, last_effect = $3 WHERE one = 1 AND last_seq = $4`
)

func newWriter(ctx context.Context, d *dialect) (*writer, error) {
	w := &writer{timeout: d.timeout, conn: d.held}
	d.held = nil
	if w.conn == nil {
		var err error
		if w.conn, err = d.write.Conn(ctx); err != nil {
			return nil, err
		}
	}
	if err := w.prepare(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	row := w.conn.QueryRowContext(ctx, `SELECT last_seq, last_hash, last_effect FROM meta WHERE one = 1`)
	if err := row.Scan(&w.chain.seq, &w.chain.hash, &w.lastEffect); err != nil {
		return nil, errors.Join(fmt.Errorf("reading where the journal ends: %w", err), w.close())
	}
	return w, nil
}

func (w *writer) prepare(ctx context.Context) error {
	for text, stmt := range map[string]**sql.Stmt{
		`BEGIN`: &w.begin, `COMMIT`: &w.commit, `ROLLBACK`: &w.rollback,
		`DELETE FROM record WHERE kind = $1 AND id = $2`: &w.remove,
		updateMeta: &w.meta, claimEffect: &w.claim, settleEffect: &w.settle,
		supersedeEffect: &w.supersede, forgetEffect: &w.forget, pruneEffects: &w.prune,
	} {
		var err error
		if *stmt, err = w.stmt(ctx, text); err != nil {
			return err
		}
	}
	w.events = &inserter{w: w, head: insertEvents, columns: 8}
	w.records = &inserter{w: w, head: insertRecords, tail: upsertRecords, columns: 4}
	w.effects = &inserter{w: w, head: insertEffects, tail: upsertEffects, columns: 7, fixed: ", 'pending'"}
	return nil
}

// write puts the batch into the database in one transaction. Any error is final.
func (w *writer) write(b *batch) error {
	ctx := context.Background()
	if w.timeout > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, w.timeout)
		defer cancel()
	}
	if _, err := w.begin.ExecContext(ctx); err != nil {
		return err
	}
	if err := w.fill(ctx, b); err != nil {
		w.rollback.ExecContext(ctx) // the cause is err; a rollback that fails as well adds nothing
		return err
	}
	_, err := w.commit.ExecContext(ctx)
	return err
}

func (w *writer) fill(ctx context.Context, b *batch) error {
	before := w.chain.seq - int64(len(b.events))
	for _, o := range b.ops {
		if o.do != nil {
			if err := o.do(ctx, w); err != nil {
				return err
			}
		}
	}
	if err := w.insert(ctx, b); err != nil {
		return err
	}
	for _, r := range b.deletes {
		if _, err := w.remove.ExecContext(ctx, r.Kind, r.ID); err != nil {
			return err
		}
	}
	if len(b.events)+len(b.effects) == 0 {
		return nil
	}
	done, err := w.meta.ExecContext(ctx, w.chain.seq, w.chain.hash, w.lastEffect, before)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n != 1 {
		return errors.Join(errors.New("somebody else has written to the database"), err)
	}
	return nil
}

func (w *writer) insert(ctx context.Context, b *batch) error {
	err := w.events.exec(ctx, len(b.events), func(i int, row []any) {
		e := &b.events[i]
		row[0], row[1], row[2], row[3] = e.Seq, e.At.UnixMilli(), e.Name, e.Topic
		row[4], row[5], row[6], row[7] = e.Subject, e.Actor, notNil(e.Data), b.hashes[i]
	})
	if err != nil {
		return err
	}
	err = w.records.exec(ctx, len(b.puts), func(i int, row []any) {
		r := &b.puts[i]
		row[0], row[1], row[2], row[3] = r.Kind, r.ID, notNil(r.Body), r.Seq
	})
	if err != nil {
		return err
	}
	return w.effects.exec(ctx, len(b.effects), func(i int, row []any) {
		e := &b.effects[i]
		lane := e.Lane
		if lane == "" {
			lane = "#" + strconv.FormatInt(e.ID, 10) // ordered behind nothing
		}
		row[0], row[1], row[2], row[3] = e.ID, e.Kind, e.Key, lane
		row[4], row[5], row[6] = notNil(e.Body), e.NotUntil.UnixMilli(), e.Created.UnixMilli()
	})
}

// close frees the statements, without which SQLite would keep the connection and its log open, and gives the
// connection back.
func (w *writer) close() error {
	for _, stmt := range w.stmts {
		stmt.Close() // its only error is that the connection is gone
	}
	return w.conn.Close()
}

func (w *writer) stmt(ctx context.Context, text string) (*sql.Stmt, error) {
	stmt, err := w.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", text, err)
	}
	w.stmts = append(w.stmts, stmt)
	return stmt, nil
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// chunks are how many rows one statement inserts; a batch is cut into the largest that fit.
var chunks = [...]int{256, 32, 4, 1}

// inserter inserts many rows with few statements, prepared once per chunk size.
type inserter struct {
	w          *writer
	head, tail string
	columns    int
	fixed      string // further columns of every row, as SQL
	stmts      [len(chunks)]*sql.Stmt
	args       []any
}

// exec inserts n rows; row fills the columns of the i-th.
func (in *inserter) exec(ctx context.Context, n int, row func(i int, columns []any)) error {
	done := 0
	for c, size := range chunks {
		for ; n-done >= size; done += size {
			stmt, err := in.stmt(ctx, c)
			if err != nil {
				return err
			}
			args := in.args[:size*in.columns]
			for i := range size {
				row(done+i, args[i*in.columns:(i+1)*in.columns])
			}
			if _, err = stmt.ExecContext(ctx, args...); err != nil {
				return err
			}
		}
	}
	clear(in.args)
	return nil
}

func (in *inserter) stmt(ctx context.Context, chunk int) (*sql.Stmt, error) {
	if in.args == nil {
		in.args = make([]any, chunks[0]*in.columns)
	}
	if in.stmts[chunk] != nil {
		return in.stmts[chunk], nil
	}
	var err error
	in.stmts[chunk], err = in.w.stmt(ctx, in.text(chunks[chunk]))
	return in.stmts[chunk], err
}

func (in *inserter) text(rows int) string {
	var b strings.Builder
	b.WriteString(in.head)
	for r := range rows {
		if r > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(")
		for c := range in.columns {
			if c > 0 {
				b.WriteString(", ")
			}
			b.WriteString("$" + strconv.Itoa(r*in.columns+c+1))
		}
		b.WriteString(in.fixed + ")")
	}
	return b.String() + in.tail
}

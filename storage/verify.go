package storage

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"goc/ops"
)

// Verify walks the whole chain in one snapshot and finds the first event that is missing, changed or out of order, and
// events that are missing at the end. The error is only about ctx and the connection; damage is in the report.
func (r *Reader) Verify(ctx context.Context) (ops.ChainReport, error) {
	tx, err := r.snapshot(ctx)
	if err != nil {
		return ops.ChainReport{}, err
	}
	defer tx.Rollback()
	v := verifier{}
	var end link
	row := tx.QueryRowContext(ctx, `SELECT last_seq, last_hash FROM meta WHERE one = 1`)
	if err = row.Scan(&end.seq, &end.hash); err == nil {
		err = r.query(ctx, tx, `SELECT `+eventColumns+` FROM event ORDER BY seq`, v.check)
	}
	switch {
	case ctx.Err() != nil:
		return v.report, ctx.Err()
	case v.found():
	case err != nil:
		v.bad(v.at.seq+1, "cannot be read: "+explain(err).Error())
	default:
		v.checkEnd(end)
	}
	v.report.LastSeq = v.at.seq
	v.report.Intact = !v.found()
	return v.report, nil
}

func (r *Reader) snapshot(ctx context.Context) (*sql.Tx, error) {
	tx, err := r.d.read.BeginTx(ctx, &sql.TxOptions{Isolation: r.d.isolation, ReadOnly: true})
	if err != nil {
		return nil, readError(ctx, err)
	}
	return tx, nil
}

// verifier is where the walk has come to.
type verifier struct {
	at     link
	report ops.ChainReport
}

// errFound ends the walk at the first fault.
var errFound = errors.New("the chain is broken")

func (v *verifier) found() bool { return v.report.Problem != "" }

func (v *verifier) bad(seq int64, problem string) error {
	v.report.BadSeq = seq
	v.report.Problem = fmt.Sprintf("event %d %s", seq, problem)
	return errFound
}

func (v *verifier) check(rows *sql.Rows) error {
	e, hash, err := scanEvent(rows)
	if err != nil {
		return err
	}
	return v.step(e, hash)
}

// step checks that e, stored with the hash, follows what came before.
func (v *verifier) step(e ops.Event, hash []byte) error {
	want := v.at.seq + 1
	switch {
	case e.Seq < want:
		return v.bad(e.Seq, "is there before the first, or twice")
	case e.Seq > want:
		return v.bad(want, "is missing")
	}
	if !bytes.Equal(v.at.next(&e), hash) {
		v.at.seq--
		return v.bad(want, "does not fit its hash: it, its place or its hash was changed")
	}
	v.report.Events++
	return nil
}

func (v *verifier) checkEnd(end link) {
	switch {
	case v.at.seq < end.seq:
		v.bad(v.at.seq+1, fmt.Sprintf("is missing, the journal ended at %d", end.seq))
	case v.at.seq > end.seq:
		v.bad(end.seq+1, "was added behind the journal's end")
	case !bytes.Equal(v.at.hash, end.hash):
		v.bad(v.at.seq, "is not the one that ended the journal: expected hash "+hex.EncodeToString(end.hash))
	}
}

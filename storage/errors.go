package storage

import (
	"errors"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"

	"goc/ops"
)

// explain says in a person's words what a database error means and what to do about it. The kind is Unavailable.
func explain(cause error) *ops.Error {
	var known *ops.Error
	if errors.As(cause, &known) {
		return known
	}
	switch {
	case diskFull(cause):
		return ops.Errorf(ops.Unavailable, "the disk is full: %w", cause).WithHint("free space where the data lies and start goc again; what was acknowledged is safe")
	case busy(cause):
		return ops.Errorf(ops.Unavailable, "another program holds a lock on the database: %w", cause).WithHint("end that program (a sqlite3 shell, a copy?) and start goc again; what was acknowledged is safe")
	case corrupt(cause):
		return ops.Errorf(ops.Unavailable, "the database is damaged: %w", cause).WithHint("restore the last backup with goc restore")
	}
	return ops.Errorf(ops.Unavailable, "the database does not work: %w", cause).WithHint("mend what the message says and start goc again; what was acknowledged is safe")
}

func diskFull(err error) bool {
	var lite sqlite3.Error
	if errors.As(err, &lite) {
		return lite.Code == sqlite3.ErrFull || lite.SystemErrno == syscall.ENOSPC || lite.SystemErrno == syscall.EFBIG || lite.SystemErrno == syscall.EDQUOT
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "53100" || errors.Is(err, syscall.ENOSPC)
}

func busy(err error) bool {
	var lite sqlite3.Error
	return errors.As(err, &lite) && (lite.Code == sqlite3.ErrBusy || lite.Code == sqlite3.ErrLocked)
}

func corrupt(err error) bool {
	var lite sqlite3.Error
	return errors.As(err, &lite) && (lite.Code == sqlite3.ErrCorrupt || lite.Code == sqlite3.ErrNotADB)
}

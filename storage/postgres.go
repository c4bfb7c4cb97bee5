package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"goc/ops"
)

const (
	postgresConns   = 8
	postgresTimeout = 30 * time.Second // of one transaction, after which the journal stops
	lockPatience    = 2 * time.Second
	// lockKey is the advisory lock's key; the schema is part of it so that several may share a database.
	lockKey = `hashtextextended('goc ' || current_schema(), 0)`
)

// connectPostgres opens the pool and takes the advisory lock on a connection that is held until the journal closes.
func connectPostgres(ctx context.Context, url string) (*dialect, error) {
	db, err := openPostgres(url)
	if err != nil {
		return nil, err
	}
	held, err := db.Conn(ctx)
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("connecting to PostgreSQL: %w", explain(err))
	}
	if err = lockPostgres(ctx, held); err != nil {
		return nil, errors.Join(err, held.Close(), db.Close())
	}
	d := &dialect{
		name: "postgres", goose: goose.DialectPostgres, read: db, write: db, held: held, timeout: postgresTimeout,
		isolation: sql.LevelRepeatableRead,
	}
	var fsync string
	if err = held.QueryRowContext(ctx, `SHOW fsync`).Scan(&fsync); err != nil {
		return nil, errors.Join(explain(err), d.close())
	}
	if fsync != "on" {
		d.unsafe = "fsync = " + fsync
	}
	return d, nil
}

// connectPostgresReadOnly opens the pool without the lock.
func connectPostgresReadOnly(ctx context.Context, url string) (*dialect, error) {
	db, err := openPostgres(url)
	if err != nil {
		return nil, err
	}
	if err = db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to PostgreSQL: %w", explain(err)), db.Close())
	}
	return &dialect{name: "postgres", goose: goose.DialectPostgres, read: db, isolation: sql.LevelRepeatableRead}, nil
}

func openPostgres(url string) (*sql.DB, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, ops.Errorf(ops.Invalid, "the PostgreSQL URL cannot be read: %w", err).At("storage")
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 10 * time.Second
	}
	if c.RuntimeParams["application_name"] == "" {
		host, _ := os.Hostname()
		c.RuntimeParams["application_name"] = fmt.Sprintf("goc pid %d on %s", os.Getpid(), host)
	}
	db := stdlib.OpenDB(*c)
	db.SetMaxOpenConns(postgresConns)
	db.SetMaxIdleConns(postgresConns)
	return db, nil
}

// lockPostgres takes the lock and makes sure that a commit on this connection means that the disk has it.
func lockPostgres(ctx context.Context, conn *sql.Conn) error {
	ours, err := tryLock(ctx, conn)
	if err != nil {
		return fmt.Errorf("locking the database: %w", explain(err))
	}
	if !ours {
		return ops.Errorf(ops.Conflict, "another goc (%s) uses this database", owner(ctx, conn)).
			WithHint("stop it, or choose another database with storage:")
	}
	_, err = conn.ExecContext(ctx, `SELECT set_config('synchronous_commit', 'on', false)
		WHERE current_setting('synchronous_commit') IN ('off', 'local')`)
	return err
}

// tryLock tries for a while: the server needs a moment to notice that the goc before us was killed.
func tryLock(ctx context.Context, conn *sql.Conn) (ours bool, err error) {
	for end := time.Now().Add(lockPatience); ; {
		err = conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock(`+lockKey+`)`).Scan(&ours)
		if ours || err != nil || time.Now().After(end) {
			return ours, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(lockPatience / 20):
		}
	}
}

// owner names who holds the lock, as far as the server tells.
func owner(ctx context.Context, conn *sql.Conn) string {
	var name string
	err := conn.QueryRowContext(ctx, `SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND (l.classid::bigint << 32 | l.objid::bigint) = `+lockKey).Scan(&name)
	if err != nil || name == "" {
		return "of unknown name"
	}
	return name
}

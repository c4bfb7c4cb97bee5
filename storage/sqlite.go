package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"

	"goc/ops"
)

const (
	sqliteReaders = 4
	// oldestSQLite is the first version in which a checkpoint that races a commit cannot corrupt the write-ahead log.
	oldestSQLite = 3_051_003
)

// connectSQLite opens the file, which it creates, with one connection that writes and a pool that reads.
func connectSQLite(ctx context.Context, file string) (*dialect, error) {
	if err := checkSQLite(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return nil, err
	}
	write, err := openSQLite(ctx, file, 1, url.Values{
		"_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"1"}, "_txlock": {"immediate"}, "_busy_timeout": {"10000"},
		"_cache_size": {"-16384"},
	})
	if err != nil {
		return nil, err
	}
	// No commit copies the log into the database (see checkpointer); a burst does not leave it larger than 64 MB.
	_, err = write.ExecContext(ctx, `PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864`)
	if err != nil {
		return nil, errors.Join(explain(err), write.Close())
	}
	d, err := connectSQLiteReadOnly(ctx, file)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	d.write = write
	if d.checkpoint, err = openSQLite(ctx, file, 1, url.Values{"_synchronous": {"FULL"}, "_busy_timeout": {"10000"}}); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// connectSQLiteReadOnly opens an existing file for reading; a server may be using it.
func connectSQLiteReadOnly(ctx context.Context, file string) (*dialect, error) {
	if err := checkSQLite(); err != nil {
		return nil, err
	}
	read, err := openSQLite(ctx, file, sqliteReaders, url.Values{"mode": {"ro"}, "_query_only": {"1"}, "_busy_timeout": {"10000"}})
	if err != nil {
		return nil, err
	}
	return &dialect{name: "sqlite", goose: goose.DialectSQLite3, read: read}, nil
}

func openSQLite(ctx context.Context, file string, conns int, pragmas url.Values) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Path: file, RawQuery: pragmas.Encode()}
	db, err := sql.Open("sqlite3", u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	if err = db.PingContext(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("opening %s: %w", file, explain(err))
	}
	return db, nil
}

func checkSQLite() error {
	if version, number, _ := sqlite3.Version(); number < oldestSQLite {
		return ops.Errorf(ops.Conflict, "this goc was built with SQLite %s, which can lose data; 3.51.3 or later is needed", version)
	}
	return nil
}

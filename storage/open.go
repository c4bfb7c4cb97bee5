package storage

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"

	"goc/ops"
)

//go:embed migrations
var migrations embed.FS

// place is where the state lives, as Options.URL says it.
type place struct {
	file string // SQLite: the database
	url  string // PostgreSQL
	dir  string // data folder; empty when there is none
}

func (o Options) resolve() (place, error) {
	scheme, rest, _ := strings.Cut(o.URL, ":")
	switch scheme {
	case "postgres", "postgresql":
		return place{url: o.URL, dir: o.Dir}, nil
	case "", "sqlite":
		return resolveFile(strings.TrimPrefix(rest, "//"), o.Dir)
	}
	return place{}, ops.Errorf(ops.Invalid, "the storage must be sqlite, sqlite:/a/file.db or a postgres:// URL").At("storage")
}

func resolveFile(file, dir string) (place, error) {
	if file == "" && dir == "" {
		return place{}, ops.Errorf(ops.Invalid, "SQLite needs a data folder or a file").At("data")
	}
	if file == "" {
		file = filepath.Join(dir, "goc.db")
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return place{}, err
	}
	if dir == "" {
		dir = filepath.Dir(file)
	}
	return place{file: file, dir: dir}, nil
}

// dialect is an open database of one of the two kinds.
type dialect struct {
	name    string // sqlite or postgres: the folder of its migrations
	goose   goose.Dialect
	read    *sql.DB       // pool of readers
	write   *sql.DB       // SQLite: one connection; PostgreSQL: the same pool as read; nil when open for reading only
	held    *sql.Conn     // PostgreSQL: the connection with the advisory lock, which the writer takes over
	timeout time.Duration // of one transaction; 0 for none

	checkpoint *sql.DB // SQLite: one connection that copies the log into the database; nil otherwise

	unsafe    string             // a setting of the server by which a commit may not be on disk; empty when all is well
	isolation sql.IsolationLevel // at which a transaction that reads sees one state
}

func (p place) connect(ctx context.Context) (*dialect, error) {
	if p.url != "" {
		return connectPostgres(ctx, p.url)
	}
	return connectSQLite(ctx, p.file)
}

func (p place) connectReadOnly(ctx context.Context) (*dialect, error) {
	if p.url != "" {
		return connectPostgresReadOnly(ctx, p.url)
	}
	return connectSQLiteReadOnly(ctx, p.file)
}

func (d *dialect) close() error {
	if d.write == nil || d.write == d.read {
		var err error
		if d.held != nil {
			err = d.held.Close()
		}
		return errors.Join(err, d.read.Close())
	}
	errs := []error{d.read.Close()}
	if d.checkpoint != nil {
		errs = append(errs, d.checkpoint.Close())
	}
	return errors.Join(append(errs, d.write.Close())...)
}

// migrate brings the schema up to this program's version, and refuses one that is newer.
func migrate(ctx context.Context, d *dialect) error {
	p, err := d.provider()
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the schema version: %w", explain(err))
	}
	if have > want {
		return newer(have, want)
	}
	if _, err = p.Up(ctx); err != nil {
		return fmt.Errorf("bringing the schema to version %d: %w", want, explain(err))
	}
	return nil
}

// checkVersion refuses a database that is not of this program's version.
func checkVersion(ctx context.Context, d *dialect) error {
	var have, want int64
	row := d.read.QueryRowContext(ctx, `SELECT MAX(version_id) FROM goose_db_version`)
	if err := row.Scan(&have); err != nil {
		return fmt.Errorf("reading the schema version: %w", explain(err))
	}
	files, err := migrations.ReadDir("migrations/" + d.name)
	if err != nil {
		return err
	}
	switch want = int64(len(files)); {
	case have > want:
		return newer(have, want)
	case have < want:
		return ops.Errorf(ops.Conflict, "the database has schema version %d, this goc needs %d", have, want).
			WithHint("start this goc once: it brings the database up to date")
	}
	return nil
}

func (d *dialect) provider() (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, "migrations/"+d.name)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(d.goose, d.write, folder, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}

func newer(have, want int64) error {
	return ops.Errorf(ops.Conflict, "the database has schema version %d, this goc knows %d: a newer goc has written it", have, want).
		WithHint("run the newer goc, or restore a backup that was made before the upgrade (goc restore)")
}

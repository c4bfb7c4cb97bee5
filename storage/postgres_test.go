package storage_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"goc/storage"
)

// postgres is the server that the tests use: the one at GOC_TEST_POSTGRES, or a private one that lives as long as the
// test binary.
var postgres struct {
	once    sync.Once
	url     string
	missing string // why there is none
	stop    func()
	schemas atomic.Int64
}

// freshPostgres returns a new schema of the server.
func freshPostgres(tb testing.TB) storage.Options {
	tb.Helper()
	postgres.once.Do(startPostgres)
	if postgres.missing != "" && os.Getenv("CI") == "true" {
		tb.Fatal("PostgreSQL is required under CI: ", postgres.missing)
	}
	if postgres.missing != "" {
		tb.Skip("NOT TESTED on PostgreSQL: ", postgres.missing)
	}
	schema := fmt.Sprintf("goc_%d_%d", os.Getpid(), postgres.schemas.Add(1))
	execPostgres(tb, postgres.url, "CREATE SCHEMA "+schema)
	tb.Cleanup(func() { execPostgres(tb, postgres.url, "DROP SCHEMA "+schema+" CASCADE") })
	return storage.Options{URL: postgres.url + "&search_path=" + schema}
}

func execPostgres(tb testing.TB, url, statement string) {
	tb.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	if _, err = db.ExecContext(context.Background(), statement); err != nil {
		tb.Fatal(err)
	}
}

func startPostgres() {
	if url := os.Getenv("GOC_TEST_POSTGRES"); url != "" {
		postgres.url = url
		if !slices.Contains([]byte(url), '?') {
			postgres.url += "?"
		}
		return
	}
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		postgres.missing = "there is no /usr/lib/postgresql/*/bin and GOC_TEST_POSTGRES is not set"
		return
	}
	if err := startPrivate(bins[len(bins)-1]); err != nil {
		postgres.missing = "a private server did not start: " + err.Error()
	}
}

// startPrivate makes a database cluster in a temporary folder and serves it on a Unix socket there.
func startPrivate(bin string) error {
	dir, err := os.MkdirTemp("", "goc-postgres-")
	if err != nil {
		return err
	}
	as, err := postgresUser(dir)
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(bin+"/initdb", "-D", data, "-U", "goc", "-A", "trust", "-E", "UTF8", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	server := exec.Command(bin+"/postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "max_connections=60")
	server.Dir = dir
	// SIGINT is PostgreSQL's fast shutdown; it comes also when this process dies.
	server.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGINT}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the death signal is tied to the thread that started the child
		started <- server.Start()
		server.Wait()
		close(ended)
	}()
	if err = <-started; err != nil {
		return err
	}
	postgres.stop = func() {
		server.Process.Signal(syscall.SIGINT)
		<-ended
		os.RemoveAll(dir)
	}
	postgres.url = "postgres://goc@/postgres?host=" + dir
	return awaitPostgres(postgres.url)
}

// postgresUser gives dir to the user postgres when we are root, whom the server refuses.
func postgresUser(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, uid, gid)
}

func awaitPostgres(url string) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if err = db.Ping(); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

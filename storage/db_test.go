package storage_test

import (
	"context"
	"os"
	"testing"

	"goc/storage"
)

// databases are those that every behaviour is checked on.
var databases = []struct {
	name  string
	fresh func(testing.TB) storage.Options // of an empty database
}{
	{"sqlite", func(tb testing.TB) storage.Options { return storage.Options{Dir: tb.TempDir()} }},
	{"postgres", freshPostgres},
}

func TestMain(m *testing.M) {
	if job := os.Getenv("GOC_STORAGE_CHILD"); job != "" {
		os.Exit(child(job))
	}
	code := m.Run()
	if postgres.stop != nil {
		postgres.stop()
	}
	os.Exit(code)
}

// onEach runs the test on a fresh database of each kind.
func onEach(t *testing.T, test func(t *testing.T, o storage.Options)) {
	t.Helper()
	for _, db := range databases {
		t.Run(db.name, func(t *testing.T) { test(t, db.fresh(t)) })
	}
}

func open(tb testing.TB, o storage.Options) *storage.Store {
	tb.Helper()
	s, err := storage.Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

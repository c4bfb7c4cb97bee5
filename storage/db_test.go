package storage_test

import (
	"context"
	"testing"

	"goc/storage"
)

// databases are those that every behaviour is checked on.
var databases = []struct {
	name  string
	place func(testing.TB) storage.Options // a fresh empty database
}{
	{"sqlite", func(tb testing.TB) storage.Options { return storage.Options{Dir: tb.TempDir()} }},
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

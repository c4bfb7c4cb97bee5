package storage_test

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"goc/ops"
	"goc/storage"
)

// mostLog is how long the log may get: what the committer copies at the latest, and what is written between two looks.
const mostLog = (16_000 + 2_000) * 4120

// TestTheLogStaysShortThoughWritersNeverPause writes more than the log may hold.
func TestTheLogStaysShortThoughWritersNeverPause(t *testing.T) {
	o := storage.Options{Dir: t.TempDir()}
	s := open(t, o)
	const events = 1700
	longest := writeEvents(t, s, o, events)
	if longest > mostLog {
		t.Errorf("the log was %d MB long", longest>>20)
	}
	if r, err := s.Verify(t.Context()); err != nil || r.Events != events {
		t.Errorf("of %d events, the chain holds %+v, %v", events, r, err)
	}
}

// TestAReaderThatStaysHoldsTheLogOnlyWhileItReads keeps a snapshot open, as a backup does.
func TestAReaderThatStaysHoldsTheLogOnlyWhileItReads(t *testing.T) {
	o := storage.Options{Dir: t.TempDir()}
	s := open(t, o)
	writeEvents(t, s, o, 1)
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(o.Dir, "goc.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	reader, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		t.Helper()
		if err := reader.QueryRow(`SELECT COUNT(*) FROM event`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	count()
	writeEvents(t, s, o, 1500)
	if n := count(); n != 1 {
		t.Errorf("the reader's state moved: %d events", n)
	}
	if held := logPages(t, db); held < 16_000 {
		t.Errorf("the log has %d pages: this test shows nothing", held)
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	writeEvents(t, s, o, 100)
	if n := logPages(t, db); n >= 16_000 {
		t.Errorf("the reader has gone, and the log still has %d pages", n)
	}
}

// writeEvents writes events of 64 KB one after another, and returns how long the log was at most.
func writeEvents(t *testing.T, s *storage.Store, o storage.Options, n int) (longest int64) {
	t.Helper()
	data := append(append([]byte(`"`), bytes.Repeat([]byte("x"), 64<<10)...), '"')
	for i := range n {
		e := event("a", strconv.Itoa(i))
		e.Data = data
		must(t, s.Append(ops.Mutation{Events: []ops.Event{e}}))
		st, err := os.Stat(filepath.Join(o.Dir, "goc.db-wal"))
		if err != nil {
			t.Fatal(err)
		}
		longest = max(longest, st.Size())
	}
	return longest
}

// logPages is how many pages the log holds that readers would look for.
func logPages(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	var busy, copied int
	if err := db.QueryRow(`PRAGMA wal_checkpoint(NOOP)`).Scan(&busy, &n, &copied); err != nil {
		t.Fatal(err)
	}
	return n
}

package storage_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"goc/ops"
	"goc/storage"
)

// raw runs statements on the database behind goc's back.
func raw(tb testing.TB, o storage.Options, statements ...string) {
	tb.Helper()
	driver, place := "pgx", o.URL
	if o.URL == "" {
		driver, place = "sqlite3", "file:"+filepath.Join(o.Dir, "goc.db")
	}
	db, err := sql.Open(driver, place)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	for _, text := range statements {
		if _, err = db.ExecContext(tb.Context(), text); err != nil {
			tb.Fatalf("%s: %v", text, err)
		}
	}
}

// tenEvents leaves a closed database with ten events.
func tenEvents(tb testing.TB, o storage.Options) {
	s := open(tb, o)
	for i := range 10 {
		must(tb, s.Append(ops.Mutation{Put: []ops.Record{put("x", fmt.Sprint(i), "{}")}, Events: []ops.Event{event("a", fmt.Sprint(i))}}))
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
}

func verify(tb testing.TB, o storage.Options) ops.ChainReport {
	tb.Helper()
	r, err := storage.OpenReadOnly(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	report, err := r.Verify(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return report
}

func TestVerifyFindsTheFirstEventThatWasTouched(t *testing.T) {
	for _, c := range []struct {
		name   string
		change string
		bad    int64
		says   string
	}{
		{"nothing", `UPDATE record SET body = body`, 0, ""},
		{"a byte of the data", `UPDATE event SET data = replace_byte WHERE seq = 4`, 4, "changed"},
		{"the time by a millisecond", `UPDATE event SET at = at + 1 WHERE seq = 4`, 4, "changed"},
		{"the name", `UPDATE event SET name = 'a.chanGed' WHERE seq = 1`, 1, "changed"},
		{"the topic", `UPDATE event SET topic = 'b' WHERE seq = 4`, 4, "changed"},
		{"the subject", `UPDATE event SET subject = '' WHERE seq = 10`, 10, "changed"},
		{"the actor", `UPDATE event SET actor = 'li' WHERE seq IN (4, 7)`, 4, "changed"},
		{"a letter that moves from name to topic", `UPDATE event SET name = 'a.change', topic = 'da' WHERE seq = 4`, 4, "changed"},
		{"the hash", `UPDATE event SET hash = (SELECT e.hash FROM event e WHERE e.seq = 5) WHERE seq = 4`, 4, "changed"},
		{"an event in the middle", `DELETE FROM event WHERE seq = 5`, 5, "missing"},
		{"the first event", `DELETE FROM event WHERE seq = 1`, 1, "missing"},
		{"the last events", `DELETE FROM event WHERE seq > 8`, 9, "ended at 10"},
		{"all events", `DELETE FROM event`, 1, "ended at 10"},
		{"two events that change places", `UPDATE event SET seq = CASE seq WHEN 3 THEN -4 ELSE -3 END WHERE seq IN (3, 4); UPDATE event SET seq = -seq WHERE seq < 0`, 3, "changed"},
		{"an event before the first", `INSERT INTO event SELECT 0, at, name, topic, subject, actor, data, hash FROM event WHERE seq = 1`, 0, "before"},
		{"an event behind the last", `INSERT INTO event SELECT 11, at, name, topic, subject, actor, data, hash FROM event WHERE seq = 1`, 11, "changed"},
		{"the end that the journal remembers", `UPDATE meta SET last_seq = 9`, 10, "added"},
		{"the hash that the journal remembers", `UPDATE meta SET last_hash = (SELECT hash FROM event WHERE seq = 9)`, 10, "ended the journal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, o storage.Options) {
				tenEvents(t, o)
				other := "X'7B227465787422'"
				if o.URL != "" {
					other = `'\x7B227465787422'::bytea`
				}
				for _, text := range strings.Split(strings.ReplaceAll(c.change, "replace_byte", other), ";") {
					raw(t, o, text)
				}
				r := verify(t, o)
				if r.Intact != (c.says == "") || r.BadSeq != c.bad || !strings.Contains(r.Problem, c.says) {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

func TestVerifyFindsAByteChangedInTheFile(t *testing.T) {
	o := storage.Options{Dir: t.TempDir()}
	tenEvents(t, o)
	file := filepath.Join(o.Dir, "goc.db")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.LastIndex(string(b), "it changed") // rows are stored from the end of a page to its front: the first event
	b[at]++
	if err = os.WriteFile(file, b, 0o640); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, o); r.Intact || r.BadSeq != 1 {
		t.Errorf("%+v", r)
	}
}

func TestVerifyReportsAFileThatIsDamaged(t *testing.T) {
	o := storage.Options{Dir: t.TempDir()}
	s := open(t, o)
	for range 50 {
		must(t, s.Append(ops.Mutation{Events: []ops.Event{event("a", strings.Repeat("s", 500))}}))
	}
	s.Close()
	file := filepath.Join(o.Dir, "goc.db")
	b, _ := os.ReadFile(file)
	for page := 8; page < len(b)/4096; page++ { // behind the pages of the schema
		copy(b[page*4096:], "this is no page of a database")
	}
	if err := os.WriteFile(file, b, 0o640); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, o); r.Intact || !strings.Contains(r.Problem, "damaged") {
		t.Errorf("%+v", r)
	}
}

func TestReadingBesideARunningServer(t *testing.T) {
	onEach(t, func(t *testing.T, o storage.Options) {
		s := open(t, o)
		must(t, s.Append(ops.Mutation{Events: []ops.Event{event("a", "1")}}))
		if r := verify(t, o); !r.Intact || r.Events != 1 {
			t.Errorf("%+v", r)
		}
		must(t, s.Append(ops.Mutation{Events: []ops.Event{event("a", "2")}}))
		if r := verify(t, o); !r.Intact || r.Events != 2 {
			t.Errorf("%+v", r)
		}
	})
}

func TestASecondOwnerIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, o storage.Options) {
		s := open(t, o)
		_, err := storage.Open(t.Context(), o)
		if ops.KindOf(err) != ops.Conflict || !strings.Contains(err.Error(), fmt.Sprint("pid ", os.Getpid())) || hint(err) == "" {
			t.Fatalf("%v", err)
		}
		must(t, s.Append(ops.Mutation{Events: []ops.Event{event("a", "1")}}))
		s.Close()
		open(t, o)
	})
}

func hint(err error) string {
	var e *ops.Error
	errors.As(err, &e)
	return e.Hint
}

func TestADatabaseOfANewerGocIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, o storage.Options) {
		tenEvents(t, o)
		raw(t, o, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)`)
		_, err := storage.Open(t.Context(), o)
		_, err2 := storage.OpenReadOnly(t.Context(), o)
		for _, err := range []error{err, err2} {
			if ops.KindOf(err) != ops.Conflict || !strings.Contains(err.Error(), "version 999") || !strings.Contains(hint(err), "newer goc") {
				t.Errorf("%v", err)
			}
		}
		raw(t, o, `DELETE FROM goose_db_version WHERE version_id = 999`)
		intact(t, open(t, o).Reader, 10)
	})
}

func TestWhenSomebodyElseWroteTheJournalStops(t *testing.T) {
	onEach(t, func(t *testing.T, o storage.Options) {
		s := open(t, o)
		must(t, s.Append(ops.Mutation{Events: []ops.Event{event("a", "1")}}))
		raw(t, o, `UPDATE meta SET last_seq = 7`)
		release := s.Hold()
		batch := []*ops.Receipt{
			s.Append(ops.Mutation{Put: []ops.Record{put("x", "1", "")}}),
			s.Append(ops.Mutation{Put: []ops.Record{put("x", "2", "")}, Events: []ops.Event{event("a", "2")}}),
		}
		release()
		for _, r := range append(batch, s.Append(ops.Mutation{})) {
			if _, err := r.Wait(t.Context()); ops.KindOf(err) != ops.Unavailable {
				t.Errorf("%v", err)
			}
		}
		if s.Err() == nil || len(load(t, s.Reader, "x")) != 0 || s.LastSeq() != 1 {
			t.Errorf("%v, %d records, last number %d", s.Err(), len(load(t, s.Reader, "x")), s.LastSeq())
		}
	})
}

func TestALostConnectionStopsTheJournal(t *testing.T) {
	o := freshPostgres(t)
	s := open(t, o)
	must(t, s.Append(ops.Mutation{Events: []ops.Event{event("a", "1")}}))
	execPostgres(t, postgres.url, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`)
	if err := s.Ping(t.Context()); ops.KindOf(err) != ops.Unavailable {
		t.Errorf("%v", err)
	}
	if _, err := s.Append(ops.Mutation{}).Wait(t.Context()); ops.KindOf(err) != ops.Unavailable || s.Err() == nil {
		t.Errorf("%v, %v", err, s.Err())
	}
	s.Close()
	intact(t, open(t, o).Reader, 1)
}

func TestPlacesThatCannotBe(t *testing.T) {
	for url, says := range map[string]string{
		"mysql://x":           "must be sqlite",
		"sqlite":              "needs a data folder",
		"postgres://%zz":      "cannot be read",
		"sqlite:/dev/null/db": "not a directory",
		"postgres://goc@127.0.0.1:1/x?connect_timeout=1": "connecting to PostgreSQL",
	} {
		if _, err := storage.Open(t.Context(), storage.Options{URL: url}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := storage.OpenReadOnly(t.Context(), storage.Options{Dir: t.TempDir()}); err == nil {
		t.Error("a folder without a database can be read")
	}
	odd := filepath.Join(t.TempDir(), "a b?c#d%20e", "goc.db")
	s := open(t, storage.Options{URL: "sqlite:" + odd})
	s.Close()
	if _, err := os.Stat(odd); err != nil {
		t.Error(err)
	}
}

func TestTheConnectionThatWritesWaitsForTheDisk(t *testing.T) {
	onEach(t, func(t *testing.T, o storage.Options) {
		want := map[string]string{"PRAGMA journal_mode": "wal", "PRAGMA synchronous": "2", "PRAGMA foreign_keys": "1", "PRAGMA wal_autocheckpoint": "0"}
		if o.URL != "" {
			o.URL += "&synchronous_commit=off"
			want = map[string]string{"SHOW synchronous_commit": "on"}
		}
		s := open(t, o)
		for query, value := range want {
			if got, err := s.Setting(t.Context(), query); got != value || err != nil {
				t.Errorf("%s: %q, %v", query, got, err)
			}
		}
	})
}

func TestNothingIsLeftRunningAfterClose(t *testing.T) {
	onEach(t, func(t *testing.T, o storage.Options) {
		before := goleak.IgnoreCurrent()
		o.Registerer = prometheus.NewRegistry()
		for range 2 { // the second would panic if the first had left its metrics
			s, err := storage.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			must(t, s.Append(ops.Mutation{Events: []ops.Event{event("a", "1")}}))
			if err = s.Close(); err != nil {
				t.Error(err)
			}
		}
		goleak.VerifyNone(t, before)
		if o.URL != "" {
			return
		}
		left, err := filepath.Glob(filepath.Join(o.Dir, "goc.db-*"))
		if err != nil || len(left) != 0 {
			t.Errorf("the log was not taken into the database: %v, %v", left, err)
		}
	})
}

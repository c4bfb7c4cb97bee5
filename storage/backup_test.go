package storage_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"goc/ops"
	"goc/storage"
)

// filled opens a database with 600 records, 600 events and two effects.
func filled(t *testing.T, o storage.Options) *storage.Store {
	s := open(t, o)
	m := ops.Mutation{Effects: []ops.Effect{
		{Kind: "slack", Key: "INC-1", Lane: "INC-1", Body: []byte(`{"n":1}`), Created: noon},
		{Kind: "slack", Key: "INC-2", Lane: "INC-2", Body: []byte(`{"n":2}`), Created: noon},
	}}
	for i := range 600 {
		m.Put = append(m.Put, put("x", fmt.Sprintf("%03d", i), strings.Repeat("\x00\xff", i)))
		m.Events = append(m.Events, event("a", fmt.Sprint(i)))
	}
	must(t, s.Append(m))
	settle(t, s, 1, storage.Done, "")
	return s
}

func backup(t *testing.T, s *storage.Store) string {
	file := filepath.Join(t.TempDir(), "goc.backup.gz")
	if err := s.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestABackupRestoresIntoEitherDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, from storage.Options) {
		s := filled(t, from)
		file := backup(t, s)
		must(t, s.Append(ops.Mutation{Put: []ops.Record{put("x", "later", "")}})) // the backup is of its instant
		want := load(t, s.Reader, "x")[:600]
		onEach(t, func(t *testing.T, to storage.Options) {
			if err := storage.Restore(t.Context(), to, file); err != nil {
				t.Fatal(err)
			}
			r := open(t, to)
			same(t, "records", load(t, r.Reader, "x"), want)
			same(t, "events", events(t, r.Reader, ops.EventQuery{}), events(t, s.Reader, ops.EventQuery{}))
			intact(t, r.Reader, 600)
			must(t, r.Append(ops.Mutation{Events: []ops.Event{event("a", "next")}, Effects: []ops.Effect{{Kind: "slack", Key: "INC-1"}}}))
			intact(t, r.Reader, 601)
			effects, err := r.Effects(t.Context(), storage.EffectQuery{})
			states := []string{}
			for _, e := range effects {
				states = append(states, fmt.Sprint(e.ID, " ", e.State, " ", string(e.Body)))
			}
			same(t, "effects", states, []string{"3 pending ", `2 indeterminate {"n":2}`, `1 done {"n":1}`})
			if err != nil {
				t.Error(err)
			}
		})
	})
}

func TestARestoreIsRefusedWhole(t *testing.T) {
	s := filled(t, storage.Options{Dir: t.TempDir()})
	good, err := os.ReadFile(backup(t, s))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(unzip(t, good)), "\n")
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"a file that is no gzip":      {[]byte("hello"), "no backup"},
		"JSON that is no backup":      {zip(t, `{"a":1}`), "no backup"},
		"a format of tomorrow":        {zip(t, `{"goc_backup":{"format":9}}`), "no backup that this goc can read"},
		"a gzip that is cut short":    {good[:len(good)/2], "cut short"},
		"lines without the end":       {zip(t, lines[:len(lines)-2]...), "cut short"},
		"a record that is left out":   {zip(t, append([]string{lines[0]}, lines[2:]...)...), "instead of"},
		"an event that was changed":   {zip(t, strings.ReplaceAll(strings.Join(lines, ""), `"subject":"17"`, `"subject":"71"`)), "event 18"},
		"an event that was left out":  {zip(t, strings.Join(lines[:700], ""), strings.Join(lines[701:], "")), "is missing"},
		"the end of the chain is cut": {zip(t, strings.Join(lines[:1195], ""), strings.Join(lines[1201:], "")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "backup")
			if err := os.WriteFile(file, c.file, 0o600); err != nil {
				t.Fatal(err)
			}
			o := storage.Options{Dir: t.TempDir()}
			if err := storage.Restore(t.Context(), o, file); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
			r := open(t, o)
			if len(load(t, r.Reader, "x")) != 0 || r.LastSeq() != 0 {
				t.Error("something was restored")
			}
			intact(t, r.Reader, 0)
		})
	}
}

func TestARestoreIntoAPlaceInUseOrNotEmptyIsRefused(t *testing.T) {
	o := storage.Options{Dir: t.TempDir()}
	s := filled(t, o)
	file := backup(t, s)
	if err := storage.Restore(t.Context(), o, file); ops.KindOf(err) != ops.Conflict || !strings.Contains(err.Error(), "another goc") {
		t.Errorf("%v", err)
	}
	s.Close()
	if err := storage.Restore(t.Context(), o, file); ops.KindOf(err) != ops.Conflict || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("%v", err)
	}
	s = open(t, o)
	intact(t, s.Reader, 600)
	if err := s.Backup(t.Context(), file); ops.KindOf(err) != ops.Conflict {
		t.Errorf("a backup overwrote another: %v", err)
	}
}

func unzip(t *testing.T, b []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func zip(t *testing.T, lines ...string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for _, l := range lines {
		if _, err := io.WriteString(w, l); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

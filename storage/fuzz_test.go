package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"

	"goc/ops"
)

// FuzzBackup reads any lines as a backup: it may refuse them, and what it accepts must be a whole chain.
func FuzzBackup(f *testing.F) {
	f.Add(exampleBackup(f))
	f.Add([]byte(`{"goc_backup":{"format":1}}` + "\n" + `{"end":{}}`))
	f.Add([]byte(`{"goc_backup":{"format":1}}{"event":{"seq":1}}{"effect":{"id":1}}{"record":{}}{"end":{"events":1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var events int64
		l := loader{lines: json.NewDecoder(bytes.NewReader(b)), write: func(_ context.Context, b *batch) error {
			events += int64(len(b.events))
			return nil
		}}
		if l.run(t.Context()) == nil && (l.chain.at.seq != events || l.header.LastSeq != events) {
			t.Errorf("%d events were accepted, the chain ends at %d", events, l.chain.at.seq)
		}
	})
}

func exampleBackup(f *testing.F) []byte {
	s, err := Open(context.Background(), Options{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	defer s.Close()
	s.Append(ops.Mutation{
		Put:     []ops.Record{{Kind: "x", ID: "1", Body: []byte("{}")}},
		Events:  []ops.Event{{Name: "a", Topic: "b"}, {Name: "c", Topic: "d", Data: []byte(`{"text":"it changed"}`)}},
		Effects: []ops.Effect{{Kind: "slack", Key: "k"}},
	}).Wait(context.Background())
	file := filepath.Join(f.TempDir(), "backup")
	if err = s.Backup(context.Background(), file); err != nil {
		f.Fatal(err)
	}
	zipped, err := os.Open(file)
	if err != nil {
		f.Fatal(err)
	}
	defer zipped.Close()
	r, err := gzip.NewReader(zipped)
	if err != nil {
		f.Fatal(err)
	}
	var plain bytes.Buffer
	if _, err = plain.ReadFrom(r); err != nil {
		f.Fatal(err)
	}
	return plain.Bytes()
}

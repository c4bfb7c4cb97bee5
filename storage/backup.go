package storage

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/gzip"

	"goc/ops"
)

// A backup is gzipped JSON lines, the same for both databases: a header, every record, event and effect, and an end
// with their numbers, without which the file is cut short. Bodies are base64, so that hashes still fit.
type backupLine struct {
	Header *backupHeader `json:"goc_backup,omitempty"`
	Record *ops.Record   `json:"record,omitempty"`
	Event  *backupEvent  `json:"event,omitempty"`
	Effect *backupEffect `json:"effect,omitempty"`
	End    *backupEnd    `json:"end,omitempty"`
}

type backupHeader struct {
	Format     int      `json:"format"`
	At         ops.Time `json:"at"`
	LastSeq    int64    `json:"last_seq"`
	LastHash   []byte   `json:"last_hash"`
	LastEffect int64    `json:"last_effect"`
}

type backupEvent struct {
	ops.Event
	At   int64  `json:"at"` // Unix milliseconds, as stored
	Data []byte `json:"data"`
	Hash []byte `json:"hash"`
}

type backupEffect struct {
	ops.Effect
	Body []byte `json:"body"`
}

type backupEnd struct {
	Records int64 `json:"records"`
	Events  int64 `json:"events"`
	Effects int64 `json:"effects"`
}

const backupFormat = 1

// Backup writes all state as of one instant to a new file, which appears only once it is whole and on disk. It works
// beside a running server. An existing file is not overwritten.
func (r *Reader) Backup(ctx context.Context, file string) (err error) {
	if _, err = os.Stat(file); err == nil {
		return ops.Errorf(ops.Conflict, "%s exists already", file).WithHint("choose another name")
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".goc-backup-*") // mode 0600: it holds everything
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("writing the backup: %w", err), f.Close(), os.Remove(f.Name()))
		}
	}()
	if err = r.dump(ctx, f); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), file); err != nil {
		return err
	}
	return errors.Join(f.Close(), syncDir(filepath.Dir(file)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// dump writes the lines of one snapshot.
func (r *Reader) dump(ctx context.Context, to io.Writer) error {
	tx, err := r.snapshot(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	buffered := bufio.NewWriterSize(to, 1<<20)
	zipped := gzip.NewWriter(buffered)
	out := json.NewEncoder(zipped)
	h := backupHeader{Format: backupFormat, At: ops.At(time.Now())}
	row := tx.QueryRowContext(ctx, `SELECT last_seq, last_hash, last_effect FROM meta WHERE one = 1`)
	if err = row.Scan(&h.LastSeq, &h.LastHash, &h.LastEffect); err != nil {
		return err
	}
	if err = out.Encode(backupLine{Header: &h}); err != nil {
		return err
	}
	end, err := r.dumpRows(ctx, tx, out)
	if err != nil {
		return err
	}
	return errors.Join(out.Encode(backupLine{End: &end}), zipped.Close(), buffered.Flush())
}

func (r *Reader) dumpRows(ctx context.Context, tx *sql.Tx, out *json.Encoder) (end backupEnd, err error) {
	err = r.query(ctx, tx, `SELECT kind, id, body, seq FROM record ORDER BY kind, id`, func(rows *sql.Rows) error {
		end.Records++
		var rec ops.Record
		return errors.Join(rows.Scan(&rec.Kind, &rec.ID, &rec.Body, &rec.Seq), out.Encode(backupLine{Record: &rec}))
	})
	if err != nil {
		return end, err
	}
	err = r.query(ctx, tx, `SELECT `+eventColumns+` FROM event ORDER BY seq`, func(rows *sql.Rows) error {
		end.Events++
		e, hash, err := scanEvent(rows)
		return errors.Join(err, out.Encode(backupLine{Event: &backupEvent{e, e.At.UnixMilli(), e.Data, hash}}))
	})
	if err != nil {
		return end, err
	}
	return end, r.query(ctx, tx, `SELECT `+effectColumns+` FROM effect ORDER BY id`, func(rows *sql.Rows) error {
		end.Effects++
		e, err := scanEffect(rows)
		return errors.Join(err, out.Encode(backupLine{Effect: &backupEffect{e, e.Body}}))
	})
}

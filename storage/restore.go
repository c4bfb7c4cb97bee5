package storage

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/gzip"

	"goc/ops"
)

// Restore fills an empty place with a backup, all of it or nothing, and checks the chain on the way. Effects that were
// open become indeterminate: a restore must not send yesterday's messages again, nor run yesterday's plan steps.
func Restore(ctx context.Context, o Options, file string) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	s.writer.timeout = 0 // a large restore takes longer than a commit may; the committer is idle
	return s.submit(ctx, func(_ context.Context, w *writer) error {
		if err := w.restore(ctx, f); err != nil {
			return ops.Errorf(ops.KindOf(err), "restoring %s: %w", file, err).WithHint("nothing was restored")
		}
		return nil
	})
}

// restore runs within a transaction of the writer.
func (w *writer) restore(ctx context.Context, from io.Reader) error {
	if err := w.mustBeEmpty(ctx); err != nil {
		return err
	}
	zipped, err := gzip.NewReader(bufio.NewReaderSize(from, 1<<20))
	if err != nil {
		return ops.Errorf(ops.Invalid, "it is no backup of goc: %w", err)
	}
	l := loader{write: w.restoreBatch, lines: json.NewDecoder(zipped)}
	if err = l.run(ctx); err != nil {
		return err
	}
	w.chain, w.lastEffect = l.chain.at, l.header.LastEffect
	_, err = w.meta.ExecContext(ctx, w.chain.seq, notNil(w.chain.hash), w.lastEffect, 0)
	return err
}

const restoreEffect = `INSERT INTO effect (` + effectColumns + `, settled) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

func (w *writer) restoreBatch(ctx context.Context, b *batch) error {
	if err := w.insert(ctx, &batch{puts: b.puts, events: b.events, hashes: b.hashes}); err != nil {
		return err
	}
	for _, e := range b.effects {
		if e.State == Pending || e.State == Running {
			e.State, e.Error = Indeterminate, "it was open when the backup was made"
		}
		_, err := w.conn.ExecContext(ctx, restoreEffect, e.ID, e.Kind, e.Key, e.Lane, notNil(e.Body), e.State, e.Attempts,
			0, e.Error, e.Created.UnixMilli(), time.Now().UnixMilli())
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) mustBeEmpty(ctx context.Context) error {
	var rows int64
	err := w.conn.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM record) + (SELECT count(*) FROM event) + (SELECT count(*) FROM effect)`).Scan(&rows)
	if err == nil && rows > 0 {
		return ops.Errorf(ops.Conflict, "the place is not empty").WithHint("restore into an empty data folder or database")
	}
	return err
}

// loader reads a backup's lines and writes them in batches.
type loader struct {
	write  func(context.Context, *batch) error
	lines  *json.Decoder
	header *backupHeader
	chain  verifier
	count  backupEnd
	batch  batch
}

func (l *loader) run(ctx context.Context) error {
	for {
		var line backupLine
		switch err := l.lines.Decode(&line); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return ops.Errorf(ops.Invalid, "the backup is cut short")
		case err != nil:
			return ops.Errorf(ops.Invalid, "the backup cannot be read: %w", err)
		}
		if line.End != nil {
			return errors.Join(l.flush(ctx), l.finish(*line.End))
		}
		if err := l.add(line); err != nil {
			return err
		}
		if len(l.batch.puts)+len(l.batch.events)+len(l.batch.effects) >= chunks[0] {
			if err := l.flush(ctx); err != nil {
				return err
			}
		}
	}
}

func (l *loader) add(line backupLine) error {
	switch {
	case line.Header != nil && l.header == nil && line.Header.Format == backupFormat:
		l.header = line.Header
	case l.header == nil:
		return ops.Errorf(ops.Invalid, "it is no backup that this goc can read")
	case line.Record != nil:
		l.count.Records++
		l.batch.puts = append(l.batch.puts, *line.Record)
	case line.Event != nil:
		l.count.Events++
		e := line.Event.Event
		e.Data, e.At = line.Event.Data, fromMilli(line.Event.At)
		if err := l.chain.step(e, line.Event.Hash); err != nil {
			return ops.Errorf(ops.Invalid, "the backup was changed: %s", l.chain.report.Problem)
		}
		l.batch.events = append(l.batch.events, e)
		l.batch.hashes = append(l.batch.hashes, line.Event.Hash)
	case line.Effect != nil:
		l.count.Effects++
		e := line.Effect.Effect
		e.Body = line.Effect.Body
		l.batch.effects = append(l.batch.effects, e)
	}
	return nil
}

func (l *loader) flush(ctx context.Context) error {
	err := l.write(ctx, &l.batch)
	l.batch = batch{puts: l.batch.puts[:0], events: l.batch.events[:0], hashes: l.batch.hashes[:0], effects: l.batch.effects[:0]}
	return err
}

func (l *loader) finish(end backupEnd) error {
	if l.header == nil || end != l.count {
		return ops.Errorf(ops.Invalid, "the backup holds %v instead of %v", l.count, end)
	}
	l.chain.checkEnd(link{seq: l.header.LastSeq, hash: l.header.LastHash})
	if l.chain.found() {
		return ops.Errorf(ops.Invalid, "the backup was changed: %s", l.chain.report.Problem)
	}
	return nil
}

func (e backupEnd) String() string {
	return fmt.Sprintf("%d records, %d events and %d effects", e.Records, e.Events, e.Effects)
}

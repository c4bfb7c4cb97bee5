package storage

import (
	"context"
	"database/sql"
	"log/slog"
	"sync/atomic"
)

// SQLite's write-ahead log has to be copied into the database now and then. By default a commit does it, and then holds
// all its writers while thousands of pages are written and the disk is waited for twice: some 10 ms, several times a second
// when there is much to write. Here a connection of its own copies beside the commits. It never catches up with writers
// that do not pause, so the committer copies the last few pages itself, after which the log begins anew.

// Lengths of the log, in pages of 4 KB, and how often it is measured.
const (
	logCopied  = 1000   // so much that is not in the database is copied beside the commits
	logRenewed = 4000   // so long a log begins anew as soon as what is not in the database is little
	logLittle  = 400    // so much the committer copies itself
	logTooLong = 16_000 // a longer log the committer copies whole: the writers wait rather than that the disk fills
	lookEvery  = 32     // commits
	lookBytes  = 1 << 20
)

const (
	checkpointNothing = `PRAGMA wal_checkpoint(NOOP)` // measures
	checkpointBeside  = `PRAGMA wal_checkpoint(PASSIVE)`
)

// logLength is what a checkpoint tells of the log, in pages.
type logLength struct{ all, copied int }

func readLength(row *sql.Row) (l logLength, err error) {
	var busy int // another connection is copying at this moment
	err = row.Scan(&busy, &l.all, &l.copied)
	return l, err
}

// checkpointer copies the log beside the commits.
type checkpointer struct {
	db    *sql.DB
	log   *slog.Logger
	wake  chan struct{} // holds one token; closed by stop
	ended chan struct{}

	working atomic.Bool // from the committer's call until the copy is done
	failing atomic.Bool
	looked  bool // since the last copy; of the committer, like all below

	measure, copyRest *sql.Stmt
	commits, bytes    int // since the log was last measured
}

// newCheckpointer is nil when the database keeps its log by itself.
func newCheckpointer(ctx context.Context, d *dialect, w *writer, log *slog.Logger) (c *checkpointer, err error) {
	if d.checkpoint == nil {
		return nil, nil
	}
	c = &checkpointer{db: d.checkpoint, log: log, wake: make(chan struct{}, 1), ended: make(chan struct{}), looked: true}
	if c.measure, err = w.stmt(ctx, checkpointNothing); err != nil {
		return nil, err
	}
	if c.copyRest, err = w.stmt(ctx, checkpointBeside); err != nil {
		return nil, err
	}
	go c.run()
	return c, nil
}

func (c *checkpointer) run() {
	defer close(c.ended)
	for range c.wake {
		_, err := readLength(c.db.QueryRow(checkpointBeside))
		c.tell(err)
		c.working.Store(false)
	}
}

// after is called by the committer after each commit. What goes wrong loses nothing: the log is as durable as the database.
func (c *checkpointer) after(batch []*op) {
	if c == nil {
		return
	}
	c.commits++
	for _, o := range batch {
		c.bytes += o.size
	}
	done := !c.looked && !c.working.Load() // a copy has just ended: the least is left now
	if !done && c.commits < lookEvery && c.bytes < lookBytes {
		return
	}
	c.commits, c.bytes, c.looked = 0, 0, c.looked || done
	l, err := readLength(c.measure.QueryRow())
	if err != nil {
		c.tell(err)
		return
	}
	c.tend(l)
}

// tend does what a log of that length needs.
func (c *checkpointer) tend(l logLength) {
	left := l.all - l.copied
	switch {
	case l.all >= logRenewed && left <= logLittle && !c.working.Load(), l.all >= logTooLong:
		_, err := readLength(c.copyRest.QueryRow())
		c.tell(err)
	case left >= logCopied && c.working.CompareAndSwap(false, true):
		c.looked = false
		c.wake <- struct{}{} // there is room: it was not at work
	}
}

// tell logs that copying fails, once until it works again.
func (c *checkpointer) tell(err error) {
	if was := c.failing.Swap(err != nil); err != nil && !was {
		c.log.Warn("the write-ahead log cannot be copied into the database, it grows", "error", explain(err))
	}
}

// stop ends the goroutine. The committer has ended before.
func (c *checkpointer) stop() {
	if c != nil {
		close(c.wake)
		<-c.ended
	}
}

package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"

	"goc/incidents/engine"
	"goc/ops"
)

// Export is a part of a recording that is ready to be read.
type Export struct {
	ctx      context.Context
	segments []segment
	newest   bool // the last of them is the one that is being written
	from, to time.Time
}

// Export opens what was recorded from from to to; zero times leave their ends open. It begins where a segment does, so
// that everything before is in the state that the segment begins with.
func (r *Recorder) Export(ctx context.Context, from, to time.Time) (*Export, error) {
	if !to.IsZero() && to.Before(from) {
		return nil, ops.Errorf(ops.Invalid, "a span must not end before it starts").At("query.to")
	}
	if err := r.Flush(ctx); err != nil {
		return nil, err
	}
	all, err := segments(r.o.Dir)
	if err != nil {
		return nil, err
	}
	first, last := 0, len(all)
	for i, s := range all {
		if !s.from.After(from) {
			first = i
		}
		if !to.IsZero() && s.from.After(to) {
			last = i
			break
		}
	}
	if first >= last {
		return nil, ops.Errorf(ops.NotFound, "nothing was recorded then")
	}
	return &Export{ctx: ctx, segments: all[first:last], newest: last == len(all), from: from, to: to}, nil
}

// WriteTo writes the export as gzip of JSON lines. A segment that was removed meanwhile, or that ends before its time,
// is marked as a gap, and the state with which the next one begins is kept.
func (e *Export) WriteTo(w io.Writer) (int64, error) {
	n := &counted{w: w}
	gz, err := gzip.NewWriterLevel(n, gzip.BestSpeed)
	if err != nil {
		return 0, err
	}
	if first := e.segments[0].from; first.After(e.from) && !e.from.IsZero() {
		text := fmt.Sprintf("the history begins at %s; what was before is no longer there", ops.At(first))
		if err := gap(gz, e.from, first, text); err != nil {
			return n.n, err
		}
	}
	whole := false // what came before the segment, as far as it was asked for
	for i, s := range e.segments {
		c := copying{w: gz, to: e.to, ctx: e.ctx, goesOn: whole, last: s.from}
		missing, err := c.copy(s)
		if err != nil {
			return n.n, err
		}
		whole = missing == ""
		if end := e.newest && i == len(e.segments)-1; !whole && !(end && c.torn) { // the newest is being written
			if err := gap(gz, c.last, e.until(i), missing); err != nil {
				return n.n, err
			}
		}
	}
	return n.n, gz.Close()
}

// until is when the segment after the one of a number begins.
func (e *Export) until(i int) time.Time {
	if i+1 < len(e.segments) {
		return e.segments[i+1].from
	}
	return e.segments[i].from
}

// gap writes the line that says what is missing.
func gap(w io.Writer, from, until time.Time, text string) error {
	b, err := engine.AppendLine(nil, engine.Head{Kind: "gap", At: from}, engine.Recorded{Until: ops.At(until), Text: text})
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// errEnough ends the reading of a segment.
var errEnough = errors.New("the span is over")

// copying is the way of one segment into an export.
type copying struct {
	w        io.Writer
	ctx      context.Context
	to       time.Time
	goesOn   bool      // all that came before is there, so that its own beginning says nothing new
	skipping bool      // within that beginning
	last     time.Time // of what was written
	torn     bool
}

// copy writes the lines of one segment up to the end of the span, and says what is missing of it.
func (c *copying) copy(s segment) (missing string, err error) {
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("the segment of %s is no longer there", ops.At(s.from)), nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	torn, err := Read(f, c.line)
	switch {
	case errors.Is(err, errEnough):
		return "", nil
	case errors.Is(err, errNoGzip):
		return fmt.Sprintf("the segment of %s cannot be read", ops.At(s.from)), nil
	case err == nil && torn:
		c.torn = true
		return fmt.Sprintf("the segment of %s was cut off or is damaged after %s", ops.At(s.from), ops.At(c.last)), nil
	}
	return "", err
}

// line writes one line. State is needed only where the export begins, where something is missing before, or the program
// began.
func (c *copying) line(n int, line []byte) error {
	if n%1000 == 0 && c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	at, kind := peek(line)
	switch {
	case !c.to.IsZero() && at.After(c.to):
		return errEnough
	case kind == "start" && c.goesOn && bytes.Contains(line[:min(len(line), 200)], []byte(`"why":"segment"`)):
		c.skipping = true
	case c.skipping && kind == "ready":
		c.skipping = false
		return nil
	}
	if c.skipping {
		return nil
	}
	if at.After(c.last) {
		c.last = at
	}
	if _, err := c.w.Write(line); err != nil {
		return err
	}
	_, err := c.w.Write([]byte{'\n'})
	return err
}

// peek reads the time and kind with which every line of a recording begins.
func peek(line []byte) (at time.Time, kind string) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"at":`))
	number, rest, ok2 := bytes.Cut(rest, []byte(`,"kind":"`))
	name, _, ok3 := bytes.Cut(rest, []byte(`"`))
	seconds, err := strconv.ParseFloat(string(number), 64)
	if !ok || !ok2 || !ok3 || err != nil {
		return time.Time{}, ""
	}
	return time.UnixMilli(int64(seconds*1000 + 0.5)), string(name)
}

// counted counts what is written.
type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

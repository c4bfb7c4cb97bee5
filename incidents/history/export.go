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
	return &Export{ctx: ctx, segments: all[first:last], from: from, to: to}, nil
}

// WriteTo writes the export as gzip of JSON lines. A segment that was removed meanwhile is marked as a gap.
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
	for i, s := range e.segments {
		if err := e.copy(gz, s, i == 0); err != nil && !errors.Is(err, errEnough) {
			return n.n, err
		}
	}
	return n.n, gz.Close()
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

// copy writes the lines of one segment up to the end of the span. State is needed only where the export begins, or the
// program did.
func (e *Export) copy(w io.Writer, s segment, first bool) error {
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return gap(w, s.from, s.from, fmt.Sprintf("the segment of %s is no longer there", ops.At(s.from)))
	}
	if err != nil {
		return err
	}
	defer f.Close()
	skipping := false
	torn, err := Read(f, func(n int, line []byte) error {
		if n%1000 == 0 && e.ctx.Err() != nil {
			return e.ctx.Err()
		}
		at, kind := peek(line)
		switch {
		case !e.to.IsZero() && at.After(e.to):
			return errEnough
		case kind == "start" && !first && bytes.Contains(line[:min(len(line), 200)], []byte(`"why":"segment"`)):
			skipping = true
		case skipping && kind == "ready":
			skipping = false
			return nil
		}
		if skipping {
			return nil
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
		_, err := w.Write([]byte{'\n'})
		return err
	})
	_ = torn // the last few seconds before a crash, or a segment that is being written: what follows begins anew
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

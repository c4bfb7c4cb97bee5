package history

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// MaxLine bounds one line of a replay file, in bytes.
const MaxLine = 4 << 20

// suffix is what the names of segments end with; before it stands the time of their first line.
const (
	suffix = ".jsonl.gz"
	stamp  = "20060102T150405.000Z"
)

// segment is one file of a recording.
type segment struct {
	path string
	from time.Time
	size int64
}

// segments lists the files of a recording, oldest first. Files of other names are left alone.
func segments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []segment
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		from, err := time.Parse(stamp, name)
		if !ok || err != nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // removed meanwhile
		}
		out = append(out, segment{filepath.Join(dir, e.Name()), from, info.Size()})
	}
	slices.SortFunc(out, func(a, b segment) int { return a.from.Compare(b.from) })
	return out, nil
}

// create makes the segment that begins at a time. Where there is one already it takes the next free millisecond.
func create(dir string, from time.Time) (*os.File, error) {
	for n := range 1_000 {
		name := from.UTC().Add(time.Duration(n) * time.Millisecond).Format(stamp)
		f, err := os.OpenFile(filepath.Join(dir, name+suffix), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, fmt.Errorf("no free name for a segment at %s", from)
}

// retain removes what is older than keep and, the oldest first, what is over max bytes. The newest stays.
func retain(dir string, keep time.Duration, maxBytes int64, now time.Time) error {
	all, err := segments(dir)
	if err != nil {
		return err
	}
	var total int64
	for _, s := range all {
		total += s.size
	}
	var errs []error
	for i, s := range all {
		last := i == len(all)-1
		if last || total <= maxBytes && now.Sub(all[i+1].from) <= keep { // it ends where the next begins
			break
		}
		errs = append(errs, os.Remove(s.path))
		total -= s.size
	}
	return errors.Join(errs...)
}

// Read calls each with every line of a replay file, JSON lines or gzip of them, and its number from 1. What each is
// given is valid only until it returns. A file that was cut off is read as far as it goes: then torn is true.
func Read(rd io.Reader, each func(n int, line []byte) error) (torn bool, err error) {
	buffered := bufio.NewReaderSize(rd, 256<<10)
	rd = buffered
	if head, _ := buffered.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		if rd, err = gzip.NewReader(buffered); err != nil {
			return errors.Is(err, io.ErrUnexpectedEOF), nil // cut off within its first bytes
		}
	}
	lines := bufio.NewScanner(&tornReader{rd: rd, torn: &torn})
	lines.Buffer(make([]byte, 256<<10), MaxLine)
	lines.Split(wholeLines(&torn))
	n := 1
	for ; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := each(n, lines.Bytes()); err != nil {
			return torn, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return torn, fmt.Errorf("line %d: a line may have at most %d bytes", n, MaxLine)
	}
	return torn, lines.Err()
}

// wholeLines is bufio.ScanLines, but that what stands after the last newline of a file that was cut off is dropped.
func wholeLines(torn *bool) bufio.SplitFunc {
	return func(data []byte, atEOF bool) (int, []byte, error) {
		advance, line, err := bufio.ScanLines(data, atEOF)
		if *torn && advance > 0 && data[advance-1] != '\n' {
			return advance, nil, err
		}
		return advance, line, err
	}
}

// tornReader makes an end of a gzip stream that comes too early an end.
type tornReader struct {
	rd   io.Reader
	torn *bool
}

func (t *tornReader) Read(b []byte) (int, error) {
	n, err := t.rd.Read(b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		*t.torn, err = true, io.EOF
	}
	return n, err
}

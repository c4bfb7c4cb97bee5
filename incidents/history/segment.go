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

	"github.com/klauspost/compress/flate"
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
	return prune(all, keep, maxBytes, now)
}

// prune is retain for files that were listed a moment ago. One that somebody else has removed meanwhile is as it should be.
func prune(all []segment, keep time.Duration, maxBytes int64, now time.Time) error {
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
		if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		total -= s.size
	}
	return errors.Join(errs...)
}

// errNoGzip is a file that is gzip by its first two bytes only.
var errNoGzip = errors.New("the file begins as gzip does, but is none")

// Read calls each with every line of a replay file, JSON lines or gzip of them, and its number from 1. What each is
// given is valid only until it returns. A file that was cut off, or that is damaged further on, is read as far as it
// goes: then torn is true. One that cannot be gzip from its first bytes on is an error.
func Read(rd io.Reader, each func(n int, line []byte) error) (torn bool, err error) {
	buffered := bufio.NewReaderSize(rd, 256<<10)
	rd = buffered
	if head, _ := buffered.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		switch rd, err = gzip.NewReader(buffered); {
		case errors.Is(err, io.ErrUnexpectedEOF): // cut off within its first bytes
			return true, nil
		case broken(err):
			return false, errNoGzip
		case err != nil:
			return false, err
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

// tornReader makes an end of where a gzip stream ends too early or makes no sense any more: what a crash or a bad disk
// leaves behind.
type tornReader struct {
	rd   io.Reader
	torn *bool
}

func (t *tornReader) Read(b []byte) (int, error) {
	n, err := t.rd.Read(b)
	if broken(err) {
		*t.torn, err = true, io.EOF
	}
	return n, err
}

// broken says whether err is the stream's and not that of the disk under it.
func broken(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.As(err, &corrupt)
}

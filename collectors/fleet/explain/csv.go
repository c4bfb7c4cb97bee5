package explain

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"goc/ops"
)

// Bounds of a CSV file.
const (
	MaxBytes   = 256 << 20 // of the file
	MaxColumns = 16        // attribute columns
	MaxValues  = 1 << 17   // distinct values of one column
	MaxField   = 200       // bytes of one value
	MaxMinutes = 1440      // how far back history reaches
	maxSkips   = 20        // rows refused that are told one by one
)

// Skip is a row that was refused.
type Skip struct {
	Line   int
	Reason string
}

// Skips are the rows that were refused: the first few, and how many in all.
type Skips struct {
	First []Skip
	Count int
}

func (s *Skips) add(line int, reason string) {
	s.Count++
	if len(s.First) < maxSkips {
		s.First = append(s.First, Skip{line, reason})
	}
}

// ReadCSV reads counts per minute and combination of attributes: a header with `affected`, `total`, perhaps `minute` (0 is
// now, negative before; without the column all rows are now) and one column for each attribute. Rows of the same minute
// and combination add up. A row that is wrong is refused and told, the others count.
func ReadCSV(r io.Reader) (Input, Skips, error) {
	in := &bounded{r: r, left: MaxBytes}
	c := csv.NewReader(in)
	c.ReuseRecord = true
	head, err := c.Read()
	if err != nil {
		return Input{}, Skips{}, readError(err, in, "the file has no header")
	}
	b, err := newBuilder(head)
	if err != nil {
		return Input{}, Skips{}, err
	}
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if fault := (*csv.ParseError)(nil); errors.As(err, &fault) && !in.over() {
			b.skips.add(fault.Line, "it is no row of CSV with as many fields as the header: "+fault.Err.Error())
			continue
		}
		if err != nil {
			return Input{}, b.skips, readError(err, in, "the file cannot be read")
		}
		line, _ := c.FieldPos(0)
		if err := b.add(line, row); err != nil {
			return Input{}, b.skips, err
		}
	}
	return b.input()
}

func readError(err error, in *bounded, what string) error {
	if in.over() {
		return ops.Errorf(ops.TooLarge, "the file is over %d MiB", MaxBytes>>20)
	}
	if errors.Is(err, io.EOF) {
		return ops.Errorf(ops.Invalid, "%s", what).At("line 1").WithHint("the first line should read minute,…,affected,total")
	}
	return ops.Errorf(ops.Invalid, "%s: %w", what, err)
}

// bounded refuses to read on after so many bytes.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) over() bool { return b.left < 0 }

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.over() {
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// builder gathers rows into cells.
type builder struct {
	minute, affected, total int // columns; minute is -1 when there is none
	attribute               []int
	axes                    []Axis
	codes                   []map[string]uint32
	cells                   map[string]*cell
	order                   []*cell
	skips                   Skips
	rows                    int
	key                     []byte
}

// cell is one combination of values, minute by minute.
type cell struct {
	code    []uint32
	now     tally
	history map[int]tally
}

func newBuilder(head []string) (*builder, error) {
	b := &builder{minute: -1, affected: -1, total: -1, cells: map[string]*cell{}}
	seen := map[string]bool{}
	for i, name := range head {
		name = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
		if name == "" || len(name) > MaxField || !utf8.ValidString(name) || seen[name] {
			return nil, ops.Errorf(ops.Invalid, "column %d needs a name of its own in UTF-8, at most %d bytes", i+1, MaxField).At("line 1")
		}
		seen[name] = true
		switch name {
		case "minute":
			b.minute = i
		case "affected":
			b.affected = i
		case "total":
			b.total = i
		default:
			b.attribute = append(b.attribute, i)
			b.axes = append(b.axes, Axis{Name: name})
			b.codes = append(b.codes, map[string]uint32{})
		}
	}
	if b.affected < 0 || b.total < 0 {
		return nil, ops.Errorf(ops.Invalid, "the header needs the columns affected and total").At("line 1").
			WithHint("minute,<attributes…>,affected,total: minute 0 is now, negative before")
	}
	if len(b.axes) > MaxColumns {
		return nil, ops.Errorf(ops.TooLarge, "there are %d attribute columns, more than %d", len(b.axes), MaxColumns).At("line 1")
	}
	return b, nil
}

// add takes one row. What is wrong with one row is told; an error is about the whole file.
func (b *builder) add(line int, row []string) error {
	minute, count, reason := b.numbers(row)
	if reason == "" {
		reason = b.fields(row)
	}
	if reason != "" {
		b.skips.add(line, reason)
		return nil
	}
	c, err := b.cell(row)
	if err != nil {
		return err.(*ops.Error).At(fmt.Sprintf("line %d", line))
	}
	b.rows++
	if minute == 0 {
		if c.now.total+count.total > 1<<32-1 {
			b.skips.add(line, "the combination's total would be over 4,294,967,295")
			return nil
		}
		c.now = c.now.plus(count)
		return nil
	}
	c.history[minute] = c.history[minute].plus(count)
	return nil
}

func (b *builder) numbers(row []string) (minute int, count tally, reason string) {
	if b.minute >= 0 {
		m, err := strconv.Atoi(strings.TrimSpace(row[b.minute]))
		if err != nil || m > 0 || m < -MaxMinutes {
			return 0, tally{}, fmt.Sprintf("minute should be a whole number from -%d to 0", MaxMinutes)
		}
		minute = m
	}
	affected, err1 := strconv.ParseUint(strings.TrimSpace(row[b.affected]), 10, 32)
	total, err2 := strconv.ParseUint(strings.TrimSpace(row[b.total]), 10, 32)
	if err1 != nil || err2 != nil {
		return 0, tally{}, "affected and total should be whole numbers from 0 to 4,294,967,295"
	}
	if affected > total {
		return 0, tally{}, "more are affected than there are"
	}
	return minute, tally{affected, total}, ""
}

func (b *builder) fields(row []string) string {
	for j, i := range b.attribute {
		if len(row[i]) > MaxField || !utf8.ValidString(row[i]) {
			return fmt.Sprintf("%s should be UTF-8 of at most %d bytes", b.axes[j].Name, MaxField)
		}
	}
	return ""
}

// cell is the one that the row belongs to.
func (b *builder) cell(row []string) (*cell, error) {
	b.key = b.key[:0]
	code := make([]uint32, len(b.attribute))
	for j, i := range b.attribute {
		v, ok := b.codes[j][row[i]]
		if !ok {
			if v = uint32(len(b.axes[j].Values)); v >= MaxValues {
				return nil, ops.Errorf(ops.TooLarge, "column %s has more than %d values", b.axes[j].Name, MaxValues)
			}
			value := strings.Clone(row[i])
			b.codes[j][value] = v
			b.axes[j].Values = append(b.axes[j].Values, value)
		}
		code[j] = v
		b.key = append(b.key, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
	}
	c, ok := b.cells[string(b.key)]
	if !ok {
		if len(b.order) >= MaxCells {
			return nil, ops.Errorf(ops.TooLarge, "there are more than %d combinations", MaxCells)
		}
		c = &cell{code: code, history: map[int]tally{}}
		b.cells[string(b.key)] = c
		b.order = append(b.order, c)
	}
	return c, nil
}

// input is what the rows come to. Cells that have nobody now only serve the normal shares.
func (b *builder) input() (Input, Skips, error) {
	if b.rows == 0 {
		e := ops.Errorf(ops.Invalid, "the file has no row that can be used").WithHint("each row needs affected and total, and minute 0 for now")
		return Input{}, b.skips, e
	}
	in := Input{Axes: b.axes}
	for _, c := range b.order {
		if c.now.total == 0 {
			continue
		}
		for j := range in.Axes {
			in.Axes[j].Code = append(in.Axes[j].Code, c.code[j])
		}
		in.Affected = append(in.Affected, uint32(c.now.affected))
		in.Total = append(in.Total, uint32(c.now.total))
	}
	in.Normal = b.normal()
	return in, b.skips, nil
}

// commonness is how many devices' worth the common share counts against a cell's own history.
const commonness = 50

// normal is each cell's share of affected before now, or nil without history. A fault that has been going on is history
// too, so the worst third of a cell's minutes is left out, which makes the shares too low; all are raised alike until
// their sum is that of a median minute. Each is drawn to the share of all.
func (b *builder) normal() []float64 {
	var all tally
	var kept []tally
	minutes := map[int]tally{}
	for _, c := range b.order {
		t := calm(c.history)
		all = all.plus(t)
		if c.now.total > 0 {
			kept = append(kept, t)
		}
		for minute, t := range c.history {
			minutes[minute] = minutes[minute].plus(t)
		}
	}
	if all.total == 0 {
		return nil
	}
	raise := max(median(minutes)/max(all.share(), 1e-9), 1)
	out := make([]float64, len(kept))
	for i, t := range kept {
		share := (float64(t.affected) + commonness*all.share()) / (float64(t.total) + commonness)
		out[i] = min(share*raise, 1)
	}
	return out
}

// median is the share of the median minute.
func median(minutes map[int]tally) float64 {
	var shares []float64
	for _, t := range minutes {
		if t.total > 0 {
			shares = append(shares, t.share())
		}
	}
	slices.Sort(shares)
	return shares[(len(shares)-1)/2]
}

// calm sums the minutes but for the worst third.
func calm(history map[int]tally) tally {
	minutes := make([]tally, 0, len(history))
	for _, t := range history {
		if t.total > 0 {
			minutes = append(minutes, t)
		}
	}
	slices.SortFunc(minutes, func(a, b tally) int {
		return cmp.Or(cmp.Compare(a.share(), b.share()), cmp.Compare(a.total, b.total))
	})
	var sum tally
	for _, t := range minutes[:(2*len(minutes)+2)/3] {
		sum = sum.plus(t)
	}
	return sum
}

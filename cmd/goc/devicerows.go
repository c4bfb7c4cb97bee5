package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// deviceRow is one device of a file.
type deviceRow struct {
	Store    string `json:"store"`
	Device   string `json:"device"`
	Kind     string `json:"kind,omitempty"`
	Model    string `json:"model,omitempty"`
	Firmware string `json:"firmware,omitempty"`
}

// deviceRows reads a file of devices row by row, and remembers which there were.
type deviceRows struct {
	csv    *csv.Reader
	at     [5]int
	stores map[string]map[string]int // store → device → line
	order  []string                  // stores as they first came
}

// newDeviceRows reads the header.
func newDeviceRows(in io.Reader) (*deviceRows, error) {
	buffered := bufio.NewReaderSize(in, 1<<16)
	if head, _ := buffered.Peek(3); len(trimBOM(head)) < len(head) {
		buffered.Discard(3)
	}
	r := &deviceRows{csv: csv.NewReader(buffered), stores: map[string]map[string]int{}}
	r.csv.ReuseRecord = true
	r.csv.FieldsPerRecord = -1 // a row with too few or too many is refused alone
	header, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty; its first line must name the columns")
	}
	if err != nil {
		return nil, err
	}
	if r.at, err = columnsOf(header); err != nil {
		return nil, err
	}
	r.csv.FieldsPerRecord = len(header)
	return r, nil
}

// next reads a row and says on which line it stands. An error with a line is about this row alone.
func (r *deviceRows) next() (row deviceRow, line int, err error) {
	fields, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return row, 0, io.EOF
	}
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		if errors.Is(err, csv.ErrFieldCount) {
			return row, bad.StartLine, fmt.Errorf("it has %d columns, not %d", len(fields), r.csv.FieldsPerRecord)
		}
		return row, bad.StartLine, bad.Err
	}
	if err != nil {
		return row, 0, err
	}
	line, _ = r.csv.FieldPos(0)
	for c, to := range []*string{&row.Store, &row.Device, &row.Kind, &row.Model, &row.Firmware} {
		if i := r.at[c]; i >= 0 {
			*to = strings.Clone(strings.TrimSpace(fields[i]))
		}
	}
	return row, line, r.remember(row, line)
}

// remember refuses a device that stands in the file twice.
func (r *deviceRows) remember(row deviceRow, line int) error {
	devices := r.stores[row.Store]
	if devices == nil {
		devices = map[string]int{}
		r.stores[row.Store] = devices
		r.order = append(r.order, row.Store)
	}
	if before, twice := devices[row.Device]; twice {
		return fmt.Errorf("the device stands on line %d already", before)
	}
	devices[row.Device] = line
	return nil
}

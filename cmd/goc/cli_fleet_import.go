package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"goc/ops"
)

type fleetImportCmd struct {
	File          string `arg:"" help:"A CSV file with a header: store, device and, where known, kind, model, firmware, in any order; - is stdin."`
	DryRun        bool   `help:"Change nothing, and say what would."`
	RetireMissing bool   `help:"Retire the devices of the file's stores that are not in it; says how many first, and takes --yes."`
	Yes           bool   `help:"You mean it." short:"y"`
}

// importBatch is how many devices one request holds.
const importBatch = 10_000

// maxImport bounds what is imported at once.
const maxImport = 10_000_000

// importedFile is how an import went.
type importedFile struct {
	File      string    `json:"file"`
	DryRun    bool      `json:"dry_run"`
	Rows      int       `json:"rows"`
	New       int       `json:"new"`
	Updated   int       `json:"updated"`
	Revived   int       `json:"revived"`
	Unchanged int       `json:"unchanged"`
	Refused   int       `json:"refused"`
	Missing   int       `json:"missing"` // with --retire-missing: devices of these stores that are not in the file
	Retired   int       `json:"retired"`
	Lines     []badLine `json:"lines"` // what was refused, at most 1,000
}

// badLine is a line that was refused.
type badLine struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

const maxBadLines = 1_000

func (f *importedFile) refuse(line int, reason string) {
	if f.Refused++; len(f.Lines) < maxBadLines {
		f.Lines = append(f.Lines, badLine{line, reason})
	}
}

// Run imports a file. What went before a failure is kept, and importing the file again does the rest.
func (k *fleetImportCmd) Run(ctx context.Context, c *client, s streams) error {
	in := io.Reader(os.Stdin)
	if k.File != "-" {
		f, err := os.Open(k.File)
		if err != nil {
			return exit(exitUsage, err)
		}
		defer f.Close()
		in = f
	}
	rows, err := newDeviceRows(in)
	if err != nil {
		return exit(exitUsage, fmt.Errorf("%s: %w", k.File, err))
	}
	done := &importedFile{File: k.File, DryRun: k.DryRun, Lines: []badLine{}}
	err = k.send(ctx, c, s, rows, done)
	if err == nil && k.RetireMissing {
		err = k.retire(ctx, c, s, rows, done)
	}
	if err != nil {
		return fmt.Errorf("after %d rows: %w", done.Rows, err)
	}
	if err := c.show(s, done, func(w io.Writer) { done.tell(w) }); err != nil {
		return err
	}
	if done.Refused > 0 {
		return exit(exitFailed, nil)
	}
	return nil
}

// deviceList is the body of POST /devices.
type deviceList struct {
	Devices []deviceRow `json:"devices"`
	DryRun  bool        `json:"dry_run,omitempty"`
}

// send sends the rows in batches, and says after each how far it is.
func (k *fleetImportCmd) send(ctx context.Context, c *client, s streams, rows *deviceRows, done *importedFile) error {
	for more := true; more; {
		body := deviceList{DryRun: k.DryRun}
		var lines []int
		for len(body.Devices) < importBatch {
			row, line, err := rows.next()
			if errors.Is(err, io.EOF) {
				more = false
				break
			}
			if err != nil && line == 0 {
				return err
			}
			if done.Rows++; done.Rows > maxImport {
				return exit(exitUsage, fmt.Errorf("%s has more than %d rows", k.File, maxImport))
			}
			if err != nil {
				done.refuse(line, err.Error())
				continue
			}
			body.Devices, lines = append(body.Devices, row), append(lines, line)
		}
		if len(body.Devices) == 0 {
			continue
		}
		var answer ops.Imported
		if err := c.do(ctx, http.MethodPost, "/api/v1/devices", body, &answer); err != nil {
			return err
		}
		done.add(&answer, lines)
		fmt.Fprintf(s.err, "%d rows: %d new, %d updated, %d expected again, %d known as they are, %d refused\n", done.Rows, done.New, done.Updated, done.Revived, done.Unchanged, done.Refused)
	}
	return nil
}

// add counts the answer to a batch.
func (f *importedFile) add(a *ops.Imported, lines []int) {
	f.New, f.Updated, f.Revived, f.Unchanged = f.New+a.New, f.Updated+a.Updated, f.Revived+a.Revived, f.Unchanged+a.Unchanged
	for _, r := range a.Rejected {
		line := 0
		if r.Index >= 0 && r.Index < len(lines) {
			line = lines[r.Index]
		}
		f.refuse(line, r.Reason)
	}
	slices.SortStableFunc(f.Lines, func(a, b badLine) int { return a.Line - b.Line })
}

// retire finds the devices of the file's stores that are not in the file, says how many, and retires them.
func (k *fleetImportCmd) retire(ctx context.Context, c *client, s streams, rows *deviceRows, done *importedFile) error {
	if done.Refused > 0 {
		return exit(exitFailed, fmt.Errorf("%d lines were refused, so what is missing is not known; nothing was retired%s", done.Refused, done.first()))
	}
	missing, err := k.missing(ctx, c, rows)
	if err != nil {
		return err
	}
	done.Missing = len(missing)
	fmt.Fprintf(s.err, "%d devices of these %d stores are not in the file\n", len(missing), len(rows.stores))
	if k.DryRun || len(missing) == 0 {
		return nil
	}
	if !k.Yes {
		return exit(exitUsage, fmt.Errorf("%d devices would be retired; --yes does it", len(missing)))
	}
	done.Retired, err = retireAll(ctx, c, missing)
	return err
}

func (f *importedFile) first() string {
	if len(f.Lines) == 0 {
		return ""
	}
	return fmt.Sprintf(" (line %d: %s)", f.Lines[0].Line, f.Lines[0].Reason)
}

// missing lists what the server knows in the file's stores and the file does not.
func (k *fleetImportCmd) missing(ctx context.Context, c *client, rows *deviceRows) (out []ops.DeviceRef, err error) {
	for _, store := range rows.order {
		var v ops.StoreView
		err := c.do(ctx, http.MethodGet, api("stores", store), nil, &v)
		var p problem
		if errors.As(err, &p) && p.Status == http.StatusNotFound {
			continue // with --dry-run nobody has made it yet
		}
		if err != nil {
			return nil, err
		}
		known := rows.stores[store]
		for _, d := range v.Devices {
			if _, listed := known[d.Device]; !listed && d.State != ops.Retired {
				out = append(out, ops.DeviceRef{Store: store, Device: d.Device})
			}
		}
	}
	return out, nil
}

// retireAll retires devices in batches, and says how many were.
func retireAll(ctx context.Context, c *client, devices []ops.DeviceRef) (retired int, err error) {
	for part := range slices.Chunk(devices, importBatch) {
		var answer struct{ Accepted int }
		if err := c.do(ctx, http.MethodPost, "/api/v1/devices/retire", map[string]any{"devices": part}, &answer); err != nil {
			return retired, err
		}
		retired += answer.Accepted
	}
	return retired, nil
}

func (f *importedFile) tell(w io.Writer) {
	for _, l := range f.Lines {
		fmt.Fprintf(w, "line %d: %s\n", l.Line, oneLine(l.Reason))
	}
	if f.Refused > len(f.Lines) {
		fmt.Fprintf(w, "and %d more\n", f.Refused-len(f.Lines))
	}
	would := ""
	if f.DryRun {
		would = " (nothing was changed)"
	}
	fmt.Fprintf(w, "%s: %d rows, %d new, %d updated, %d expected again, %d known as they are, %d refused, %d retired%s\n",
		f.File, f.Rows, f.New, f.Updated, f.Revived, f.Unchanged, f.Refused, f.Retired, would)
}

// trimBOM takes away what some programs write before UTF-8.
func trimBOM(b []byte) []byte { return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) }

// deviceColumns are the columns of a file of devices.
var deviceColumns = []string{"store", "device", "kind", "model", "firmware"}

// columnsOf reads a header: where each column is, -1 where it is not.
func columnsOf(header []string) (at [5]int, err error) {
	at = [5]int{-1, -1, -1, -1, -1}
	for i, name := range header {
		c := slices.Index(deviceColumns, strings.ToLower(strings.TrimSpace(name)))
		switch {
		case c < 0:
			return at, fmt.Errorf("there is no column %.64q; the columns are %s", name, strings.Join(deviceColumns, ", "))
		case at[c] >= 0:
			return at, fmt.Errorf("the column %s stands there twice", deviceColumns[c])
		}
		at[c] = i
	}
	if at[0] < 0 || at[1] < 0 {
		return at, errors.New("the header must have the columns store and device")
	}
	return at, nil
}

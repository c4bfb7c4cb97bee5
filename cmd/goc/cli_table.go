package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"goc/ops"
)

// table writes rows in columns; cells are separated by tabs. A Chinese character is two columns wide, which
// text/tabwriter does not know.
func table(w io.Writer, head string, n int, row func(i int) string) {
	rows := [][]string{strings.Split(head, "\t")}
	for i := range n {
		rows = append(rows, strings.Split(oneLine(row(i)), "\t"))
	}
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i := range min(len(r), len(widths)) {
			widths[i] = max(widths[i], columns(r[i]))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for i, cell := range r {
			line.WriteString(cell)
			if i+1 < len(r) {
				line.WriteString(strings.Repeat(" ", widths[min(i, len(widths)-1)]-columns(cell)+2))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// oneLine keeps a text that others wrote from breaking the table, or the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (r < ' ' || r == 0x7f) {
			return ' '
		}
		return r
	}, s)
}

// columns is how many columns of a terminal s takes: East Asian wide characters take two.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r >= 0x1100 && r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
			r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0x1f300 && r <= 0x1faff || r >= 0x20000 && r <= 0x3fffd {
			n++
		}
	}
	return n
}

// clock writes a time for a terminal, in its own zone.
func clock(t ops.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("01-02 15:04:05")
}

// date writes a time that may be far away, with its year and zone.
func date(t ops.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04 MST")
}

// when reads a time that a person typed: RFC 3339, Unix, now, or a duration, which is so long before now or, with a +
// before it, after now. What it does not know it leaves as it is, for the server to say what is wrong with it.
func when(s string, now time.Time) string {
	text, sign := s, time.Duration(-1)
	if later, ok := strings.CutPrefix(s, "+"); ok {
		text, sign = later, 1
	}
	if s == "now" {
		return ops.At(now).String()
	}
	if d, err := ops.ParseDuration(text); err == nil && d > 0 {
		return ops.At(now.Add(sign * d)).String()
	}
	return s
}

package ops

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// layout is RFC 3339 in UTC with milliseconds, the only form in which GOC writes a time.
const layout = "2006-01-02T15:04:05.000Z"

// Time is an instant on the wire: written as RFC 3339 in UTC with milliseconds, null when zero; read from RFC 3339,
// Unix seconds (with a fraction) or Unix milliseconds (a number above 1e11).
type Time struct{ time.Time }

// At wraps t.
func At(t time.Time) Time { return Time{t} }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	b := append(make([]byte, 0, len(layout)+2), '"')
	return append(t.UTC().AppendFormat(b, layout), '"'), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if string(b) == "null" {
		t.Time = time.Time{}
		return nil
	}
	parsed, err := ParseTime(strings.Trim(string(b), `"`))
	if err != nil {
		return err
	}
	t.Time = parsed
	return nil
}

// String writes t as it goes on the wire, "" when zero.
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(layout)
}

// ParseTime reads RFC 3339, Unix seconds or Unix milliseconds; "" is the zero time. Years outside 1970 to 9999 are refused.
func ParseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		if math.IsNaN(f) || f < 0 || f > 253402300799999 {
			return time.Time{}, Errorf(Invalid, "a time as a number must be Unix seconds or milliseconds between 1970 and 9999")
		}
		if f > 1e11 {
			return time.UnixMilli(int64(f)).UTC(), nil
		}
		sec, frac := math.Modf(f)
		return time.Unix(int64(sec), int64(math.Round(frac*1e6))*1e3).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, Errorf(Invalid, "a time must be RFC 3339 (2026-11-20T08:00:00Z), Unix seconds or Unix milliseconds")
	}
	return t.UTC(), nil
}

// Duration is a length of time on the wire and in YAML: Go or Prometheus text ("90s", "2h", "1d"), "" or "0s" for none.
type Duration time.Duration

// ParseDuration reads Go or Prometheus text; a negative duration is refused.
func ParseDuration(s string) (time.Duration, error) {
	if s == "" || s == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		if d, err = parseDays(s); err != nil {
			return 0, Errorf(Invalid, "a duration must read like 90s, 10m, 2h or 1d")
		}
	}
	if d < 0 {
		return 0, Errorf(Invalid, "a duration must not be negative")
	}
	return d, nil
}

// parseDays reads Prometheus' units that Go does not know, one at a time: 1d, 2w, 1y (365 days).
func parseDays(s string) (time.Duration, error) {
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour, 'y': 365 * 24 * time.Hour}[s[len(s)-1]]
	n, err := strconv.ParseInt(s[:len(s)-1], 10, 64)
	if unit == 0 || err != nil || n > 100*366 {
		return 0, strconv.ErrSyntax
	}
	return time.Duration(n) * unit, nil
}

// String writes d as Go text without empty trailing units: 10m, not 10m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) {
	if d == 0 {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Since says how long ago t was in words a person reads at a glance: 38s, 2m14s, 3h05m.
func Since(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
}

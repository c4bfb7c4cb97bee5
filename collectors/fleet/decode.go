package fleet

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"goc/ops"
)

// maxDepth bounds how deep a value may nest that a beat has no use for.
const maxDepth = 32

// Decode reads heartbeats from a JSON array, from JSON objects one after another (NDJSON), or from a single object.
// An entry that is valid JSON but no heartbeat is refused alone, with its index; so is a line of NDJSON that is no
// JSON. An array that is no JSON is an error of the whole. Indexes count entries; of[i] is the index of beats[i]. The
// texts of the beats are part of body.
func Decode(body []byte) (beats []ops.Heartbeat, of []int, rejected []ops.Rejected, err error) {
	var d decoder
	if err := d.decode(body); err != nil {
		return nil, nil, nil, err
	}
	for i := range d.beats {
		b := &d.beats[i]
		if b.wrong != "" {
			d.rejected = append(d.rejected, ops.Rejected{Index: int(b.index), Reason: b.wrong})
			continue
		}
		beats, of = append(beats, b.heartbeat()), append(of, int(b.index))
	}
	slices.SortFunc(d.rejected, func(a, b ops.Rejected) int { return a.Index - b.Index })
	return beats, of, d.rejected, nil
}

// decoder is a hand-written reader of flat JSON objects: ten times as fast as encoding/json, and it can name the entry
// that is wrong. It may be used again.
type decoder struct {
	reader
	body     []byte // to be used again
	index    int32
	beats    []beat
	rejected []ops.Rejected
	form     []part   // of the object before
	day      [10]byte // the date read last
	dayMs    int64    // and its midnight, Unix ms
}

func (d *decoder) decode(body []byte) error {
	d.reader = reader{b: body}
	d.index, d.beats, d.rejected, d.form = 0, d.beats[:0], nil, d.form[:0]
	d.space()
	if d.i == len(d.b) {
		return ops.Errorf(ops.Invalid, "the body is empty; it must hold heartbeats").At("body")
	}
	if d.b[d.i] == '[' {
		d.i++
		return d.array()
	}
	return d.lines()
}

func (d *decoder) array() error {
	if d.next(']') {
		return d.end()
	}
	for {
		err := d.entry()
		if errors.Is(err, errSyntax) {
			return d.broken()
		}
		if err := d.full(); err != nil {
			return err
		}
		switch {
		case d.next(','):
		case d.next(']'):
			return d.end()
		default:
			return d.broken()
		}
	}
}

// lines reads objects that follow one another. A line that is broken is refused, and the one after it read.
func (d *decoder) lines() error {
	for d.space(); d.i < len(d.b); d.space() {
		line := d.i
		if err := d.entry(); errors.Is(err, errSyntax) {
			for d.i = line; d.i < len(d.b) && d.b[d.i] != '\n'; {
				d.i++
			}
			d.refuse(err)
		}
		if err := d.full(); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) full() error {
	if d.index > MaxBatch {
		return ops.Errorf(ops.TooLarge, "a batch may hold at most %d heartbeats", MaxBatch).At("body").WithHint("send them in several batches")
	}
	return nil
}

// broken is the error of a body that cannot be read on.
func (d *decoder) broken() error {
	return ops.Errorf(ops.Invalid, "is not valid JSON at byte %d", d.i).At(fmt.Sprintf("body[%d]", d.index)).WithHint("send a JSON array of heartbeats, or one object a line")
}

func (d *decoder) end() error {
	if d.space(); d.i < len(d.b) {
		return d.broken()
	}
	return nil
}

func (d *decoder) refuse(err error) {
	d.rejected = append(d.rejected, ops.Rejected{Index: int(d.index), Reason: err.Error()})
	d.index++
}

// entry reads one heartbeat. What is wrong with it is noted, unless it is its syntax.
func (d *decoder) entry() error {
	d.space()
	if d.i < len(d.b) && d.b[d.i] != '{' {
		if err := d.skip(0); err != nil {
			return err
		}
		d.refuse(errors.New("a heartbeat must be a JSON object"))
		return nil
	}
	d.beats = append(d.beats, beat{index: d.index})
	wrong, err := d.object(&d.beats[len(d.beats)-1])
	if err != nil || wrong != nil {
		d.beats = d.beats[:len(d.beats)-1]
	}
	switch {
	case err != nil:
		return err
	case wrong != nil:
		d.refuse(wrong)
	default:
		d.index++
	}
	return nil
}

// object reads {…} to its end. wrong is the first thing that is no heartbeat's, err is a fault of syntax.
func (d *decoder) object(h *beat) (wrong, err error) {
	if start := d.i; len(d.form) > 0 {
		if d.same(h) {
			return nil, nil
		}
		d.i, *h = start, beat{index: h.index}
	}
	return d.any(h)
}

// part is what stood between two values in the object before, and the value that followed.
type part struct {
	lead  string // `,"kind":`
	both  string // `,"kind":"pos"`, when the value is a text
	value string // pos
	field field
}

// field is what a key of a heartbeat means.
type field uint8

const (
	fStore field = iota
	fDevice
	fKind
	fModel
	fFirmware
	fNote
	fStatus
	fAt
	fBattery // the readings, in their order
	fTemperature
	fPaper
	fQueue
	fUnknown
)

var fields = [...]string{"store", "device", "kind", "model", "firmware", "note", "status", "at", "battery", "temperature", "paper", "queue"}

func fieldOf(key string) field {
	for f, name := range fields {
		if key == name {
			return field(f)
		}
	}
	return fUnknown
}

// same reads an object that has the form of the one before: the devices of a store all send alike, so most keys and
// texts need no more than a comparison. false leaves it to any.
func (d *decoder) same(h *beat) bool {
	for k := range d.form {
		p := &d.form[k]
		if p.both != "" && d.at(p.both) {
			d.i += len(p.both)
			h.set(p.field, p.value)
			continue
		}
		if !d.at(p.lead) {
			return false
		}
		d.i += len(p.lead)
		if wrong, err := d.value(p.field, h, p); wrong != nil || err != nil {
			return false
		}
	}
	if d.peek() != '}' {
		return false
	}
	d.i++
	return true
}

// at says whether s is what comes next.
func (d *decoder) at(s string) bool {
	return len(d.b)-d.i >= len(s) && string(d.b[d.i:d.i+len(s)]) == s
}

// any reads an object of any form, and notes its form.
func (d *decoder) any(h *beat) (wrong, err error) {
	d.form = d.form[:0]
	lead := d.i
	if !d.next('{') {
		return nil, errSyntax
	}
	if d.next('}') {
		return nil, nil
	}
	for {
		d.space()
		key, err := d.text()
		if err != nil {
			return nil, err
		}
		if !d.next(':') {
			return nil, errSyntax
		}
		d.space()
		p := part{lead: view(d.b[lead:d.i]), field: fieldOf(key)}
		bad, err := d.value(p.field, h, &p)
		if err != nil {
			return nil, err
		}
		if p.field == fUnknown {
			bad = unknownField(key)
		}
		if bad != nil && wrong == nil {
			wrong = bad
		}
		if d.form = append(d.form, p); wrong != nil || len(d.form) > len(fields) {
			d.form = d.form[:0]
		}
		lead = d.i
		if d.next(',') {
			continue
		}
		if d.next('}') {
			return wrong, nil
		}
		return nil, errSyntax
	}
}

// value reads the value of a field; p, when it is a text, notes it.
func (d *decoder) value(f field, h *beat, p *part) (wrong, err error) {
	switch f {
	case fAt:
		return d.time(&h.at)
	case fBattery, fTemperature, fPaper, fQueue:
		return d.gauge(f, h)
	case fUnknown:
		return nil, d.skip(0)
	}
	if d.peek() != '"' {
		return d.noText(f)
	}
	start := d.i
	s, err := d.text()
	if err != nil {
		return nil, err
	}
	h.set(f, s)
	p.value, p.both = s, view(d.b[start-len(p.lead):d.i])
	return nil, nil
}

// set sets a field that is a text.
func (b *beat) set(f field, v string) {
	switch f {
	case fStore:
		b.store = v
	case fDevice:
		b.device = v
	case fKind:
		b.kind = v
	case fModel:
		b.model = v
	case fFirmware:
		b.firmware = v
	case fNote:
		b.note = v
	case fStatus:
		b.setStatus(v)
	}
}

// noText reads what stands where a text should: null leaves the field as it is.
func (d *decoder) noText(f field) (wrong, err error) {
	start := d.i
	if err := d.skip(0); err != nil {
		return nil, err
	}
	if string(d.b[start:d.i]) == "null" {
		return nil, nil
	}
	return fmt.Errorf("%s must be text", fields[f]), nil
}

// unknownField names a field that no heartbeat has, unless its name is not fit to be repeated.
func unknownField(key string) error {
	if len(key) > 32 || !printable(key) {
		return errors.New("it has a field that no heartbeat has")
	}
	return fmt.Errorf("no heartbeat has a field %q", key)
}

// gauge reads the number of a reading, or null.
func (d *decoder) gauge(f field, h *beat) (wrong, err error) {
	if v, ok := d.decimal(); ok {
		h.gauge(uint8(f-fBattery), v)
		return nil, nil
	}
	start := d.i
	if err := d.skip(0); err != nil {
		return nil, err
	}
	text := string(d.b[start:d.i])
	if text == "null" {
		return nil, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("%s must be a number", fields[f]), nil
	}
	h.gauge(uint8(f-fBattery), v)
	return nil, nil
}

// decimal reads a number as nearly every device sends it, 1, 0.8 or -18.25; false means that the slower way must try, from
// the same place.
func (d *decoder) decimal() (float64, bool) {
	b, i := d.b, d.i
	minus := i < len(b) && b[i] == '-'
	if minus {
		i++
	}
	first, n, scale := i, 0, 1
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		n = n*10 + int(b[i]-'0')
	}
	if i == first || i-first > 1 && b[first] == '0' {
		return 0, false
	}
	if i < len(b) && b[i] == '.' {
		point := i + 1
		for i = point; i < len(b) && b[i]-'0' <= 9; i++ {
			n, scale = n*10+int(b[i]-'0'), scale*10
		}
		if i == point {
			return 0, false
		}
	}
	if i-first > 15 || i == len(b) || b[i]|0x20 == 'e' { // what is longer is not exact
		return 0, false
	}
	if d.i = i; minus {
		n = -n
	}
	return float64(n) / float64(scale), true
}

// time reads RFC 3339 text, Unix seconds or milliseconds, or null.
func (d *decoder) time(to *int64) (wrong, err error) {
	start := d.i
	if d.peek() == '"' {
		if ms, ok := d.utc(); ok {
			*to = ms
			return nil, nil
		}
		text, err := d.text()
		if err != nil {
			return nil, err
		}
		return parseTime(text, to), nil
	}
	if err := d.skip(0); err != nil {
		return nil, err
	}
	if text := string(d.b[start:d.i]); text != "null" {
		return parseTime(text, to), nil
	}
	return nil, nil
}

func parseTime(text string, to *int64) error {
	t, err := ops.ParseTime(text)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return errors.New("at must be RFC 3339, Unix seconds or Unix milliseconds")
	}
	if *to = t.UnixMilli(); *to == 0 {
		*to = math.MinInt64 / 2 // 1970 is no time of a device, but neither is it none
	}
	return nil
}

// utc reads "2026-11-20T08:00:00Z" and "2026-11-20T08:00:00.000Z", which is what nearly every device sends; false means
// that the slower way must try, from the same place.
func (d *decoder) utc() (int64, bool) {
	b := d.b[d.i+1:]
	n := 19
	if len(b) < 25 || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	ms, ok := int64(0), true
	num := func(at int) int64 {
		tens, ones := b[at]-'0', b[at+1]-'0'
		ok = ok && tens <= 9 && ones <= 9
		return int64(tens)*10 + int64(ones)
	}
	if b[19] == '.' {
		ms = num(20)*10 + int64(b[22]-'0')
		ok = ok && b[22]-'0' <= 9
		n = 23
	}
	h, m, s := num(11), num(14), num(17)
	if b[n] != 'Z' || b[n+1] != '"' || !ok || h > 23 || m > 59 || s > 59 || !d.midnight(b) {
		return 0, false // leap seconds are left to the library
	}
	d.i += n + 3
	return d.dayMs + (h*3600+m*60+s)*1000 + ms, true
}

// midnight reads 2026-11-20, unless it is the date that was read last.
func (d *decoder) midnight(b []byte) bool {
	if string(b[:10]) == string(d.day[:]) {
		return true
	}
	t, err := time.Parse(time.DateOnly, string(b[:10]))
	if err != nil || t.Year() < 1971 {
		return false
	}
	copy(d.day[:], b)
	d.dayMs = t.UnixMilli()
	return true
}

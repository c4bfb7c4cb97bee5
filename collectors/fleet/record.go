package fleet

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"goc/ops"
)

// record is a device on disk; its id is store/device. Times are Unix milliseconds.
type record struct {
	State    ops.DeviceState `json:"state"`
	Since    int64           `json:"since,omitempty"`
	Seen     int64           `json:"seen,omitempty"`
	At       int64           `json:"at,omitempty"`
	Kind     string          `json:"kind,omitempty"`
	Model    string          `json:"model,omitempty"`
	Firmware string          `json:"firmware,omitempty"`
	Status   string          `json:"status,omitempty"`
	Battery  *float64        `json:"battery,omitempty"`
	Note     string          `json:"note,omitempty"`
	Flap     int64           `json:"flap,omitempty"`  // since when it flaps
	Flaps    int64           `json:"flaps,omitempty"` // how often its link has changed since
	Clock    int64           `json:"clock,omitempty"` // how far ahead its clock is, ms
	Past     string          `json:"past,omitempty"`  // its changes of state, the newest first

	Temperature *float64 `json:"temperature,omitempty"`
	Paper       *float64 `json:"paper,omitempty"`
	Queue       *float64 `json:"queue,omitempty"`
	Beyond      string   `json:"beyond,omitempty"` // the readings that are beyond their limits, with commas between
}

// appendRecord writes the record of a row as JSON. It is written by hand, because a power cut writes a hundred thousand.
func (s *shard) appendRecord(b []byte, makes []mk, id uint32) []byte {
	r := s.rows.at(id)
	m := &makes[s.cells.at(r.cell).mk]
	b = append(b, `{"state":"`...)
	b = append(b, r.state.String()...)
	b = append(b, '"')
	b = appendInt(b, `,"since":`, r.since)
	b = appendInt(b, `,"seen":`, r.seen)
	if r.seen != 0 {
		b = appendInt(b, `,"at":`, r.at())
	}
	b = appendText(b, `,"kind":`, m.kind)
	b = appendText(b, `,"model":`, m.model)
	b = appendText(b, `,"firmware":`, m.firmware)
	if st := r.status(); st != 0 {
		b = appendText(b, `,"status":`, st.String())
	}
	if r.battery != noBattery {
		b = append(b, `,"battery":`...)
		b = strconv.AppendFloat(b, float64(r.battery)/10_000, 'g', -1, 64)
	}
	if r.flags&gauged != 0 {
		b = s.appendReadings(b, id)
	}
	if len(s.notes) > 0 {
		b = appendText(b, `,"note":`, s.notes[id])
	}
	if r.flags&flapping != 0 {
		f := s.flaps[id]
		b = appendInt(b, `,"flap":`, f.since)
		b = appendInt(b, `,"flaps":`, int64(f.changes))
	}
	if r.flags&clocked != 0 {
		b = appendInt(b, `,"clock":`, s.off(id))
	}
	if _, changed := s.past.head[id]; changed {
		b = append(s.appendPast(append(b, `,"past":"`...), id), '"')
	}
	return append(b, '}')
}

// appendInt writes a field unless it is zero.
func appendInt(b []byte, key string, v int64) []byte {
	if v == 0 {
		return b
	}
	return strconv.AppendInt(append(b, key...), v, 10)
}

// appendText writes a field unless it is empty.
func appendText(b []byte, key, v string) []byte {
	if v == "" {
		return b
	}
	b = append(b, key...)
	for i := range len(v) {
		if special[v[i]] || v[i] >= utf8.RuneSelf {
			quoted, _ := json.Marshal(v) // a string always marshals
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, v...)
	return append(b, '"')
}

// readRecord reads what appendRecord wrote, and what encoding/json would.
func readRecord(body []byte, rec *record) error {
	d := reader{b: body}
	if ok := d.record(rec); ok {
		return nil
	}
	*rec = record{}
	return json.Unmarshal(body, rec)
}

// record reads a flat object of our own making; false leaves it to the library. Its texts are part of the body.
func (d *reader) record(rec *record) bool {
	if !d.next('{') {
		return false
	}
	for {
		key, err := d.text()
		if err != nil || !d.next(':') {
			return false
		}
		if d.peek() == '"' {
			text, err := d.text()
			if err != nil || !rec.set(key, text) {
				return false
			}
		} else {
			start := d.i
			if d.number() != nil || !rec.setNumber(key, view(d.b[start:d.i])) {
				return false
			}
		}
		if d.next(',') {
			continue
		}
		return d.next('}')
	}
}

func (rec *record) set(key, v string) bool {
	switch key {
	case "state":
		return rec.State.UnmarshalText([]byte(v)) == nil
	case "kind":
		rec.Kind = v
	case "model":
		rec.Model = v
	case "firmware":
		rec.Firmware = v
	case "status":
		rec.Status = v
	case "note":
		rec.Note = v
	case "past":
		rec.Past = v
	case "beyond":
		rec.Beyond = v
	default:
		return false
	}
	return true
}

func (rec *record) setNumber(key, v string) bool {
	to := &rec.Since
	switch key {
	case "since":
	case "seen":
		to = &rec.Seen
	case "at":
		to = &rec.At
	case "flap":
		to = &rec.Flap
	case "flaps":
		to = &rec.Flaps
	case "clock":
		to = &rec.Clock
	default:
		return rec.setReading(key, v)
	}
	n, err := strconv.ParseInt(v, 10, 64)
	*to = n
	return err == nil
}

func (rec *record) setReading(key, v string) bool {
	for g, to := range [readings]**float64{&rec.Battery, &rec.Temperature, &rec.Paper, &rec.Queue} {
		if key == gauges[g].name {
			f, err := strconv.ParseFloat(v, 64)
			*to = &f
			return err == nil
		}
	}
	return false
}

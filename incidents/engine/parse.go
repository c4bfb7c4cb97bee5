package engine

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"goc/ops"
)

// ParseLine reads one line of a replay file.
func ParseLine(b []byte) (Line, error) { return new(Parser).Parse(b) }

// Parser reads the lines of a replay file. Nearly all lines of a history are indicators; those in the usual form are read
// without reflection, everything else by encoding/json, with the same result. The zero Parser is ready.
type Parser struct {
	words map[string]string // strings seen before, so that each is kept once
	text  []byte            // the time of the line before, as it stood there
	at    ops.Time          // and what it means
}

// Parse reads one line. It does not keep b.
func (p *Parser) Parse(b []byte) (Line, error) {
	if l, ok := p.quick(b); ok {
		return l, nil
	}
	var l Line
	if err := json.Unmarshal(b, &l); err != nil {
		return l, ops.Errorf(ops.Invalid, "this is no line of a replay file: %w", err)
	}
	return l, l.validate()
}

// validate refuses a line without what its kind needs.
func (l Line) validate() error {
	if l.At.IsZero() {
		return ops.Errorf(ops.Invalid, "a line needs a time").At("at")
	}
	r := l.Recorded
	if r == nil {
		r = &Recorded{}
	}
	missing := ""
	switch l.Kind {
	case "change":
		if l.Change == nil || l.Change.ID == "" {
			return ops.Errorf(ops.Invalid, "a change needs an id").At("change.id")
		}
	case "declare":
		missing = without(map[string]bool{"who": r.Who != nil, "declaration": r.Declaration != nil})
	case "action":
		missing = without(map[string]bool{"who": r.Who != nil, "action": r.Action != nil})
	case "silence":
		missing = without(map[string]bool{"who": r.Who != nil, "silence": r.Silence != nil})
	case "expire":
		missing = without(map[string]bool{"who": r.Who != nil, "id": r.ID != ""})
	case "run", "record":
		missing = without(map[string]bool{"id": r.ID != ""})
	case "answer":
		missing = without(map[string]bool{"answer": r.Answer != nil})
	case "start":
		missing = without(map[string]bool{"begin": r.Begin != nil})
	case "catalog":
		missing = without(map[string]bool{"catalog": r.Catalog != nil})
	}
	if missing != "" {
		return ops.Errorf(ops.Invalid, "a line of kind %s needs it", l.Kind).At(missing)
	}
	return nil
}

// without is the first name, by the alphabet, that is not there; "" when all are.
func without(there map[string]bool) string {
	for _, name := range sortedKeys(there) {
		if !there[name] {
			return name
		}
	}
	return ""
}

// quick reads an indicator line whose values are plain strings and numbers; false leaves the line to encoding/json.
func (p *Parser) quick(b []byte) (l Line, ok bool) {
	rest, ok := bytes.CutPrefix(bytes.TrimSpace(b), []byte("{"))
	for ok {
		var key, value []byte
		if key, value, rest, ok = field(rest); !ok || !p.set(&l, key, value) {
			return l, false
		}
		if len(rest) == 1 && rest[0] == '}' {
			return l, l.Kind == "indicator" && !l.At.IsZero()
		}
		rest, ok = bytes.CutPrefix(rest, []byte(","))
	}
	return l, false
}

// field reads "key":value from the beginning of b; value keeps its quotes.
func field(b []byte) (key, value, rest []byte, ok bool) {
	key, b, ok = quoted(b)
	if !ok || len(b) < 2 || b[0] != ':' {
		return nil, nil, nil, false
	}
	if b = b[1:]; b[0] == '"' {
		if value, rest, ok = quoted(b); !ok {
			return nil, nil, nil, false
		}
		return key, b[:len(value)+2], rest, true
	}
	n := bytes.IndexAny(b, ",}")
	if n <= 0 {
		return nil, nil, nil, false
	}
	return key, b[:n], b[n:], true
}

// quoted reads a string without escapes from the beginning of b.
func quoted(b []byte) (text, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != '"' {
		return nil, nil, false
	}
	n := bytes.IndexByte(b[1:], '"')
	if n < 0 {
		return nil, nil, false
	}
	text = b[1 : 1+n]
	for _, c := range text {
		if c < 0x20 || c == '\\' {
			return nil, nil, false
		}
	}
	return text, b[n+2:], true
}

// set takes one field of an indicator line in; false where it is anything unusual.
func (p *Parser) set(l *Line, key, value []byte) bool {
	if value[0] != '"' {
		return p.setNumber(l, key, value)
	}
	text := value[1 : len(value)-1]
	var to *string
	switch string(key) {
	case "kind":
		to = &l.Kind
	case "indicator":
		to = &l.Indicator
	case "service":
		to = &l.Service
	case "caller":
		to = &l.Caller
	case "unit":
		to = &l.Unit
	case "caller_unit":
		to = &l.CallerUnit
	case "store":
		to = &l.Store
	default:
		return false
	}
	*to = p.word(text)
	return utf8.ValidString(*to)
}

// maxWords bounds the strings that a parser remembers.
const maxWords = 100_000

// word is text as a string, the same one for the same text.
func (p *Parser) word(text []byte) string {
	if w, ok := p.words[string(text)]; ok {
		return w
	}
	if p.words == nil || len(p.words) >= maxWords {
		p.words = map[string]string{}
	}
	w := string(text)
	p.words[w] = w
	return w
}

func (p *Parser) setNumber(l *Line, key, text []byte) bool {
	if !number(text) {
		return false
	}
	switch string(key) {
	case "at":
		return p.time(&l.At, text)
	case "sampled_at":
		return p.time(&l.SampledAt, text)
	case "step":
		n, err := strconv.ParseUint(string(text), 10, 64)
		l.Step = n
		return err == nil
	case "value":
		v, err := strconv.ParseFloat(string(text), 64)
		l.Value = &v
		return err == nil
	}
	return false
}

// time reads a time; many lines in a row have the same.
func (p *Parser) time(to *ops.Time, text []byte) bool {
	if !bytes.Equal(p.text, text) {
		at, err := ops.ParseTime(string(text))
		if err != nil {
			return false
		}
		p.text, p.at = append(p.text[:0], text...), ops.At(at)
	}
	*to = p.at
	return true
}

// number says whether b is a number as JSON writes it, without the forms that only Go reads.
func number(b []byte) bool {
	if len(b) > 1 && b[0] == '-' {
		b = b[1:]
	}
	if len(b) == 0 || b[0] < '0' || b[0] > '9' || b[0] == '0' && len(b) > 1 && b[1] >= '0' && b[1] <= '9' {
		return false
	}
	return json.Valid(b)
}

package fleet

import (
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// errSyntax is JSON that cannot be read on from; any other error is about one entry, which has been read to its end.
var errSyntax = errors.New("is not valid JSON")

// reader reads JSON values from b, at i.
type reader struct {
	b []byte
	i int
}

func (d *reader) space() {
	for d.i < len(d.b) && d.b[d.i] <= ' ' {
		switch d.b[d.i] {
		case ' ', '\t', '\n', '\r':
			d.i++
		default:
			return
		}
	}
}

func (d *reader) peek() byte {
	if d.i < len(d.b) {
		return d.b[d.i]
	}
	return 0
}

// next skips space and c, if c is there.
func (d *reader) next(c byte) bool {
	if d.i < len(d.b) && d.b[d.i] == c {
		d.i++
		return true
	}
	d.space()
	if d.peek() != c {
		return false
	}
	d.i++
	return true
}

// special are the bytes at which a string must be looked at more closely.
var special = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

// text reads "…"; what it returns is part of the body when there is nothing to unescape.
func (d *reader) text() (string, error) {
	b, i := d.b, d.i
	if i >= len(b) || b[i] != '"' {
		return "", errSyntax
	}
	i++
	start := i
	for i < len(b) && !special[b[i]] {
		i++
	}
	if i >= len(b) {
		return "", errSyntax
	}
	d.i = i + 1
	switch b[i] {
	case '"':
		return view(b[start:i]), nil
	case '\\':
		d.i = i
		return d.escaped(append([]byte(nil), b[start:i]...))
	}
	return "", errSyntax
}

// view is b as a string, without a copy; b is not changed while the string is used.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// escapes are the characters after a backslash that stand for one byte.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped reads the rest of a string that has escapes.
func (d *reader) escaped(out []byte) (string, error) {
	for d.i < len(d.b) {
		c := d.b[d.i]
		d.i++
		switch {
		case c == '"':
			return view(out), nil
		case c < 0x20:
			return "", errSyntax
		case c != '\\':
			out = append(out, c)
			continue
		}
		e := d.peek()
		d.i++
		if e == 'u' {
			r, ok := d.rune()
			if !ok {
				return "", errSyntax
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		if escapes[e] == 0 {
			return "", errSyntax
		}
		out = append(out, escapes[e])
	}
	return "", errSyntax
}

// rune reads the four digits after \u, and the second half of a pair.
func (d *reader) rune() (rune, bool) {
	r, ok := d.hex()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	if d.i+1 < len(d.b) && d.b[d.i] == '\\' && d.b[d.i+1] == 'u' {
		at := d.i
		d.i += 2
		low, ok := d.hex()
		if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
			return pair, true
		}
		d.i = at
	}
	return utf8.RuneError, true
}

func (d *reader) hex() (rune, bool) {
	if d.i+4 > len(d.b) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(d.b[d.i:d.i+4]), 16, 32)
	d.i += 4
	return rune(n), err == nil
}

// skip reads any JSON value to its end.
func (d *reader) skip(depth int) error {
	d.space()
	switch c := d.peek(); {
	case depth > maxDepth:
		return errSyntax
	case c == '"':
		_, err := d.text()
		return err
	case c == '{':
		d.i++
		return d.skipList('}', depth, true)
	case c == '[':
		d.i++
		return d.skipList(']', depth, false)
	case c == 't':
		return d.word("true")
	case c == 'f':
		return d.word("false")
	case c == 'n':
		return d.word("null")
	}
	return d.number()
}

// skipList reads to the end of an object or an array.
func (d *reader) skipList(end byte, depth int, keys bool) error {
	if d.next(end) {
		return nil
	}
	for {
		if keys {
			d.space()
			if _, err := d.text(); err != nil {
				return err
			}
			if !d.next(':') {
				return errSyntax
			}
		}
		if err := d.skip(depth + 1); err != nil {
			return err
		}
		if d.next(',') {
			continue
		}
		if d.next(end) {
			return nil
		}
		return errSyntax
	}
}

func (d *reader) word(w string) error {
	if len(d.b)-d.i < len(w) || string(d.b[d.i:d.i+len(w)]) != w {
		return errSyntax
	}
	d.i += len(w)
	return nil
}

// number reads -?int frac? exp? as JSON has it.
func (d *reader) number() error {
	if d.peek() == '-' {
		d.i++
	}
	if d.peek() == '0' {
		d.i++
	} else if !d.digits() {
		return errSyntax
	}
	if d.peek() == '.' {
		d.i++
		if !d.digits() {
			return errSyntax
		}
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		d.i++
		if c := d.peek(); c == '+' || c == '-' {
			d.i++
		}
		if !d.digits() {
			return errSyntax
		}
	}
	return nil
}

func (d *reader) digits() bool {
	start := d.i
	for d.i < len(d.b) && d.b[d.i] >= '0' && d.b[d.i] <= '9' {
		d.i++
	}
	return d.i > start
}

package fleet

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

func (d *decoder) space() {
	for d.i < len(d.b) {
		switch d.b[d.i] {
		case ' ', '\t', '\n', '\r':
			d.i++
		default:
			return
		}
	}
}

func (d *decoder) peek() byte {
	if d.i < len(d.b) {
		return d.b[d.i]
	}
	return 0
}

// next skips space and c, if c is there.
func (d *decoder) next(c byte) bool {
	d.space()
	if d.peek() != c {
		return false
	}
	d.i++
	return true
}

// str reads a string as one that this body has made before, if it has.
func (d *decoder) str() (string, error) {
	b, err := d.text()
	if err != nil {
		return "", err
	}
	if s, ok := d.seen[string(b)]; ok {
		return s, nil
	}
	s := string(b)
	d.seen[s] = s
	return s, nil
}

// text reads "…"; what it returns is part of the body when there is nothing to unescape.
func (d *decoder) text() ([]byte, error) {
	if d.peek() != '"' {
		return nil, errSyntax
	}
	d.i++
	start := d.i
	for ; d.i < len(d.b); d.i++ {
		switch c := d.b[d.i]; {
		case c == '"':
			d.i++
			return d.b[start : d.i-1], nil
		case c == '\\':
			return d.escaped(append([]byte(nil), d.b[start:d.i]...))
		case c < 0x20:
			return nil, errSyntax
		}
	}
	return nil, errSyntax
}

// escapes are the characters after a backslash that stand for one byte.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped reads the rest of a string that has escapes.
func (d *decoder) escaped(out []byte) ([]byte, error) {
	for d.i < len(d.b) {
		c := d.b[d.i]
		d.i++
		switch {
		case c == '"':
			return out, nil
		case c < 0x20:
			return nil, errSyntax
		case c != '\\':
			out = append(out, c)
			continue
		}
		e := d.peek()
		d.i++
		if e == 'u' {
			r, ok := d.rune()
			if !ok {
				return nil, errSyntax
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		if escapes[e] == 0 {
			return nil, errSyntax
		}
		out = append(out, escapes[e])
	}
	return nil, errSyntax
}

// rune reads the four digits after \u, and the second half of a pair.
func (d *decoder) rune() (rune, bool) {
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

func (d *decoder) hex() (rune, bool) {
	if d.i+4 > len(d.b) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(d.b[d.i:d.i+4]), 16, 32)
	d.i += 4
	return rune(n), err == nil
}

package fleet

// skip reads any JSON value to its end.
func (d *decoder) skip(depth int) error {
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
func (d *decoder) skipList(end byte, depth int, keys bool) error {
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

func (d *decoder) word(w string) error {
	if len(d.b)-d.i < len(w) || string(d.b[d.i:d.i+len(w)]) != w {
		return errSyntax
	}
	d.i += len(w)
	return nil
}

// number reads -?int frac? exp? as JSON has it.
func (d *decoder) number() error {
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

func (d *decoder) digits() bool {
	start := d.i
	for d.i < len(d.b) && d.b[d.i] >= '0' && d.b[d.i] <= '9' {
		d.i++
	}
	return d.i > start
}

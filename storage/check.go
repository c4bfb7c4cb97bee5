package storage

import (
	"strings"
	"unicode/utf8"

	"goc/ops"
)

// Bounds of one mutation. What is over them is refused alone and changes nothing.
const (
	MaxBody  = 4 << 20  // bytes of a record's or effect's body or an event's data
	MaxBytes = 32 << 20 // bytes of a mutation altogether
	MaxItems = 20_000   // records, deletes, events and effects of a mutation altogether
	MaxName  = 512      // bytes of a kind, id, name, topic, subject, actor, key or lane
)

// check returns about how many bytes m holds, or why it is refused. What a text column of either database cannot hold
// (NUL, broken UTF-8) is refused here, because in a commit it would stop the journal for everybody.
func check(m *ops.Mutation) (size int, refused *ops.Error) {
	if n := len(m.Put) + len(m.Delete) + len(m.Events) + len(m.Effects); n > MaxItems {
		return 0, ops.Errorf(ops.TooLarge, "a mutation may hold %d records, events and effects, not %d", MaxItems, n)
	}
	c := checker{}
	for i := range m.Put {
		r := &m.Put[i]
		c.names("record", r.Kind, r.ID)
		c.required("record", r.Kind, r.ID)
		c.body("record", r.Kind, r.Body)
	}
	for i := range m.Delete {
		c.names("record", m.Delete[i].Kind, m.Delete[i].ID)
	}
	for i := range m.Events {
		e := &m.Events[i]
		c.names("event", e.Name, e.Topic, e.Subject, e.Actor)
		c.body("event", e.Name, e.Data)
	}
	for i := range m.Effects {
		e := &m.Effects[i]
		c.names("effect", e.Kind, e.Key, e.Lane)
		c.required("effect", e.Kind)
		c.body("effect", e.Kind, e.Body)
	}
	if c.err == nil && c.size > MaxBytes {
		c.err = ops.Errorf(ops.TooLarge, "a mutation may hold %d bytes", MaxBytes)
	}
	return c.size, c.err
}

// checker adds up sizes and keeps the first fault.
type checker struct {
	size int
	err  *ops.Error
}

func (c *checker) names(what string, names ...string) {
	for _, n := range names {
		c.size += len(n)
		if len(n) > MaxName {
			c.fail(ops.Errorf(ops.TooLarge, "a name of an %s may have %d bytes, not %d", what, MaxName, len(n)))
		}
		if !storable(n) {
			c.fail(ops.Errorf(ops.Invalid, "a name of an %s must be UTF-8 without NUL", what))
		}
	}
}

// storable says whether a text column of both databases can hold s.
func storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func (c *checker) required(what string, names ...string) {
	for _, n := range names {
		if n == "" {
			c.fail(ops.Errorf(ops.Invalid, "the kind and id of an %s must not be empty", what))
		}
	}
}

func (c *checker) body(what, name string, b []byte) {
	c.size += len(b)
	if len(b) > MaxBody {
		c.fail(ops.Errorf(ops.TooLarge, "the body of %s %s has %d bytes; %d are allowed", what, name, len(b), MaxBody))
	}
}

func (c *checker) fail(err *ops.Error) {
	if c.err == nil {
		c.err = err
	}
}

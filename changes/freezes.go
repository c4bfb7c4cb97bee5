package changes

import (
	"slices"
	"sync/atomic"
	"time"

	"goc/changes/window"
	"goc/ops"
)

// Freezes are freeze windows, found by when they are closed and by what they touch: of a thousand of them a decision
// looks only at those that are closed now and name something that the change touches. They are not written to.
type Freezes struct {
	list  []*Freeze
	shown atomic.Pointer[closing] // those closed at the time that was asked for last
}

// NewFreezes makes freezes ready to be asked. It keeps the list.
func NewFreezes(list []*Freeze) *Freezes { return &Freezes{list: list} }

// List is the freezes in the order in which they were added.
func (f *Freezes) List() []*Freeze {
	if f == nil {
		return nil
	}
	return f.list
}

// closing is which freezes are closed, good for all times in [from, until).
type closing struct {
	from, until time.Time
	closed      []closedFreeze
	by          map[keyed][]int // places in closed, by one key that the freeze names, and a value of it
	naming      map[int][]int   // places in closed, by that key
	open        []int           // places in closed of those that name nothing
}

type closedFreeze struct {
	*Freeze
	span window.Span
}

type keyed struct {
	key   int // place in ops.ScopeKeys
	value string
}

// selective are the keys of a scope, those first that few others share.
var selective = [...]string{"store", "device", "unit", "service", "city", "firmware", "model", "region", "business", "kind", "tier"}

// at returns which freezes are closed at t. It looks at each freeze only when one of them has closed or opened since.
func (f *Freezes) at(t time.Time) *closing {
	if c := f.shown.Load(); c != nil && !t.Before(c.from) && t.Before(c.until) {
		return c
	}
	c := &closing{from: t, until: t.Add(100 * MaxCalendar), by: map[keyed][]int{}, naming: map[int][]int{}}
	for _, z := range f.list {
		switch span, ok := z.span(t); {
		case !ok:
		case span.Contains(t):
			c.add(closedFreeze{z, span})
		case span.From.Before(c.until):
			c.until = span.From
		}
	}
	f.shown.Store(c)
	return c
}

func (c *closing) add(f closedFreeze) {
	if f.span.To.Before(c.until) {
		c.until = f.span.To
	}
	n := len(c.closed)
	c.closed = append(c.closed, f)
	for _, name := range selective {
		values := *f.expanded.Key(name)
		if len(values) == 0 {
			continue
		}
		key := slices.Index(ops.ScopeKeys[:], name)
		c.naming[key] = append(c.naming[key], n)
		for _, v := range values {
			k := keyed{key, v}
			c.by[k] = append(c.by[k], n)
		}
		return
	}
	c.open = append(c.open, n)
}

// touching calls fn with each freeze that is closed and overlaps an expanded scope, in the order in which they were added.
func (c *closing) touching(scope *ops.Scope, fn func(closedFreeze)) {
	var few [32]int
	found := append(few[:0], c.open...)
	for key, all := range c.naming {
		values := *scope.Key(ops.ScopeKeys[key])
		if len(values) == 0 {
			found = append(found, all...)
			continue
		}
		for _, v := range values {
			found = append(found, c.by[keyed{key, v}]...)
		}
	}
	slices.Sort(found)
	for i, n := range found {
		if (i == 0 || found[i-1] != n) && c.closed[n].expanded.Overlaps(*scope) {
			fn(c.closed[n])
		}
	}
}

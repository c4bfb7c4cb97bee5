package changes

import (
	"iter"
	"slices"
	"time"

	"goc/ops"
)

// entry is a change on record. It is never written to: a change that moves gets a new one.
type entry struct {
	ops.Change
	Starters map[int]string `json:"starters,omitempty"` // who started each stage, 0 for the change as a whole
	Recorder string         `json:"recorder,omitempty"` // who put it on record

	Stopped []string `json:"stopped,omitempty"` // incidents for which it was paused: once for each
	Ordered ops.Time `json:"ordered,omitzero"`  // when its plan of rollback was ordered: once
}

// moved is the entry of the same change as it now is.
func (e *entry) moved(c ops.Change) *entry {
	return &entry{Change: c, Starters: e.Starters, Recorder: e.Recorder, Stopped: e.Stopped, Ordered: e.Ordered}
}

// index finds changes by number, status, service, store and the sender's own id without looking at each.
type index struct {
	catalog    *ops.Catalog
	flight     *Flight
	all        []*entry // all[n-1] is CHG-n; nil when there is none
	status     map[ops.ChangeStatus]ascending
	service    map[string]ascending
	store      map[string]ascending
	unapproved ascending
	wide       ascending // changes that touch more stores than are worth listing each
	external   map[string]int
	last       ops.Time // when the newest was recorded
}

// wideStores is how many stores a change may touch and still be listed under each.
const wideStores = 200

func newIndex(catalog *ops.Catalog) index {
	return index{
		catalog: catalog, flight: NewFlight(catalog), status: map[ops.ChangeStatus]ascending{}, service: map[string]ascending{},
		store: map[string]ascending{}, external: map[string]int{},
	}
}

// get returns CHG-n, nil when there is none.
func (x *index) get(n int) *entry {
	if n < 1 || n > len(x.all) {
		return nil
	}
	return x.all[n-1]
}

// put takes in a change, new or moved, and returns what stood there before.
func (x *index) put(e *entry) *entry {
	n := number("CHG", e.ID)
	for len(x.all) < n {
		x.all = append(x.all, nil)
	}
	old := x.all[n-1]
	x.all[n-1] = e
	if old == nil || old.Status != e.Status {
		if old != nil {
			x.status[old.Status] = x.status[old.Status].without(n)
		}
		x.status[e.Status] = x.status[e.Status].with(n)
	}
	if old == nil {
		for _, name := range servicesOf(&e.Change) {
			x.service[name] = x.service[name].with(n)
		}
		if key := externalKey(&e.Change); key != "" {
			x.external[key] = n
		}
		if e.CreatedAt.After(x.last.Time) {
			x.last = e.CreatedAt
		}
	}
	if e.Unapproved && (old == nil || !old.Unapproved) {
		x.unapproved = x.unapproved.with(n)
	}
	x.putStores(e, n)
	if old == nil {
		x.flight.Put(nil, &e.Change)
	} else {
		x.flight.Put(&old.Change, &e.Change)
	}
	return old
}

func servicesOf(c *ops.Change) []string {
	if c.Service == "" || slices.Contains(c.Scope.Service, c.Service) {
		return c.Scope.Service
	}
	return append([]string{c.Service}, c.Scope.Service...)
}

// externalKey is by what a sender's own id is known: one change per source and id. "" when it has none.
func externalKey(c *ops.Change) string {
	if ext := c.Labels["external_id"]; ext != "" {
		return c.Source + "\x00" + ext
	}
	return ""
}

// putStores lists the change under the stores that it names. Stores may be added by its stages as it goes.
func (x *index) putStores(e *entry, n int) {
	if len(e.Scope.Store)+len(e.Scope.City)+len(e.Scope.Region) == 0 && !stagesNamePlace(&e.Change) {
		x.wide = x.wide.with(n)
		return
	}
	scopes := []ops.Scope{e.Scope}
	for _, st := range e.Stages {
		scopes = append(scopes, st.Scope)
	}
	var stores []string
	for _, sc := range scopes {
		switch {
		case len(sc.Store) > 0:
			stores = append(stores, sc.Store...)
		case len(sc.City)+len(sc.Region) > 0:
			stores = append(stores, x.catalog.StoresIn(sc)...)
		}
		if len(stores) > wideStores {
			x.wide = x.wide.with(n)
			return
		}
	}
	for _, id := range stores {
		x.store[id] = x.store[id].with(n)
	}
}

func stagesNamePlace(c *ops.Change) bool {
	for _, st := range c.Stages {
		if len(st.Scope.Store)+len(st.Scope.City)+len(st.Scope.Region) > 0 {
			return true
		}
	}
	return false
}

// newestFirst yields the changes that a query selects, those before the number `before` when it is not 0.
func (x *index) newestFirst(q ops.ChangeQuery, before int) iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for n := range x.narrowest(q).descending(len(x.all), before) {
			e := x.all[n-1]
			if e == nil || !x.selects(q, e) {
				continue
			}
			if e.CreatedAt.Before(q.Since.Time) { // numbers follow the time of recording
				return
			}
			if !yield(e) {
				return
			}
		}
	}
}

// narrowest is the shortest list that holds everything that the query selects; nil is all.
func (x *index) narrowest(q ops.ChangeQuery) ascending {
	best, found := ascending(nil), false
	consider := func(list ascending) {
		if !found || len(list) < len(best) {
			best, found = list, true
		}
	}
	if q.Status != "" {
		consider(x.status[q.Status])
	}
	if q.Service != "" {
		consider(x.service[q.Service])
	}
	if q.Unapproved {
		consider(x.unapproved)
	}
	if q.Store != "" {
		consider(union(x.store[q.Store], x.wide))
	}
	if found && best == nil {
		return ascending{}
	}
	return best
}

func (x *index) selects(q ops.ChangeQuery, e *entry) bool {
	if q.Status != "" && e.Status != q.Status {
		return false
	}
	if q.Unapproved && !e.Unapproved {
		return false
	}
	if q.Service != "" && e.Service != q.Service && !slices.Contains(e.Scope.Service, q.Service) {
		return false
	}
	return q.Store == "" || x.touchesStore(&e.Change, q.Store)
}

// touchesStore says whether the change goes to a store, now or in a later stage.
func (x *index) touchesStore(c *ops.Change, store string) bool {
	there := ops.Scope{Store: []string{store}}
	if st, ok := x.catalog.Store(store); ok {
		there.City, there.Region = []string{st.City}, []string{st.Region}
	}
	if place(c.Scope).Overlaps(there) && !stagesNamePlace(c) {
		return true
	}
	for _, st := range c.Stages {
		if p := place(st.Scope); !p.Empty() && p.Overlaps(there) {
			return true
		}
	}
	return false
}

func place(s ops.Scope) ops.Scope { return ops.Scope{Region: s.Region, City: s.City, Store: s.Store} }

// recent lists the changes that are open or ended after since, oldest first.
func (x *index) recent(since time.Time) []ops.Change {
	var numbers ascending
	for _, s := range []ops.ChangeStatus{ops.ChangePlanned, ops.ChangeStarted, ops.ChangePaused} {
		numbers = union(numbers, x.status[s])
	}
	for n := range ascending(nil).descending(len(x.all), 0) {
		e := x.all[n-1]
		if e == nil {
			continue
		}
		if !e.Status.Open() && e.FinishedAt.After(since) {
			numbers = append(numbers, n)
		}
		if e.CreatedAt.Before(since.Add(-28 * 24 * time.Hour)) { // what was open for longer is not worth the search
			break
		}
	}
	slices.Sort(numbers)
	out := make([]ops.Change, 0, len(numbers))
	for _, n := range numbers {
		out = append(out, x.all[n-1].Change)
	}
	return out
}

// ascending is a list of numbers, each once, smallest first.
type ascending []int

func (a ascending) with(n int) ascending {
	i, there := slices.BinarySearch(a, n)
	if there {
		return a
	}
	return slices.Insert(a, i, n)
}

func (a ascending) without(n int) ascending {
	i, there := slices.BinarySearch(a, n)
	if !there {
		return a
	}
	return slices.Delete(a, i, i+1)
}

// descending yields the numbers below `before` (0: all), largest first; of a nil list, all from count down.
func (a ascending) descending(count, before int) iter.Seq[int] {
	return func(yield func(int) bool) {
		if a == nil {
			if before > 0 && before <= count {
				count = before - 1
			}
			for n := count; n >= 1; n-- {
				if !yield(n) {
					return
				}
			}
			return
		}
		i := len(a)
		if before > 0 {
			i, _ = slices.BinarySearch(a, before)
		}
		for i--; i >= 0; i-- {
			if !yield(a[i]) {
				return
			}
		}
	}
}

// union is a sorted list of what is in a or b.
func union(a, b ascending) ascending {
	out := make(ascending, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			out, a = append(out, a[0]), a[1:]
		case a[0] > b[0]:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

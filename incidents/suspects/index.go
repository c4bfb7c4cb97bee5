package suspects

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"goc/ops"
)

// MaxChanges bounds the changes that an index remembers; beyond it those that moved longest ago are forgotten.
const MaxChanges = 200_000

// maxCandidates bounds how many changes one ranking weighs: the ones that moved last.
const maxCandidates = 400

// entry is a change in one bucket of the index, ordered by when it last moved.
type entry struct {
	at time.Time
	c  *ops.Change
}

func (e entry) compare(o entry) int {
	return cmp.Or(e.at.Compare(o.at), cmp.Compare(e.c.ID, o.c.ID))
}

// Index finds the changes that can matter to an incident without looking at all of them: by service, by store or
// city, and by time for those that name neither.
type Index struct {
	byID    map[string]entry
	buckets map[string][]entry // "service/x", "store/x", "city/x", "wide"
	all     []entry
}

// NewIndex makes an empty index.
func NewIndex() *Index {
	return &Index{byID: map[string]entry{}, buckets: map[string][]entry{}}
}

// Change finds a change by id. It must not be modified.
func (x *Index) Change(id string) (*ops.Change, bool) {
	e, ok := x.byID[id]
	return e.c, ok
}

// Put records a change or its newer version. The index keeps c as it is: the caller must not change it afterwards.
func (x *Index) Put(c ops.Change) {
	if old, ok := x.byID[c.ID]; ok {
		x.remove(old)
	}
	e := entry{lastMove(c), &c}
	x.byID[c.ID] = e
	x.all = insert(x.all, e)
	for _, b := range bucketsOf(c) {
		x.buckets[b] = insert(x.buckets[b], e)
	}
	if len(x.all) > MaxChanges {
		x.remove(x.all[0])
	}
}

func (x *Index) remove(e entry) {
	delete(x.byID, e.c.ID)
	x.all = drop(x.all, e)
	for _, b := range bucketsOf(*e.c) {
		if x.buckets[b] = drop(x.buckets[b], e); len(x.buckets[b]) == 0 {
			delete(x.buckets, b)
		}
	}
}

// maxNamedStores is how many stores a change may name and still be indexed by each; one that names more is looked at
// for every place.
const maxNamedStores = 200

// bucketsOf names the buckets that c stands in: its services and its places, or the changes that could touch anything.
func bucketsOf(c ops.Change) []string {
	touched := c.Touched()
	var out []string
	for _, s := range touched.Service {
		out = append(out, "service/"+s)
	}
	if len(touched.Store) > maxNamedStores {
		return append(out, "wide")
	}
	for _, s := range touched.Store {
		out = append(out, "store/"+s)
	}
	if len(touched.Store) == 0 {
		for _, s := range touched.City {
			out = append(out, "city/"+s)
		}
	}
	if len(out) == 0 {
		return []string{"wide"}
	}
	return out
}

// lastMove is when c last did something: its newest stage, else its start; for one that is only planned, its record.
func lastMove(c ops.Change) time.Time {
	at := c.StartedAt.Time
	for _, s := range c.Stages {
		if s.StartedAt.After(at) {
			at = s.StartedAt.Time
		}
	}
	if at.IsZero() {
		return c.CreatedAt.Time
	}
	return at
}

func insert(list []entry, e entry) []entry {
	i, _ := slices.BinarySearchFunc(list, e, entry.compare)
	return slices.Insert(list, i, e)
}

func drop(list []entry, e entry) []entry {
	if i, ok := slices.BinarySearchFunc(list, e, entry.compare); ok {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// Find lists the changes that moved since a time and touch one of the services, stores or cities, or name no place and
// no service at all: newest first, each once, at most maxCandidates.
func (x *Index) Find(services, stores, cities []string, since time.Time) []*ops.Change {
	names := []string{"wide"}
	for _, s := range services {
		names = append(names, "service/"+s)
	}
	for _, s := range stores {
		names = append(names, "store/"+s)
	}
	for _, s := range cities {
		names = append(names, "city/"+s)
	}
	heads := make(cursors, 0, len(names))
	for _, n := range names {
		if list := x.buckets[n]; len(list) > 0 && !list[len(list)-1].at.Before(since) {
			heads = append(heads, list)
		}
	}
	heap.Init(&heads)
	out := []*ops.Change{}
	for len(heads) > 0 && len(out) < maxCandidates {
		list := heads[0]
		newest := list[len(list)-1]
		if len(out) == 0 || out[len(out)-1] != newest.c {
			out = append(out, newest.c)
		}
		if list = list[:len(list)-1]; len(list) == 0 || list[len(list)-1].at.Before(since) {
			heap.Pop(&heads)
			continue
		}
		heads[0] = list
		heap.Fix(&heads, 0)
	}
	return out
}

// cursors is a heap of buckets, the one with the newest last entry first.
type cursors [][]entry

func (c cursors) Len() int           { return len(c) }
func (c cursors) Less(i, j int) bool { return c[i][len(c[i])-1].compare(c[j][len(c[j])-1]) > 0 }
func (c cursors) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *cursors) Push(v any)        { *c = append(*c, v.([]entry)) }
func (c *cursors) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// Since lists the changes that moved since a time, newest first, at most limit.
func (x *Index) Since(since time.Time, limit int) []*ops.Change {
	var out []*ops.Change
	for i := len(x.all) - 1; i >= 0 && len(out) < limit && !x.all[i].at.Before(since); i-- {
		out = append(out, x.all[i].c)
	}
	return out
}

package suspects

import (
	"math"
	"slices"
	"time"

	"goc/ops"
)

// The axes on which changes and symptoms name things. The first six are those on which places and devices are compared,
// in the order in which a difference is told.
const (
	byStore = iota
	byCity
	byRegion
	byDevice
	byModel
	byFirmware
	placeAxes
)

const (
	byService = placeAxes + iota
	nameAxes
	byMany = nameAxes     // changes that name more stores than are indexed one by one
	byAny  = nameAxes + 1 // changes that could touch anything
)

// placeKeys are the keys of a scope for the axes of places.
var placeKeys = [placeAxes]string{"store", "city", "region", "kind", "model", "firmware"}

// profile is a change as the index keeps it: what the ranking reads of it, worked out once.
type profile struct {
	*ops.Change
	at      int64           // when it last moved, Unix nanoseconds
	places  [placeAxes]*set // what it has touched, by axis; nil where it names nothing
	named   *set            // stores that it was exposed to by name
	areas   []ops.Scope     // cities and regions that it was exposed to as a whole
	exposed *set            // stores that it was exposed to, by the catalog in use
	healthy []int64         // when the bakes ended that went well, Unix nanoseconds, ascending
	undone  int64           // when it was rolled back, 0 when it was not
	keys    []key           // the lists of the index that it stands in
	long    map[int]*set    // the stores that Change leaves out because there are many, by stage; -1 is the change as a whole
}

// facts is the part of a profile that every change on a list is asked for; it is kept apart so that it stays in the
// processor's cache.
type facts struct {
	service uint32 // number of the service that it changes, plus one; 0 for none
	kind    uint8  // number of its kind
	conduct uint8  // risk and conduct, see the table in frame
	reach   uint8  // how it went to stores
	flags   uint8
}

// How a change went to stores.
const (
	reachNone  = iota // nothing is known of it
	reachEvery        // everywhere at once
	reachNamed        // to stores that it names, few enough to stand in their lists
	reachArea         // to many stores, or to all of a city or region
)

const (
	flagMoves  = 1 << iota // it moved more than once
	flagJudged             // a bake went well or it was undone, so that its score depends on when
	flagPlaced             // it touches a place or a kind of device
	flagTreats             // it names units or stores, so that there may be samples of them
)

// nanos is t in Unix nanoseconds, bounded by what these can say.
func nanos(t time.Time) int64 {
	switch y := t.Year(); {
	case y < 1700:
		return math.MinInt64 / 2
	case y > 2200:
		return math.MaxInt64 / 2
	}
	return t.UnixNano()
}

// risks and conducts number the rows and columns of the table of priors.
const (
	riskLow = iota
	riskMedium
	riskHigh
	risks
)

const (
	conductPlain = iota
	conductForced
	conductHasty
	conducts
)

func riskOf(ch *ops.Change) int {
	switch ch.Risk {
	case "high":
		return riskHigh
	case "low":
		return riskLow
	}
	return riskMedium
}

func conductOf(ch *ops.Change) int {
	if ch.Overridden || ch.Unapproved {
		return conductForced
	}
	if stage, _ := hastyStage(ch); stage > 0 {
		return conductHasty
	}
	return conductPlain
}

// profileOf works out the profile of a change and its facts.
func (x *Index) profileOf(ch *ops.Change) (profile, facts) {
	p := profile{Change: ch, at: nanos(LastMove(ch)), undone: zeroOr(undone(ch))}
	f := facts{kind: x.kind(ch.Kind), conduct: uint8(riskOf(ch)*conducts + conductOf(ch))}
	if ch.Service != "" {
		f.service = x.names[byService].id(ch.Service) + 1
	}
	for axis, key := range placeKeys {
		p.places[axis] = x.touched(&p, axis, key)
	}
	x.expose(&p)
	for _, st := range ch.Stages {
		if st.Verdict == ops.Healthy && !st.FinishedAt.IsZero() {
			p.healthy = append(p.healthy, nanos(st.FinishedAt.Add(time.Duration(st.Bake))))
		}
	}
	slices.Sort(p.healthy)
	if len(p.healthy) > 0 || p.undone != 0 {
		f.flags |= flagJudged
	}
	if movesOf(ch) > 1 {
		f.flags |= flagMoves
	}
	if p.places != ([placeAxes]*set{}) {
		f.flags |= flagPlaced
	}
	if p.treats() {
		f.flags |= flagTreats
	}
	f.reach = p.reach()
	p.keys = x.keysOf(&p)
	x.shorten(&p)
	return p, f
}

func zeroOr(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return nanos(t)
}

func movesOf(ch *ops.Change) int {
	n := 0
	if !ch.StartedAt.IsZero() {
		n++
	}
	for i := range ch.Stages {
		if !ch.Stages[i].StartedAt.IsZero() {
			n++
		}
	}
	return n
}

// touched is what the change has touched so far on one axis: of a staged change what its started stages name, where
// they name something, else what the change names. It is ops.Change.Touched on numbers, nil for nothing.
func (x *Index) touched(p *profile, axis int, key string) *set {
	s := &set{}
	for i := range p.Stages {
		if !p.Stages[i].StartedAt.IsZero() {
			x.addNames(s, axis, *p.Stages[i].Scope.Key(key))
		}
	}
	if s.n == 0 {
		x.addNames(s, axis, *p.Scope.Key(key))
	}
	if s.n == 0 {
		return nil
	}
	return s
}

func (x *Index) addNames(s *set, axis int, list []string) {
	for _, name := range list {
		s.add(x.names[axis].id(name))
	}
}

// expose notes the stores to which the change went: those of the stages that started, or of the change as a whole.
func (x *Index) expose(p *profile) {
	take := func(s ops.Scope) {
		if len(s.Store) > 0 {
			p.named = p.places[byStore] // what names stores has touched them, and nothing else has
		} else if len(s.City)+len(s.Region) > 0 {
			p.areas = append(p.areas, ops.Scope{City: s.City, Region: s.Region})
		}
	}
	for i := range p.Stages {
		if !p.Stages[i].StartedAt.IsZero() {
			take(p.Stages[i].Scope)
		}
	}
	if len(p.Stages) == 0 && !p.StartedAt.IsZero() {
		take(p.Scope)
	}
	x.locate(p)
}

// shorten takes long lists of stores out of the change and keeps them as sets: five thousand names take 80 KB, their set
// takes one. The change itself, which others may hold, stays as it is.
func (x *Index) shorten(p *profile) {
	short, stages := *p.Change, false
	take := func(stage int, s *ops.Scope) {
		if p.long == nil {
			p.long = map[int]*set{}
		}
		list, touched := &set{}, p.places[byStore]
		if x.addNames(list, byStore, s.Store); list.n == touched.size() && list.n == list.common(touched) {
			list = touched // one set serves for both
		}
		p.long[stage], s.Store = list, nil
	}
	if len(p.Scope.Store) > maxFew {
		take(-1, &short.Scope)
	}
	for i := range p.Stages {
		if len(p.Stages[i].Scope.Store) > maxFew {
			if !stages {
				short.Stages, stages = slices.Clone(short.Stages), true
			}
			take(i, &short.Stages[i].Scope)
		}
	}
	if p.long != nil {
		p.Change = &short
	}
}

// whole is the change with the lists that were taken out of it, in the order of names.
func (x *Index) whole(p *profile) *ops.Change {
	if p.long == nil {
		return p.Change
	}
	out := *p.Change
	out.Stages = slices.Clone(out.Stages)
	for stage, list := range p.long {
		names := make([]string, 0, list.n)
		for id := range list.each {
			names = append(names, x.names[byStore].list[id])
		}
		slices.Sort(names)
		if stage < 0 {
			out.Scope.Store = names
		} else {
			out.Stages[stage].Scope.Store = names
		}
	}
	return &out
}

// locate works out the stores of the areas to which a change went, by the catalog in use.
func (x *Index) locate(p *profile) {
	p.exposed = p.named
	if len(p.areas) == 0 || x.atlas.cat == nil {
		return
	}
	if len(p.areas) == 1 && p.named == nil {
		p.exposed = x.atlas.stores(p.areas[0])
		return
	}
	all := &set{}
	all.addAll(p.named)
	for _, a := range p.areas {
		all.addAll(x.atlas.stores(a))
	}
	p.exposed = all
}

// reach sorts a change by how it went to stores.
func (p *profile) reach() uint8 {
	switch {
	case p.exposed.size() > 0 && len(p.areas) == 0 && p.places[byStore].size() <= maxFew:
		return reachNamed
	case p.exposed.size() > 0:
		return reachArea
	case len(p.Stages) == 0 && !p.StartedAt.IsZero() && len(p.Scope.Unit) == 0:
		return reachEvery
	}
	return reachNone
}

package engine

import (
	"cmp"
	"slices"
)

// board finds the active incidents that an alert may have to do with, without looking at all of them.
type board struct {
	at    map[mark][]*incident // in the order of opening
	roots map[string]int       // services that some root is about, and how many
}

// mark is one thing by which an incident can be found.
type mark struct {
	by    byte
	value string
}

// What incidents are found by.
const (
	bySymptom  = 's' // a service of its scope
	byRoot     = 'r' // the service of its root
	byTrouble  = 'p' // the place that is in trouble as a whole
	byStore    = 't' // a store of its scope
	byPlace    = 'w' // a place that its root lies in
	byFirmware = 'f'
	byKind     = 'k'
	byInstance = 'i'
	byName     = 'n' // the class and name of its root's alert
)

func newBoard() *board { return &board{at: map[mark][]*incident{}, roots: map[string]int{}} }

// add puts inc where m finds it; a second time changes nothing.
func (b *board) add(inc *incident, m mark) {
	if m.value == "" || slices.Contains(b.at[m], inc) {
		return
	}
	list := b.at[m]
	i, _ := slices.BinarySearchFunc(list, inc, func(a, b *incident) int { return cmp.Compare(a.number, b.number) })
	b.at[m] = slices.Insert(list, i, inc)
	inc.marks = append(inc.marks, m)
	if m.by == byRoot {
		b.roots[m.value]++
	}
}

// drop takes inc off the board.
func (b *board) drop(inc *incident) {
	for _, m := range inc.marks {
		if b.at[m] = slices.DeleteFunc(b.at[m], func(o *incident) bool { return o == inc }); len(b.at[m]) == 0 {
			delete(b.at, m)
		}
		if m.by == byRoot {
			if b.roots[m.value]--; b.roots[m.value] == 0 {
				delete(b.roots, m.value)
			}
		}
	}
	inc.marks = nil
}

// post puts an active incident where it can be found, anew after its root or its scope changed.
func (e *Engine) post(inc *incident) {
	e.board.drop(inc)
	if !inc.State.Active() {
		return
	}
	root := inc.rootSight
	class := root.class()
	e.board.add(inc, mark{byName, class + "/" + root.name})
	switch class {
	case aboutService:
		e.board.add(inc, mark{byRoot, root.service})
	case aboutPlace:
		e.board.add(inc, mark{byTrouble, root.place().key()})
	case aboutDevices:
		e.board.add(inc, mark{byFirmware, root.firmware})
		e.board.add(inc, mark{byKind, root.kind})
	default:
		e.board.add(inc, mark{byInstance, root.instance})
	}
	for p := range inc.dark {
		e.board.add(inc, mark{byTrouble, p.key()})
	}
	for _, p := range e.around(root) {
		e.board.add(inc, mark{byPlace, p.key()})
	}
	for _, s := range inc.Scope.Service {
		e.board.add(inc, mark{bySymptom, s})
	}
	for _, s := range inc.Scope.Store {
		e.board.add(inc, mark{byStore, s})
	}
}

// key is the place as a value of a mark, "" for no place.
func (p place) key() string {
	if p.name == "" {
		return ""
	}
	return p.kind + "/" + p.name
}

// near calls look with every active incident that could be tied to an alert of sight s; some twice, in no order.
func (e *Engine) near(s sight, look func(*incident)) {
	visit := func(by byte, value string) {
		for _, inc := range e.board.at[mark{by, value}] {
			look(inc)
		}
	}
	for _, p := range e.around(s) {
		visit(byTrouble, p.key())
	}
	class := s.class()
	visit(byName, class+"/"+s.name)
	switch class {
	case aboutService:
		visit(bySymptom, s.service)
		e.nearByCalls(s.service, visit)
	case aboutPlace:
		if s.store == "" { // a whole city or network may explain anything
			for _, inc := range e.active {
				look(inc)
			}
			return
		}
		visit(byPlace, place{placeStore, s.store}.key())
	case aboutDevices:
		visit(byPlace, place{placeStore, s.store}.key())
		visit(byFirmware, s.firmware)
		visit(byKind, s.kind)
	default:
		visit(byInstance, s.instance)
	}
}

// nearByCalls visits the incidents whose root calls the service or is called by it, over any number of calls.
func (e *Engine) nearByCalls(service string, visit func(byte, string)) {
	below, above := e.walks.of(service)
	if len(e.board.roots) < len(below)+len(above) {
		for root := range e.board.roots {
			if root != service && (has(below, root) || has(above, root)) {
				visit(byRoot, root)
			}
		}
		return
	}
	for _, m := range []map[string]int{below, above} {
		for root := range m {
			visit(byRoot, root)
		}
	}
}

func has(m map[string]int, k string) bool {
	_, ok := m[k]
	return ok
}

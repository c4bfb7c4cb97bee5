package engine

import "goc/ops"

// inhibit notes of each firing alert of inc which alert explains it, so that nobody need be told of it: the root, or
// another that says that the whole place is in trouble. One that is resolved explains nothing any more.
func (e *Engine) inhibit(inc *incident) {
	root := ""
	if inc.rootFires() {
		root = inc.Root
	}
	dark := map[place]string{}
	for _, a := range inc.members {
		if a.Status != ops.Firing || a.sight.class() != aboutPlace {
			continue
		}
		if p := a.sight.place(); dark[p] == "" || a.Fingerprint < dark[p] {
			dark[p] = a.Fingerprint
		}
	}
	for _, a := range inc.members {
		by := ""
		switch {
		case a.Status != ops.Firing || a.Fingerprint == root:
		case root != "" && e.rootExplains(inc, a.sight):
			by = root
		default:
			by = e.darkAround(dark, a)
		}
		if by != a.InhibitedBy {
			a.InhibitedBy = by
			e.touchAlert(a)
			e.touch(inc)
		}
	}
}

// rootExplains says whether the root of inc explains an alert of it by what both are about: it happens in the place that
// is in trouble as a whole, or on a service that depends on the one that is failing.
func (e *Engine) rootExplains(inc *incident, s sight) bool {
	root := inc.rootSight
	switch root.class() {
	case aboutPlace:
		_, in := e.covers(root, s)
		return in && !(s.class() == aboutPlace && s.place() == root.place())
	case aboutService:
		d, above := inc.above[s.service]
		return above && d > 0
	case aboutDevices:
		return root.firmware != "" && root.kind != "" && s.class() == aboutDevices && s.kind == root.kind && s.firmware == ""
	}
	return false
}

// darkAround is the alert that says that a place around a's is in trouble as a whole, the smallest place first; "" when
// there is none.
func (e *Engine) darkAround(dark map[place]string, a *alert) string {
	if len(dark) == 0 {
		return ""
	}
	for _, p := range e.around(a.sight) {
		if by := dark[p]; by != "" && by != a.Fingerprint && !(a.sight.class() == aboutPlace && a.sight.place() == p) {
			return by
		}
	}
	return ""
}

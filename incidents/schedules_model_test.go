package incidents_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// broken is how an invariant that does not hold ends a schedule.
type broken string

func wrong(format string, args ...any) { panic(broken(fmt.Sprintf(format, args...))) }

// alertRow is what matters of the record of an alert.
type alertRow struct {
	Fingerprint string            `json:"fingerprint"`
	Status      ops.AlertStatus   `json:"status"`
	Incident    string            `json:"incident"`
	Reason      string            `json:"reason"`
	Silenced    string            `json:"silenced"`
	InhibitedBy string            `json:"inhibited_by"`
	Labels      map[string]string `json:"labels"`
}

// schedule is an engine, and beside it what must be true of it.
type schedule struct {
	cfg     engine.Config
	cat     *ops.Catalog
	e, twin *engine.Engine
	now     time.Time
	swept   time.Time // leases end when the engine looks at them, once a second

	rows     rows
	alerts   map[string]alertRow            // by the id of the record
	of       map[string]map[string]bool     // ids of the firing records of a fingerprint
	firing   map[string]time.Time           // by fingerprint: when the lease ends
	told     map[string]int                 // firing less resolved
	latest   map[string]ops.Incident        // as last shown
	legs     map[string][3]float64          // as last shown
	out      map[string]map[string]struct{} // fingerprint → incidents that people took it out of
	byHand   map[string]bool                // incidents that people reopened: they stay open until people say so
	together map[string]string              // fingerprint → the incident that people put it into, while it fires on
}

func newSchedule(cfg engine.Config, cat *ops.Catalog, twin bool) *schedule {
	s := &schedule{
		cfg: cfg, cat: cat, now: midnight, e: engine.New(cfg, cat, engine.Hooks{}), rows: rows{}, alerts: map[string]alertRow{}, of: map[string]map[string]bool{},
		firing: map[string]time.Time{}, told: map[string]int{}, latest: map[string]ops.Incident{}, legs: map[string][3]float64{},
		out: map[string]map[string]struct{}{}, together: map[string]string{}, byHand: map[string]bool{},
	}
	if twin {
		s.twin = engine.New(cfg, cat, engine.Hooks{})
	}
	return s
}

// step lets something happen, and looks at everything that it changed.
func (s *schedule) step(in engine.Input) engine.Outputs {
	touched := s.expect(in)
	out := s.e.Step(in, s.now)
	if s.twin != nil {
		s.sameAs(out, s.twin.Step(in, s.now))
	}
	s.rows.write(out.Mutation())
	s.tell(out)
	s.remember(out, touched)
	for _, inc := range out.Changed {
		s.shown(inc)
	}
	for fp := range touched {
		s.checkAlert(fp)
	}
	return out
}

// expect is what an input must do to the alerts that fire, told without the engine. It answers which are touched.
func (s *schedule) expect(in engine.Input) map[string]bool {
	touched := map[string]bool{}
	if batch, ok := in.(engine.Alerts); ok {
		for _, a := range batch.Alerts {
			fp := ops.Fingerprint(a.Labels)
			touched[fp] = true
			if a.Status == ops.Firing && a.EndsAt.After(s.now) {
				s.firing[fp] = a.EndsAt.Time
			} else {
				delete(s.firing, fp)
			}
		}
	}
	if s.now.Sub(s.swept) < time.Second {
		return touched
	}
	s.swept = s.now
	for fp, end := range s.firing {
		if !end.After(s.now) {
			delete(s.firing, fp)
			touched[fp] = true
		}
	}
	return touched
}

// sameAs holds the outputs of a twin against those of the engine.
func (s *schedule) sameAs(a, b engine.Outputs) {
	same := slices.EqualFunc(a.Put, b.Put, func(x, y ops.Record) bool { return x.ID == y.ID && bytes.Equal(x.Body, y.Body) }) &&
		slices.EqualFunc(a.Delete, b.Delete, func(x, y ops.Record) bool { return x.Kind == y.Kind && x.ID == y.ID }) &&
		slices.EqualFunc(a.Events, b.Events, func(x, y ops.Event) bool { return x.Name == y.Name && bytes.Equal(x.Data, y.Data) })
	if !same {
		wrong("the same inputs gave different outputs:\n%s\n%s", fmt.Sprint(a.Mutation()), fmt.Sprint(b.Mutation()))
	}
}

// tell counts what was told.
func (s *schedule) tell(out engine.Outputs) {
	for _, ev := range out.Events {
		switch ev.Name {
		case "alert.firing":
			s.told[ev.Subject]++
		case "alert.resolved":
			s.told[ev.Subject]--
		default:
			continue
		}
		if n := s.told[ev.Subject]; n < 0 || n > 1 {
			wrong("%s was told twice of %s", ev.Name, ev.Subject)
		}
	}
}

// remember takes over the records of alerts that were written or deleted.
func (s *schedule) remember(out engine.Outputs, touched map[string]bool) {
	forget := func(id string) {
		if old, known := s.alerts[id]; known {
			touched[old.Fingerprint] = true
			delete(s.of[old.Fingerprint], id)
			delete(s.alerts, id)
		}
	}
	for _, r := range out.Delete {
		if r.Kind == "alert" {
			forget(r.ID)
		}
	}
	for _, r := range out.Put {
		if r.Kind != "alert" {
			continue
		}
		var a alertRow
		if err := json.Unmarshal(r.Body, &a); err != nil {
			wrong("%v", err)
		}
		forget(r.ID)
		s.alerts[r.ID] = a
		touched[a.Fingerprint] = true
		if a.Status == ops.Firing {
			if s.of[a.Fingerprint] == nil {
				s.of[a.Fingerprint] = map[string]bool{}
			}
			s.of[a.Fingerprint][r.ID] = true
		}
	}
}

// checkAlert looks at one alert: not lost, in one incident, with a reason, told, and where people put it.
func (s *schedule) checkAlert(fp string) {
	ids := slices.Sorted(maps.Keys(s.of[fp]))
	_, fires := s.firing[fp]
	if !fires {
		if delete(s.together, fp); len(ids) > 0 {
			wrong("alert %s is over and still kept as firing in %v", fp, ids)
		}
		return
	}
	if len(ids) != 1 || s.told[fp] != 1 {
		wrong("alert %s fires, is kept %d times %v and was told %d times", fp, len(ids), ids, s.told[fp])
	}
	a := s.alerts[ids[0]]
	switch {
	case a.Incident == "" && a.Silenced == "":
		wrong("alert %s fires, is not silenced and belongs to no incident", fp)
	case a.Incident != "" && a.Reason == "":
		wrong("alert %s is in %s without a reason", fp, a.Incident)
	case a.Incident != "" && s.latest[a.Incident].Merged != "":
		wrong("alert %s fires in %s, which was merged into %s", fp, a.Incident, s.latest[a.Incident].Merged)
	}
	if by := a.InhibitedBy; by != "" && s.alerts[a.Incident+"/"+by].Status != ops.Firing {
		wrong("alert %s is hidden by %s, which does not fire in %s", fp, by, a.Incident)
	}
	for inc := range s.out[fp] {
		if a.Incident != "" && s.root(inc) == a.Incident {
			wrong("people took alert %s out of %s, and it is in %s", fp, inc, a.Incident)
		}
	}
	if inc, put := s.together[fp]; put && s.root(inc) != a.Incident {
		wrong("people put alert %s into %s, and it is in %q", fp, inc, a.Incident)
	}
}

// root is the incident that an incident was merged into, over any number of merges.
func (s *schedule) root(id string) string {
	for s.latest[id].Merged != "" {
		id = s.latest[id].Merged
	}
	return id
}

// shown looks at an incident as people see it: it has a reason, and its clock does not run backwards.
func (s *schedule) shown(inc ops.Incident) {
	s.latest[inc.ID] = inc
	if inc.Clock.Detect.StoppedBy == "" || inc.Title == "" || inc.SeverityEvidence == "" {
		wrong("%s is open without a reason: %q, %q", inc.ID, inc.Title, inc.Clock.Detect.StoppedBy)
	}
	if inc.OnsetAt.After(inc.DetectedAt.Time) {
		wrong("%s was detected before its onset", inc.ID)
	}
	before := s.legs[inc.ID]
	after := [3]float64{inc.Clock.Detect.ElapsedS, inc.Clock.Locate.ElapsedS, inc.Clock.Recover.ElapsedS}
	for i := range after {
		if after[i] < before[i] {
			wrong("a leg of %s ran backwards: %v, then %v", inc.ID, before, after)
		}
	}
	s.legs[inc.ID] = after
	if len(inc.Alerts) > s.cfg.WithDefaults().MaxListed || inc.AlertsTotal < 0 {
		wrong("%s lists %d alerts of %d", inc.ID, len(inc.Alerts), inc.AlertsTotal)
	}
	for _, a := range inc.Alerts {
		if a.Reason == "" {
			wrong("%s lists alert %s without a reason", inc.ID, a.Fingerprint)
		}
	}
}

// restart begins anew from what was written. Leases that ended meanwhile get a grace of a minute.
func (s *schedule) restart() {
	load := func() *engine.Engine {
		e := engine.New(s.cfg, s.cat, engine.Hooks{})
		saved, err := s.rows.read()
		if err != nil {
			wrong("%v", err)
		}
		e.Restore(saved, s.now)
		return e
	}
	s.swept = time.Time{}
	if s.e = load(); s.twin != nil {
		s.twin = load()
	}
	for fp, end := range s.firing {
		if grace := s.now.Add(time.Minute); end.Before(grace) {
			s.firing[fp] = grace
		}
	}
}

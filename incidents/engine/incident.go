package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"goc/ops"
)

// incident is an ops.Incident with what the engine knows besides. Its Alerts are filled in by snapshot only.
type incident struct {
	ops.Incident
	Extra
	number    int
	members   map[string]*alert // every alert it took in that is kept, by fingerprint
	rootSight sight
	below     map[string]int // services that the root's service depends on
	above     map[string]int // services that depend on the root's service
	rankedAt  time.Time
	rankDue   bool
	firing    int // members that fire
	dirty     bool
	dark      map[place]*alert    // those of its alerts that say that a place as a whole is in trouble
	marks     []mark              // where it stands on the board
	listed    []ops.IncidentAlert // what people see of the members, until one changes
	shared    bool                // the scope has been shown as it is: it must be copied before it is changed
	reach     *reach              // of the first suspect, where it tells incidents apart
	unsettled *unsettled          // what is still to be done for it in this step
	toldP     float64             // probability of the first suspect when it was last told
	judgedAt  time.Time           // when its severity was last judged
	unjudged  bool                // alerts came or went since it was last looked at which explain which
	ordersAt  time.Time           // when its orders were last measured
	lookedAt  time.Time           // when it was last looked for signs
	shownAt   time.Time           // when their values were last shown
	usual     *usual              // orders before the onset
}

// Extra is what the engine keeps of an incident beyond what people see; it is stored with it.
type Extra struct {
	BaseTitle  string            `json:"base_title,omitempty"` // the title without what is counted
	Root       string            `json:"root,omitempty"`       // fingerprint of the alert that explains the others
	RootLabels map[string]string `json:"root_labels,omitempty"`
	JoinedAt   ops.Time          `json:"joined_at"`             // when it last took an alert in
	QuietSince ops.Time          `json:"quiet_since"`           // when its last alert was resolved; zero while one fires
	LowerSince ops.Time          `json:"lower_since"`           // since when a lower severity would do
	LowerTo    ops.Severity      `json:"lower_to,omitempty"`    // the worst of those lower ones meanwhile
	LowerWhy   string            `json:"lower_why,omitempty"`   // and its evidence
	Lowered    bool              `json:"lowered,omitempty"`     // it was lowered once
	Flaps      int               `json:"flaps,omitempty"`       // how often it was raised again after that
	Level      ops.Severity      `json:"level,omitempty"`       // the severity by its impact, whatever people set
	Worst      worst             `json:"worst"`                 // by its impact, so far
	OrdersText string            `json:"orders_text,omitempty"` // the greatest loss of orders in a sentence
	Missing    missing           `json:"missing"`               // orders, as last measured
	ToldAt     ops.Time          `json:"told_at"`               // when it was last told how they stand
	OnsetBy    ops.Duration      `json:"onset_by,omitempty"`    // how exactly the onset is known
	DetectBy   string            `json:"detect_by,omitempty"`
	LocateBy   string            `json:"locate_by,omitempty"`
	RecoverBy  string            `json:"recover_by,omitempty"`
	ResolvedBy string            `json:"resolved_by,omitempty"` // "" when the program did
	Rejected   []string          `json:"rejected,omitempty"`    // changes that people ruled out
	Confirmed  string            `json:"confirmed,omitempty"`   // the change that people confirmed
	Taken      int               `json:"taken"`                 // alerts taken in, those no longer listed included
	Declared   bool              `json:"declared,omitempty"`    // by a person
	Storm      bool              `json:"storm,omitempty"`       // it gathered incidents that only resembled each other
	Late       [3]bool           `json:"late,omitempty"`        // legs that passed their target, already told
	Watched    []*watch          `json:"watched,omitempty"`     // the series by which the recovery is judged
	OffUntil   ops.Time          `json:"off_until"`             // the last sample at which they were off their course
	SignsTold  string            `json:"signs_told,omitempty"`  // how they stood when that was last told

	FirstSuspect string       `json:"first_suspect,omitempty"` // what stood in the first place when people first judged: a change, or NoChange
	LastTask     int          `json:"last_task,omitempty"`     // numbers of tasks, links and updates that were given
	LastLink     int          `json:"last_link,omitempty"`
	UpdatesFor   ops.Severity `json:"updates_for,omitempty"` // the severity whose cadence of updates holds; "" while none are owed
	UpdatesFrom  ops.Time     `json:"updates_from"`          // since when updates are owed: its opening, or when it was reopened
	UpdateTold   ops.Time     `json:"update_told"`           // the due time of the last update that people were reminded of
	SplitBy      string       `json:"split_by,omitempty"`    // who made it by splitting another
	Titled       bool         `json:"titled,omitempty"`      // by a person: the title stays
	Apart        []string     `json:"apart,omitempty"`       // incidents that people split it from, by id
	Out          []string     `json:"out,omitempty"`         // fingerprints that people took out of it, sorted
	After        ops.Time     `json:"after"`                 // it began after this: another incident was over by then
	Beside       string       `json:"beside,omitempty"`      // the incident that a suspect alone keeps it apart from
}

// Stored is an incident as it stands in the journal.
type Stored struct {
	ops.Incident
	Engine Extra `json:"engine"`
}

func (inc *incident) stored() Stored {
	s := Stored{inc.Incident, inc.Extra}
	s.Alerts = nil // they have records of their own
	return s
}

// sorted lists the members, those that fire first, then by start and fingerprint.
func (inc *incident) sorted() []*alert {
	out := make([]*alert, 0, len(inc.members))
	for _, a := range inc.members {
		out = append(out, a)
	}
	slices.SortFunc(out, byUrgency)
	return out
}

// byUrgency orders alerts: those that fire first, then by start and fingerprint.
func byUrgency(a, b *alert) int {
	return cmp.Or(cmp.Compare(a.Status, b.Status), a.StartsAt.Compare(b.StartsAt.Time), cmp.Compare(a.Fingerprint, b.Fingerprint))
}

// first lists the n first of sorted. Of many it sorts as few as are shown, by cutting what was kept when it is twice as many.
func (inc *incident) first(n int) []*alert {
	if len(inc.members) <= 2*n {
		all := inc.sorted()
		return all[:min(len(all), n)]
	}
	out, worst := make([]*alert, 0, 2*n), (*alert)(nil) // worst is the last of those kept when it was last cut
	for _, a := range inc.members {
		if worst != nil && byUrgency(a, worst) > 0 {
			continue
		}
		if out = append(out, a); len(out) == 2*n {
			slices.SortFunc(out, byUrgency)
			out, worst = out[:n], out[n-1]
		}
	}
	slices.SortFunc(out, byUrgency)
	return out[:min(len(out), n)]
}

// snapshot is inc as people see it: a copy that shares nothing that changes.
func (inc *incident) snapshot(listed int) ops.Incident {
	s := inc.Incident
	if inc.listed == nil {
		first := inc.first(listed)
		inc.listed = make([]ops.IncidentAlert, 0, len(first))
		for _, a := range first {
			inc.listed = append(inc.listed, a.IncidentAlert)
		}
	}
	s.Alerts, s.AlertsTotal, inc.shared = inc.listed, inc.Taken, true
	s.Suspects = slices.Clone(inc.Suspects)
	s.Plans, s.Runs = slices.Clone(inc.Plans), slices.Clone(inc.Runs)
	s.Signs = slices.Clone(inc.Signs)
	s.Roles = map[string]string{}
	for k, v := range inc.Roles {
		s.Roles[k] = v
	}
	if s.Suspects == nil {
		s.Suspects = []ops.Suspect{}
	}
	if s.Plans == nil {
		s.Plans = []string{}
	}
	return s
}

// setRoot makes an alert the one that explains the others.
func (inc *incident) setRoot(al *alert, e *Engine) {
	inc.Root, inc.RootLabels = al.Fingerprint, al.Labels
	e.look(inc, al.sight)
}

// look understands inc by what its root is about, and by the call graph as it is.
func (e *Engine) look(inc *incident, root sight) {
	inc.rootSight = root
	inc.below, inc.above = nil, nil
	if root.service != "" {
		inc.below, inc.above = e.walks.of(root.service)
	}
	e.post(inc)
}

// shows says whether a service is part of the symptom.
func (inc *incident) shows(service string) bool {
	_, in := slices.BinarySearch(inc.Scope.Service, service)
	return in
}

// rename names inc after what explains it, unless a person named it.
func (inc *incident) rename(title string) {
	if !inc.Titled && !inc.Declared {
		inc.BaseTitle = title
	}
	inc.retitle()
}

// retitle names inc after the alert that explains the others, and how many more stores it has come to.
func (inc *incident) retitle() {
	inc.Title = inc.BaseTitle
	if n := len(inc.Scope.Store) - 1; n > 0 && inc.rootSight.store != "" {
		inc.Title += "; also in " + count(n, "other store", "other stores")
	}
}

// services lists those that show the symptom: the root's first, then the others that fire, by name.
func (inc *incident) services() []string {
	var rest []string
	for _, s := range inc.Scope.Service {
		if s != inc.rootSight.service {
			rest = append(rest, s)
		}
	}
	if inc.rootSight.service == "" {
		return rest
	}
	return append([]string{inc.rootSight.service}, rest...)
}

// newIncident makes the next incident; the caller fills it in and adds it.
func (e *Engine) newIncident(title string, now time.Time) *incident {
	inc := &incident{number: e.nextID, members: map[string]*alert{}}
	inc.ID = "INC-" + strconv.Itoa(e.nextID)
	e.nextID++
	inc.BaseTitle, inc.State = clip(title, MaxTitle), ops.IncidentOpen
	inc.retitle()
	inc.OnsetAt, inc.DetectedAt = ops.At(now), ops.At(now)
	inc.NoChange, inc.Suspects, inc.Roles = 1, []ops.Suspect{}, map[string]string{}
	inc.Severity = ops.P4
	e.incidents[inc.ID] = inc
	e.active = append(e.active, inc)
	e.forget()
	return inc
}

// forget drops the oldest resolved incident from memory when there are too many; the journal keeps it.
func (e *Engine) forget() {
	if len(e.incidents) <= e.cfg.MaxIncidents {
		return
	}
	var oldest *incident
	for _, inc := range e.incidents {
		if (oldest == nil || inc.number < oldest.number) && e.forgettable(inc) {
			oldest = inc
		}
	}
	if oldest != nil {
		e.drop(oldest)
	}
}

// forgettable says whether inc may leave the memory: it is over, and nothing of it remains to be done. Beyond twice the
// bound what remains to be done no longer keeps it.
func (e *Engine) forgettable(inc *incident) bool {
	return !inc.State.Active() && inc.firing == 0 && (!inc.unfinished() || len(e.incidents) > 2*e.cfg.MaxIncidents)
}

// drop takes inc out of the memory.
func (e *Engine) drop(inc *incident) {
	e.leaveHomes(inc)
	delete(e.incidents, inc.ID)
	delete(e.owing, inc)
	e.closed = slices.DeleteFunc(e.closed, func(o *incident) bool { return o == inc }) // nobody could act on it if it came back
	e.out.Forgotten = append(e.out.Forgotten, inc.ID)
}

// event says that something happened to inc. data gets the text, the kind of entry, and how the incident now is.
func (e *Engine) event(inc *incident, at time.Time, name, kind, actor, text string, data map[string]any) {
	e.tellAlerts(inc, at) // what happened before is told before
	if data == nil {
		data = map[string]any{}
	}
	data["text"], data["kind"] = text, kind
	data["title"], data["severity"], data["state"] = inc.Title, inc.Severity, inc.State
	e.out.Events = append(e.out.Events, ops.NewEvent(ops.At(at), "incident."+name, "incidents", inc.ID, cmp.Or(actor, ops.System.Name), data))
	e.touch(inc)
}

// activate puts inc back among the active ones, in the order of opening.
func (e *Engine) activate(inc *incident) {
	if !slices.Contains(e.active, inc) {
		e.active = append(e.active, inc)
		slices.SortFunc(e.active, func(a, b *incident) int { return cmp.Compare(a.number, b.number) })
	}
	for fp := range inc.members {
		if !slices.Contains(e.homes[fp], inc) { // it may have been resolved long ago
			e.homes[fp] = append(e.homes[fp], inc)
		}
	}
	e.post(inc)
}

func (e *Engine) deactivate(inc *incident) {
	e.active = slices.DeleteFunc(e.active, func(o *incident) bool { return o == inc })
	e.board.drop(inc)
}

func clip(s string, n int) string {
	if s = strings.TrimSpace(s); len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Symptom is what an incident is about, as the alert that explains its others says it.
type Symptom struct {
	Class   string // service, devices, place, other
	Service string // "" when it is about none
}

// Symptom says what an incident is about; the zero value when there is no such incident.
func (e *Engine) Symptom(id string) Symptom {
	if inc := e.incidents[id]; inc != nil {
		return Symptom{inc.rootSight.class(), inc.rootSight.service}
	}
	return Symptom{}
}

// SymptomServices lists the services that show the symptom of an incident, the one that explains the others first.
func (e *Engine) SymptomServices(id string) []string {
	if inc := e.incidents[id]; inc != nil {
		return inc.services()
	}
	return nil
}

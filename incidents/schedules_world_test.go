package incidents_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// happening is one input and when it comes.
type happening struct {
	at time.Duration
	in engine.Input
}

// fault is something that broke: the truth that no engine sees.
type fault struct {
	kind       string
	start, end time.Duration
	alerts     map[string]bool // fingerprints
}

// madeUp is a random chain with random faults, made from a seed.
type madeUp struct {
	r       *rand.Rand
	cat     *ops.Catalog
	callers map[string][]string
	kinds   []string
	faults  []*fault
	changes int
	plan    []happening
	samples bool // indicators as well
	hurt    map[string][]hurt
}

// hurt is how a fault shows in an indicator of a service: in one store, or in all.
type hurt struct {
	store      string
	start, end time.Duration
	to         float64
}

// length is how long faults may begin, unless they are crowded.
const length = 25 * time.Minute

// makeUp makes a chain and faults that begin within a time.
func makeUp(seed uint64, samples bool, faults int, within time.Duration) *madeUp {
	w := &madeUp{r: rand.New(rand.NewPCG(seed, 0x60c)), samples: samples, hurt: map[string][]hurt{}, kinds: []string{"pos", "scanner", "scale"}}
	w.chain()
	for range faults {
		w.fault(w.span(0, within))
	}
	if samples {
		w.indicators()
	}
	slices.SortStableFunc(w.plan, func(a, b happening) int { return cmp.Compare(a.at, b.at) })
	return w
}

// span is a random duration in whole tenths of a second.
func (w *madeUp) span(from, to time.Duration) time.Duration {
	return from + time.Duration(w.r.Int64N(int64(to-from)/1e8+1))*1e8
}

func (w *madeUp) chance(p float64) bool { return w.r.Float64() < p }

func pick[T any](w *madeUp, list []T) T { return list[w.r.IntN(len(list))] }

// some picks each of a list with a probability, and at least one.
func some[T any](w *madeUp, list []T, p float64) []T {
	var out []T
	for _, v := range list {
		if w.chance(p) {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		out = append(out, pick(w, list))
	}
	return out
}

// chain makes services in layers over two databases, and stores whose cities and networks cut across each other.
func (w *madeUp) chain() {
	w.cat, w.callers = &ops.Catalog{}, map[string][]string{}
	layers := [][]string{{"db-1", "db-2"}}
	w.cat.Services = append(w.cat.Services, ops.Service{Name: "db-1"}, ops.Service{Name: "db-2"})
	for l := range 2 + w.r.IntN(2) {
		var layer []string
		for i := range 2 + w.r.IntN(3) {
			s := ops.Service{Name: fmt.Sprintf("s%d-%d", l, i), Tier: fmt.Sprintf("T%d", w.r.IntN(3)), Core: w.chance(0.3)}
			below := layers[len(layers)-1]
			if s.Calls = some(w, below, 0.3); l > 0 && w.chance(0.2) {
				s.Calls = append(s.Calls, pick(w, layers[0]))
			}
			slices.Sort(s.Calls)
			s.Calls = slices.Compact(s.Calls)
			for _, c := range s.Calls {
				w.callers[c] = append(w.callers[c], s.Name)
			}
			layer = append(layer, s.Name)
			w.cat.Services = append(w.cat.Services, s)
		}
		layers = append(layers, layer)
	}
	for i := range 8 + w.r.IntN(17) {
		w.cat.Stores = append(w.cat.Stores, ops.Store{ID: fmt.Sprintf("S-%02d", i), City: fmt.Sprint("city-", i%4), Network: fmt.Sprint("net-", w.r.IntN(4))})
	}
	if err := w.cat.Index(); err != nil {
		panic(err)
	}
}

// stores picks several stores.
func (w *madeUp) stores(n int) []string {
	var out []string
	for _, i := range w.r.Perm(len(w.cat.Stores))[:n] {
		out = append(out, w.cat.Stores[i].ID)
	}
	slices.Sort(out)
	return out
}

// services lists those that are no databases.
func (w *madeUp) services() (out []string) {
	for _, s := range w.cat.Services {
		if len(s.Calls) > 0 {
			out = append(out, s.Name)
		}
	}
	return out
}

// fault breaks something at a time, for one to six minutes.
func (w *madeUp) fault(start time.Duration) {
	f := &fault{start: start, end: start + w.span(90*time.Second, 6*time.Minute), alerts: map[string]bool{}}
	w.faults = append(w.faults, f)
	switch f.kind = pick(w, []string{"release", "release", "database", "store", "network", "firmware", "job"}); f.kind {
	case "release":
		w.badRelease(f)
	case "database":
		w.slowDatabase(f)
	case "store":
		w.darkStore(f)
	case "network":
		w.networkDown(f)
	case "firmware":
		w.badFirmware(f)
	default:
		w.alert(f, 0, 10*time.Second, "alertname", "JobFailed", "job", fmt.Sprint("job-", w.r.IntN(50)))
	}
}

// badRelease hurts a service in the stores of its first ring, and some of its callers there.
func (w *madeUp) badRelease(f *fault) {
	service, ring := pick(w, w.services()), w.stores(2+w.r.IntN(3))
	before := w.span(5*time.Second, 30*time.Second)
	c := w.change(f.start-before, ops.Change{Kind: ops.KindRelease, Service: service, Stages: []ops.Stage{{Scope: ops.Scope{Store: ring}}}})
	w.undo(c, f.end-30*time.Second)
	for _, store := range ring {
		w.hurt[service] = append(w.hurt[service], hurt{store, f.start, f.end - 20*time.Second, 0.5})
		w.alert(f, 5*time.Second, 40*time.Second, "alertname", "StoreSuccessLow", "service", service, "store", store)
		for _, caller := range w.callers[service] {
			if w.chance(0.5) {
				w.alert(f, 10*time.Second, time.Minute, "alertname", "StoreSuccessLow", "service", caller, "store", store)
			}
		}
	}
}

// slowDatabase slows what depends on a database, over one call or two; the database says so itself or not.
func (w *madeUp) slowDatabase(f *fault) {
	db := pick(w, []string{"db-1", "db-2"})
	if w.chance(0.4) {
		w.undo(w.change(f.start-10*time.Second, ops.Change{Kind: ops.KindDatabase, Service: db}), f.end-20*time.Second)
	}
	if w.chance(0.5) {
		w.alert(f, 5*time.Second, 90*time.Second, "alertname", "ServiceSlow", "service", db)
	}
	for _, caller := range w.callers[db] {
		w.alert(f, 5*time.Second, 45*time.Second, "alertname", "ServiceSlow", "service", caller)
		for _, above := range w.callers[caller] {
			if w.chance(0.5) {
				w.alert(f, 10*time.Second, time.Minute, "alertname", "ServiceSlow", "service", above)
			}
		}
	}
}

// darkStore takes a store away, and with it what runs there.
func (w *madeUp) darkStore(f *fault) { w.dark(f, pick(w, w.cat.Stores).ID) }

func (w *madeUp) dark(f *fault, store string) {
	w.alert(f, 5*time.Second, 40*time.Second, "alertname", "StoreDark", "store", store)
	if w.chance(0.5) {
		w.alert(f, 5*time.Second, 50*time.Second, "alertname", "DevicesOffline", "store", store, "kind", pick(w, w.kinds))
	}
	if w.chance(0.6) {
		w.alert(f, 5*time.Second, 60*time.Second, "alertname", "StoreSuccessLow", "service", pick(w, w.services()), "store", store)
	}
}

// networkDown takes away the stores of a network; the network itself is told late or not at all.
func (w *madeUp) networkDown(f *fault) {
	network := pick(w, w.cat.Stores).Network
	if w.chance(0.6) {
		w.alert(f, 5*time.Second, 80*time.Second, "alertname", "NetworkDown", "network", network)
	}
	for _, s := range w.cat.Stores {
		if s.Network == network && w.chance(0.9) {
			w.dark(f, s.ID)
		}
	}
}

// badFirmware fails devices of a kind in several stores.
func (w *madeUp) badFirmware(f *fault) {
	kind, version := pick(w, w.kinds), fmt.Sprintf("%d.%d", 1+w.r.IntN(3), w.r.IntN(9))
	stores := w.stores(2 + w.r.IntN(3))
	w.undo(w.change(f.start-time.Minute, ops.Change{Kind: ops.KindFirmware, Version: version, Scope: ops.Scope{Kind: []string{kind}, Store: stores}}), f.end-20*time.Second)
	w.alert(f, 5*time.Second, 60*time.Second, "alertname", "FirmwareOffline", "kind", kind, "firmware", version)
	for _, s := range stores {
		w.alert(f, 5*time.Second, 60*time.Second, "alertname", "DevicesOffline", "kind", kind, "store", s)
	}
}

// change records a change, some late.
func (w *madeUp) change(at time.Duration, c ops.Change) ops.Change {
	w.changes++
	started := ops.At(midnight.Add(at))
	c.ID, c.Title, c.Status, c.CreatedAt, c.StartedAt = fmt.Sprint("CHG-", w.changes), c.Service, ops.ChangeStarted, started, started
	for i := range c.Stages {
		c.Stages[i].StartedAt, c.Stages[i].FinishedAt = started, ops.At(midnight.Add(at+2*time.Second))
	}
	late := time.Duration(0)
	if w.chance(0.2) {
		late = w.span(0, time.Minute)
	}
	w.plan = append(w.plan, happening{at + late, engine.Change{Change: c}})
	return c
}

// undo rolls a change back.
func (w *madeUp) undo(c ops.Change, at time.Duration) {
	c.Status, c.FinishedAt = ops.ChangeRolledBack, ops.At(midnight.Add(at))
	w.plan = append(w.plan, happening{at, engine.Change{Change: c}})
}

// alert has a fault tell an alert, after some time; it may be told twice, come late, and be resolved late or by its lease.
func (w *madeUp) alert(f *fault, soon, late time.Duration, labels ...string) {
	a := ops.Alert{Status: ops.Firing, Labels: map[string]string{}}
	for i := 0; i < len(labels); i += 2 {
		a.Labels[labels[i]] = labels[i+1]
	}
	start := f.start + w.span(soon, late)
	end := f.end + w.span(0, 40*time.Second)
	f.alerts[ops.Fingerprint(a.Labels)] = true
	a.StartsAt = ops.At(midnight.Add(start))
	tell := func(at time.Duration, a ops.Alert) {
		if w.chance(0.1) {
			at += w.span(0, 30*time.Second)
		}
		w.plan = append(w.plan, happening{at, engine.Alerts{Source: "rules", Alerts: []ops.Alert{a}}})
	}
	for at := start; at < end; at += 2 * time.Minute { // senders repeat themselves
		a.EndsAt = ops.At(midnight.Add(at + 4*time.Minute))
		if tell(at, a); w.chance(0.1) {
			tell(at+time.Second, a)
		}
	}
	if w.chance(0.9) {
		a.Status, a.EndsAt = ops.Resolved, ops.At(midnight.Add(end))
		tell(end, a)
	}
}

// indicators are the success of each service that a release hurts, by store, every ten seconds.
func (w *madeUp) indicators() {
	for at := -5 * time.Minute; at < length+8*time.Minute; at += 10 * time.Second {
		var list []ops.Sample
		for _, s := range w.cat.Services {
			if len(w.hurt[s.Name]) == 0 {
				continue
			}
			for _, st := range w.cat.Stores {
				list = append(list, ops.Sample{At: ops.At(midnight.Add(at)), Indicator: "success_ratio", Service: s.Name, Store: st.ID, Value: w.value(s.Name, st.ID, at)})
			}
		}
		if len(list) > 0 {
			w.plan = append(w.plan, happening{max(0, at), engine.Samples{Samples: list}})
		}
	}
}

func (w *madeUp) value(service, store string, at time.Duration) float64 {
	v := 0.99 + 0.004*(w.r.Float64()-0.5)
	for _, h := range w.hurt[service] {
		if h.store == store && at >= h.start && at < h.end {
			v = h.to + 0.05*(w.r.Float64()-0.5)
		}
	}
	return v
}

package changes

import (
	"context"
	"fmt"
	"slices"
	"time"

	"goc/changes/policy"
	"goc/changes/rollup"
	"goc/ops"
)

// RedLineCrossed is a red line that is crossed.
type RedLineCrossed struct {
	Name     string    `json:"name"`
	Text     string    `json:"text"` // what is crossed, with its numbers
	Since    ops.Time  `json:"since"`
	Override ops.Role  `json:"override,omitempty"` // "" when nobody may
	Scope    ops.Scope `json:"-"`
}

// crossing is a red line that is crossed, as it stands in the journal.
type crossing struct {
	Since ops.Time  `json:"since"`
	Text  string    `json:"text"`
	seen  time.Time // when there was last something to judge it by
	paged time.Time
}

const (
	lookEvery = 5 * time.Second // how often red lines are looked at
	pageEvery = time.Minute     // how often the alert of one that stays crossed is sent again
	blindFor  = time.Hour       // how long one stays crossed of which nothing is known any more
)

func (l RedLine) over() time.Duration { return orDefault(time.Duration(l.Over), 5*time.Minute) }

func (l RedLine) override() ops.Role {
	if l.Override == "" || l.Override == policy.Nobody {
		return ""
	}
	return ops.Role(l.Override)
}

// limits is what a red line is judged by.
type limits struct {
	course  *rollup.Rollup
	flight  *Flight
	catalog *ops.Catalog
	dark    func(ops.Scope) (dark, stores int)
}

// look says whether a red line is crossed at now, and by how much; known is false when there is nothing to judge it by.
func (l RedLine) look(by limits, now time.Time) (crossed, known bool, text string) {
	switch {
	case l.Indicator != "":
		c := by.course.Recent(rollup.Key{Service: l.Service, Indicator: l.Indicator}, l.over(), now)
		if c.Samples == 0 {
			return false, false, ""
		}
		side, limit := "under", l.Below
		if crossed = l.Below != nil && c.Mean < *l.Below; !crossed && l.Above != nil {
			crossed, side, limit = c.Mean > *l.Above, "over", l.Above
		}
		return crossed, true, fmt.Sprintf("%s of %s was %s over the last %s, %s the limit of %s", l.Indicator, l.Service, figure(c.Mean), ops.Duration(l.over()), side, figure(*limit))
	case l.Dark > 0:
		if by.dark == nil {
			return false, false, ""
		}
		n, of := by.dark(l.Scope)
		return of > 0 && float64(n) > l.Dark*float64(of), of > 0, fmt.Sprintf("%d of %d stores are dark, and %s is the limit", n, of, percent(l.Dark))
	default:
		n, of := by.flight.changing(l.Scope)
		return of > 0 && float64(n) > l.Changing*float64(of), of > 0, fmt.Sprintf("%d of %d stores are under change, and %s is the limit", n, of, percent(l.Changing))
	}
}

// changing counts the stores of a scope, and those of them that changes in production touch.
func (f *Flight) changing(s ops.Scope) (touched, of int) {
	a := f.seen(Production)
	if len(spots(s)) == 0 {
		return a.count[everywhere], len(f.places.stores[everywhere])
	}
	for _, id := range f.places.storesIn(s) {
		of++
		touched += min(1, a.touched[id])
	}
	return touched, of
}

// figure writes a value as a person reads it.
func figure(v float64) string { return fmt.Sprintf("%.4g", v) }

func percent(share float64) string { return fmt.Sprintf("%.4g %%", share*100) }

// darkNow counts the dark stores of each red line that goes by them; nil when nobody knows.
func (s *Service) darkNow(lines []RedLine) func(ops.Scope) (dark, stores int) {
	if s.dark == nil {
		return nil
	}
	counts := map[string][2]int{}
	for _, l := range lines {
		if l.Dark > 0 {
			n, of := s.dark(l.Scope)
			counts[l.Scope.String()] = [2]int{n, of}
		}
	}
	return func(scope ops.Scope) (dark, stores int) {
		c := counts[scope.String()]
		return c[0], c[1]
	}
}

// followRedLines looks at each red line: says once when one is crossed and when it no longer is, pauses what is under way
// where it says so, and keeps paging while it is crossed. The alerts it returns are to be sent without the lock.
func (s *Service) followRedLines(now time.Time) (receipts []*ops.Receipt, alerts []ops.Alert) {
	s.mu.RLock()
	lines, gone := s.config.RedLines, len(s.retired)
	s.mu.RUnlock()
	if len(lines)+gone == 0 || now.Sub(s.lookedAt) < lookEvery && !now.Before(s.lookedAt) {
		return nil, nil
	}
	s.lookedAt = now
	dark := s.darkNow(lines) // before the lock: it looks at the whole fleet
	s.mu.Lock()
	defer s.mu.Unlock()
	receipts, alerts = s.tellRetired(now)
	by := limits{course: s.course, flight: s.index.flight, catalog: s.catalog, dark: dark}
	for _, l := range s.config.RedLines {
		crossed, known, text := l.look(by, now)
		was := s.crossed[l.Name]
		if was != nil && !known && now.Sub(was.seen) < blindFor {
			crossed, text = true, was.Text // what is no longer measured has not got better
		}
		switch {
		case crossed && was == nil:
			was = &crossing{Since: ops.At(now), Text: text, seen: now}
			s.crossed = with(s.crossed, l.Name, was)
			// What is under way is held first: a line that is told is not acted upon again, a hold that comes twice does nothing.
			receipts = append(receipts, s.holdAtRedLine(l, now)...)
			receipts = append(receipts, s.tellRedLine(l, was, now))
		case crossed:
			if known {
				was.seen = now
			}
		case was != nil:
			s.crossed = with(s.crossed, l.Name, nil)
			receipts = append(receipts, s.tellRedLine(l, nil, now))
			alerts = append(alerts, l.alert(was, now, ops.Resolved))
			continue
		default:
			continue
		}
		if now.Sub(was.paged) >= pageEvery || now.Before(was.paged) {
			was.paged = now
			alerts = append(alerts, l.alert(was, now, ops.Firing))
		}
	}
	return receipts, alerts
}

// with is a copy of the crossed red lines with one put in, or taken out: decisions read the old one meanwhile.
func with(m map[string]*crossing, name string, c *crossing) map[string]*crossing {
	out := make(map[string]*crossing, len(m)+1)
	for k, v := range m {
		out[k] = v
	}
	if out[name] = c; c == nil {
		delete(out, name)
	}
	return out
}

// tellRedLine makes durable that a red line is crossed, or (c is nil) no longer.
func (s *Service) tellRedLine(l RedLine, c *crossing, now time.Time) *ops.Receipt {
	m := ops.Mutation{}
	data := map[string]any{"red_line": l.Name, "scope": l.Scope, "crossed": c != nil}
	if c != nil {
		data["text"] = "red line " + l.Name + " is crossed: " + c.Text
		m.Put = []ops.Record{ops.Encode(kindRedLine, l.Name, c)}
	} else {
		data["text"] = "red line " + l.Name + " is no longer crossed"
		m.Delete = []ops.Record{{Kind: kindRedLine, ID: l.Name}}
	}
	m.Events = []ops.Event{ops.NewEvent(ops.At(now), "gate.red_line", "gate", l.Name, ops.System.Name, data)}
	return s.journal.Append(m)
}

// alert is what pages.
func (l RedLine) alert(c *crossing, now time.Time, status ops.AlertStatus) ops.Alert {
	labels := map[string]string{"alertname": "GateRedLine", "red_line": l.Name, "severity": orDefault(l.Severity, "critical")}
	if l.Service != "" {
		labels["service"] = l.Service
	}
	for _, k := range []string{"region", "city", "store"} {
		if v := *l.Scope.Key(k); len(v) == 1 {
			labels[k] = v[0]
		}
	}
	a := ops.Alert{
		Fingerprint: ops.Fingerprint(labels), Status: status, Labels: labels, StartsAt: c.Since, EndsAt: ops.At(now.Add(5 * pageEvery)), UpdatedAt: ops.At(now), Source: "gate",
		Annotations: map[string]string{"summary": "Red line " + l.Name + ": " + c.Text, "description": "The gate lets nothing out in its scope until it is over; a rollback passes."},
	}
	if status == ops.Resolved {
		a.EndsAt = ops.At(now)
	}
	return a
}

// holdAtRedLine pauses what is under way in the scope of a red line that says so. The caller holds the lock.
func (s *Service) holdAtRedLine(l RedLine, now time.Time) []*ops.Receipt {
	if l.InFlight != InFlightPause && l.InFlight != InFlightRollback {
		return nil
	}
	line := s.catalog.Expand(l.Scope)
	return s.hold("red line "+l.Name+" is crossed", l.InFlight == InFlightRollback, now, func(e *entry) bool {
		return !s.config.environment(e.Environment).Exempt && line.Overlaps(s.catalog.Expand(e.Touched()))
	})
}

// redLines are those crossed whose scope a change may touch.
func (s *Service) redLines() []RedLineCrossed {
	if len(s.crossed) == 0 {
		return nil
	}
	var out []RedLineCrossed
	for _, l := range s.config.RedLines {
		if c := s.crossed[l.Name]; c != nil {
			out = append(out, RedLineCrossed{Name: l.Name, Text: c.Text, Since: c.Since, Override: l.override(), Scope: s.catalog.Expand(l.Scope)})
		}
	}
	return out
}

// page hands alerts on; what takes them is not ours to wait for.
func (s *Service) page(ctx context.Context, alerts []ops.Alert) {
	if len(alerts) > 0 && s.notify != nil {
		s.notify(ctx, alerts)
	}
}

// gatherRedLines picks the red lines that hold this change.
func (in *Inputs) gatherRedLines(scope ops.Scope, s *State) {
	for _, l := range s.RedLines {
		if l.Scope.Overlaps(scope) {
			in.RedLines = append(in.RedLines, l)
		}
	}
	slices.SortFunc(in.RedLines, func(a, b RedLineCrossed) int { return a.Since.Compare(b.Since.Time) })
}

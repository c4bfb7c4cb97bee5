package changes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// HygieneRule is what counts as worth to tidy up.
type HygieneRule struct {
	// Window is how far back is looked. Absent: 30 days.
	Window ops.Duration `yaml:"window"`
	// Quick is how soon after its change was recorded an approval is given that nobody can have thought about. Absent: 30s.
	Quick ops.Duration `yaml:"quick"`
	// Open is for how long a change may stay open without a move. Absent: 7 days.
	Open ops.Duration `yaml:"open"`
}

const (
	day           = 24 * time.Hour
	maxHygiene    = 200 // items of one kind
	fewApprovals  = 5   // under which nobody's habit is told
	maxHygieneAge = 366 * day
)

func (h HygieneRule) window() time.Duration { return orDefault(time.Duration(h.Window), 30*day) }
func (h HygieneRule) quick() time.Duration  { return orDefault(time.Duration(h.Quick), 30*time.Second) }
func (h HygieneRule) open() time.Duration   { return orDefault(time.Duration(h.Open), 7*day) }

func (h HygieneRule) validate() error {
	for name, d := range map[string]ops.Duration{"window": h.Window, "quick": h.Quick, "open": h.Open} {
		if d < 0 || time.Duration(d) > maxHygieneAge {
			return bad("hygiene."+name, "must be at most %s", days(maxHygieneAge))
		}
	}
	return nil
}

// Hygiene lists what is worth to tidy up, with what to change.
func (s *Service) Hygiene(context.Context) (ops.GateHygiene, error) {
	now := s.now()
	s.mu.RLock()
	defer s.mu.RUnlock()
	h := hygiene{s: s, now: now, since: now.Add(-s.config.Hygiene.window())}
	for _, look := range []func(){h.overrides, h.freezes, h.policies, h.approvals, h.leftOpen, h.rollbacks} {
		look()
	}
	return h.report(), nil
}

// hygiene collects the items of one look. Its owner holds the lock.
type hygiene struct {
	s          *Service
	now, since time.Time
	items      []ops.HygieneItem
}

func (h *hygiene) add(kind, subject string, since time.Time, text, advice string) {
	h.items = append(h.items, ops.HygieneItem{Kind: kind, Subject: subject, Since: ops.At(since), Text: text, Advice: advice})
}

// report bounds each kind; the oldest of each come first.
func (h *hygiene) report() ops.GateHygiene {
	out := ops.GateHygiene{At: ops.At(h.now), Since: ops.At(h.since), Items: []ops.HygieneItem{}, Omitted: map[string]int{}}
	slices.SortStableFunc(h.items, func(a, b ops.HygieneItem) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), a.Since.Compare(b.Since.Time), cmp.Compare(a.Subject, b.Subject))
	})
	count := map[string]int{}
	for _, i := range h.items {
		if count[i.Kind]++; count[i.Kind] > maxHygiene {
			out.Omitted[i.Kind]++
			continue
		}
		out.Items = append(out.Items, i)
	}
	return out
}

func (h *hygiene) overrides() {
	for _, o := range h.s.broken {
		f := o.FollowUp
		if f == nil || !f.ClosedAt.IsZero() {
			continue
		}
		when := "is due by " + f.Due.String()
		if h.now.After(f.Due.Time) {
			when = "is overdue since " + f.Due.String()
		}
		h.add("override_not_followed_up", o.ID, o.CreatedAt.Time,
			fmt.Sprintf("%s broke the glass for %s (%s); the review by %s %s", o.Person, o.ChangeID, o.Reason, orDefault(f.Reviewer, "somebody else"), when),
			"look at why it was needed, change the rule or the change, and close it: goc gate review "+o.ID+" --note \"…\"")
	}
}

// freezes are those that were closed for all or a good part of the window and held nothing back.
func (h *hygiene) freezes() {
	for _, f := range h.s.freezes.list {
		t := h.s.hits.at(f.ID)
		span, ahead := f.span(h.now)
		over := f.Schedule == nil && !f.To.IsZero() && h.now.After(f.To.Time)
		settled := f.Schedule != nil && f.CreatedAt.Before(h.since)
		switch {
		case t.Last.After(h.since) || (!over && !settled):
		case over && t.Held == 0:
			h.add("freeze_never_hit", f.ID, f.CreatedAt.Time, fmt.Sprintf("freeze %s was closed from %s to %s and held nothing back", f.Name, f.From, f.To),
				"lift it, and ask whether the next one of its kind is needed, or has the scope that was meant")
		case settled:
			next := ""
			if ahead {
				next = "; it closes next, or is closed, at " + ops.At(span.From).String()
			}
			h.add("freeze_never_hit", f.ID, cmp.Or(t.Last.Time, f.CreatedAt.Time), fmt.Sprintf("freeze %s held nothing back in the last %s%s", f.Name, days(h.s.config.Hygiene.window()), next),
				"lift it, or look whether its scope and times are those that were meant")
		}
	}
}

func (h *hygiene) policies() {
	for _, p := range h.s.config.Policies {
		t := h.s.hits.at(rulePolicy + p.Name)
		if t.Since.After(h.since) || t.Last.After(h.since) {
			continue
		}
		h.add("policy_never_fires", p.Name, cmp.Or(t.Last.Time, t.Since.Time), fmt.Sprintf("policy %s held in no decision of the last %s", p.Name, days(h.s.config.Hygiene.window())),
			"try it on the past with goc gate policy dry-run; take it out, or correct what it looks at")
	}
}

// approvals are the people who always say yes within seconds.
func (h *hygiene) approvals() {
	type habit struct {
		n       int
		slowest time.Duration
		first   time.Time
	}
	habits := map[string]*habit{}
	for change, list := range h.s.approvals {
		e := h.s.index.get(number("CHG", change))
		for _, a := range list {
			if e == nil || a.At.Before(h.since) {
				continue
			}
			x := habits[a.Person]
			if x == nil {
				x = &habit{first: a.At.Time}
				habits[a.Person] = x
			}
			x.n++
			x.slowest = max(x.slowest, a.At.Sub(e.CreatedAt.Time))
			if a.At.Before(x.first) {
				x.first = a.At.Time
			}
		}
	}
	for person, x := range habits {
		if x.n >= fewApprovals && x.slowest <= h.s.config.Hygiene.quick() {
			h.add("approval_in_seconds", person, x.first, fmt.Sprintf("%s gave all of %d approvals within %s of the change being recorded", person, x.n, ops.Since(x.slowest)),
				"ask for fewer approvals by risk, so that each is looked at, or name other approvers under gate.approvals")
		}
	}
}

func (h *hygiene) leftOpen() {
	before := h.now.Add(-h.s.config.Hygiene.open())
	for _, status := range []ops.ChangeStatus{ops.ChangePlanned, ops.ChangeStarted, ops.ChangePaused} {
		for _, n := range h.s.index.status[status] {
			e := h.s.index.get(n)
			if e == nil || ofDrill(&e.Change) || !e.UpdatedAt.Before(before) {
				continue
			}
			h.add("change_left_open", e.ID, e.UpdatedAt.Time, fmt.Sprintf("%s of %s is %s and did not move since %s", describe(&e.Change), orDefault(e.Author, "someone"), e.Status, e.UpdatedAt),
				"say how it ended (goc change finish, rollback or abort), and let the job that sends it say so by itself")
		}
	}
}

// rollbacks are the services of which no change in the window named a way back.
func (h *hygiene) rollbacks() {
	type record struct {
		n     int
		named bool
		first time.Time
	}
	of := map[string]*record{}
	for i := len(h.s.index.all) - 1; i >= 0; i-- {
		e := h.s.index.all[i]
		if e == nil {
			continue
		}
		if e.CreatedAt.Before(h.since) { // numbers follow the time of recording
			break
		}
		if e.Service == "" || ofDrill(&e.Change) {
			continue
		}
		r := of[e.Service]
		if r == nil {
			r = new(record)
			of[e.Service] = r
		}
		r.n++
		r.first = e.CreatedAt.Time
		r.named = r.named || strings.TrimSpace(e.Rollback) != ""
	}
	for service, r := range of {
		if !r.named {
			h.add("service_without_rollback", service, r.first, fmt.Sprintf("none of the %d changes of %s in the last %s named a way back", r.n, service, days(h.s.config.Hygiene.window())),
				"write a plan that undoes one, name it under rollback, and demand it: gate.rollback.required")
		}
	}
}

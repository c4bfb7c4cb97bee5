package changes

import (
	"context"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"goc/changes/window"
	"goc/ops"
)

// What a rollout does that is under way when a freeze begins.
const (
	InFlightFinish   = "finish"   // goes on; the default
	InFlightPause    = "pause"    // is paused and may not start another stage
	InFlightRollback = "rollback" // is paused and to be rolled back
)

// Bounds of the calendar and of a fixed freeze.
const (
	MaxCalendar      = 366 * 24 * time.Hour
	MaxCalendarSpans = 10_000
	MaxFreeze        = 10 * 366 * 24 * time.Hour
	forgotten        = 7 * 24 * time.Hour // how long a freeze that is over is still listed
)

// memo remembers the last answer of a schedule: it is the answer for all times from asked to the span's end.
type memo struct{ p atomic.Pointer[remembered] }

type remembered struct {
	asked time.Time
	span  window.Span
	found bool
}

// compile makes a freeze ready to be asked. It refuses one that says nothing, both or something that never comes.
func compile(f ops.Freeze, catalog *ops.Catalog, at string) (*Freeze, error) {
	out := &Freeze{Freeze: f, expanded: catalog.Expand(f.Scope)}
	fixed := !f.From.IsZero() || !f.To.IsZero()
	switch {
	case fixed == (f.Schedule != nil):
		return nil, ops.Errorf(ops.Invalid, "a freeze must have either from and to, or a schedule").At(at + ".from")
	case fixed && (f.From.IsZero() || !f.To.After(f.From.Time) || f.To.Sub(f.From.Time) > MaxFreeze):
		return nil, ops.Errorf(ops.Invalid, "a freeze must end after it begins, and last ten years at most").At(at + ".to")
	case f.Schedule != nil:
		var err error
		if out.schedule, err = window.Parse(*f.Schedule, at+".schedule"); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// CompileFreeze makes a freeze ready for Decide. A Service does so with those that are added to it.
func CompileFreeze(f ops.Freeze, catalog *ops.Catalog) (*Freeze, error) {
	return compile(f, catalog, placeOfBody)
}

// validateFreeze refuses what compile does not look at.
func validateFreeze(f ops.Freeze, at string) error {
	if len(f.Name) == 0 || len(f.Name) > ops.MaxNameLength {
		return ops.Errorf(ops.Invalid, "a freeze must have a name of 1 to %d bytes", ops.MaxNameLength).At(at + ".name")
	}
	if len(f.Reason) > MaxText {
		return ops.Errorf(ops.Invalid, "must have at most %d bytes", MaxText).At(at + ".reason")
	}
	switch f.InFlight {
	case "", InFlightFinish, InFlightPause, InFlightRollback:
	default:
		return ops.Errorf(ops.Invalid, "must be finish, pause or rollback").At(at + ".in_flight")
	}
	for _, k := range f.Exempt.Kinds {
		if k != "rollback" && !slices.Contains(ops.ChangeKinds[:], k) {
			return ops.Errorf(ops.Invalid, "no such kind of change").At(at + ".exempt.kinds").WithHint("rollback, " + kindNames())
		}
	}
	for _, r := range f.Exempt.Roles {
		if !r.Valid() {
			return ops.Errorf(ops.Invalid, "no such role").At(at + ".exempt.roles")
		}
		if r == ops.CI || r == ops.Agent || r == ops.Sender {
			return ops.Errorf(ops.Invalid, "a machine's role cannot be exempt").At(at + ".exempt.roles").WithHint("a freeze that lets CI through holds nobody; exempt a person's role or a kind of change")
		}
	}
	return f.Scope.Validate(at + ".scope")
}

// span is the time for which f is closed at t, or next; false when it never is again.
func (f *Freeze) span(t time.Time) (window.Span, bool) {
	if f.schedule == nil {
		return window.Span{From: f.From.Time, To: f.To.Time}, t.Before(f.To.Time)
	}
	if m := f.memo.p.Load(); m != nil && !t.Before(m.asked) && (!m.found || t.Before(m.span.To)) {
		return m.span, m.found
	}
	m := &remembered{asked: t}
	m.span, m.found = f.schedule.Next(t)
	f.memo.p.Store(m)
	return m.span, m.found
}

// spans lists when f is closed in [from, to), at most limit+1 times.
func (f *Freeze) spans(from, to time.Time, limit int) []window.Span {
	if f.schedule != nil {
		return f.schedule.Between(from, to, limit)
	}
	if f.From.Before(to) && f.To.After(from) {
		return []window.Span{{From: f.From.Time, To: f.To.Time}}
	}
	return nil
}

// Freezes lists the freezes that are not lifted: those closed now first, then by when they close next, those that are
// over last. One that is over is forgotten after a week.
func (s *Service) Freezes(context.Context) ([]ops.Freeze, error) {
	now := s.now()
	s.mu.RLock()
	live := s.freezes.list
	s.mu.RUnlock()
	type due struct {
		f    *Freeze
		next time.Time
	}
	var list []due
	for _, f := range live {
		span, ok := f.span(now)
		if !ok {
			if f.schedule == nil && now.Sub(f.To.Time) > forgotten {
				continue
			}
			span.From = now.Add(100 * MaxCalendar)
		}
		list = append(list, due{f, span.From})
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].next.Before(list[j].next) })
	out := make([]ops.Freeze, len(list))
	for i, d := range list {
		out[i] = d.f.Freeze
	}
	return out, nil
}

// AddFreeze adds a freeze window.
func (s *Service) AddFreeze(ctx context.Context, who ops.Principal, f ops.Freeze) (ops.Freeze, error) {
	if err := s.allowed(who, ops.Commander); err != nil {
		return ops.Freeze{}, err
	}
	f.Name, f.UID = strings.TrimSpace(f.Name), ""
	if f.Name == "" {
		f.Name = orDefault(strings.TrimSpace(f.Reason), "freeze")
	}
	if err := validateFreeze(f, placeOfBody); err != nil {
		return ops.Freeze{}, err
	}
	now := s.now()
	s.mu.Lock()
	compiled, err := compile(f, s.catalog, placeOfBody)
	if err != nil {
		s.mu.Unlock()
		return ops.Freeze{}, err
	}
	if live := s.liveFreezes(now); live >= s.config.maxFreezes() {
		s.mu.Unlock()
		return ops.Freeze{}, ops.Errorf(ops.TooLarge, "%d freezes are on record, which is the most there may be", live).WithHint("lift those that are no longer needed, or raise gate.max_freezes")
	}
	s.lastFreeze++
	f.ID, f.CreatedBy, f.CreatedAt, f.LiftedAt = id("FRZ", s.lastFreeze), who.Name, ops.At(now), ops.Time{}
	compiled.Freeze = f
	s.freezes = NewFreezes(append(slices.Clip(s.freezes.list), compiled))
	receipt := s.journal.Append(ops.Mutation{
		Put: []ops.Record{ops.Encode(kindFreeze, f.ID, f)},
		Events: []ops.Event{ops.NewEvent(f.CreatedAt, "freeze.added", "gate", f.ID, who.Name, map[string]any{
			"text": "freeze " + f.ID + " (" + f.Name + ") added for " + f.Scope.String(), "freeze": f,
		})},
	})
	s.mu.Unlock()
	_, err = receipt.Wait(ctx)
	return f, err
}

// liveFreezes counts the freezes that may still close. The caller holds the lock.
func (s *Service) liveFreezes(now time.Time) int {
	n := 0
	for _, f := range s.freezes.list {
		if f.schedule != nil || now.Before(f.To.Time) {
			n++
		}
	}
	return n
}

// LiftFreeze ends a freeze for good; it stays on record.
func (s *Service) LiftFreeze(ctx context.Context, who ops.Principal, freeze string) error {
	if err := s.allowed(who, ops.Commander); err != nil {
		return err
	}
	now := ops.At(s.now())
	s.mu.Lock()
	i := slices.IndexFunc(s.freezes.list, func(f *Freeze) bool { return f.ID == freeze })
	if i < 0 {
		s.mu.Unlock()
		return ops.Errorf(ops.NotFound, "no freeze of that id is in force").At("path.id")
	}
	f := s.freezes.list[i].Freeze
	f.LiftedAt = now
	s.freezes = NewFreezes(slices.Concat(s.freezes.list[:i], s.freezes.list[i+1:]))
	delete(s.frozen, f.ID)
	receipt := s.journal.Append(ops.Mutation{
		Put:    []ops.Record{ops.Encode(kindFreeze, f.ID, f)},
		Delete: []ops.Record{{Kind: kindFrozen, ID: f.ID}},
		Events: []ops.Event{ops.NewEvent(now, "freeze.lifted", "gate", f.ID, who.Name, map[string]any{
			"text": "freeze " + f.ID + " (" + f.Name + ") lifted by " + who.Name, "freeze": f,
		})},
	})
	s.mu.Unlock()
	_, err := receipt.Wait(ctx)
	return err
}

// Calendar lists when the freezes are closed between from and to, in order; spans are not cut at the ends. Zero times
// mean the next 31 days.
func (s *Service) Calendar(_ context.Context, from, to time.Time) ([]ops.FreezeSpan, error) {
	if from.IsZero() {
		from = s.now()
	}
	if to.IsZero() {
		to = from.Add(31 * 24 * time.Hour)
	}
	if !to.After(from) || to.Sub(from) > MaxCalendar {
		return nil, ops.Errorf(ops.Invalid, "the calendar must end after it begins, and cover at most a year").At("query.to")
	}
	s.mu.RLock()
	live := s.freezes.list
	s.mu.RUnlock()
	out := []ops.FreezeSpan{}
	for _, f := range live {
		for _, span := range f.spans(from, to, MaxCalendarSpans-len(out)) {
			out = append(out, ops.FreezeSpan{FreezeID: f.ID, Name: f.Name, Scope: f.Scope, From: ops.At(span.From), To: ops.At(span.To)})
		}
		if len(out) > MaxCalendarSpans {
			return nil, ops.Errorf(ops.TooLarge, "the freezes close more than %d times between these times", MaxCalendarSpans).At("query.to").WithHint("ask for a shorter time")
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].From.Before(out[j].From.Time) })
	return out, nil
}

package changes

import (
	"context"
	"slices"
	"strings"
	"time"

	"goc/changes/calendar"
	"goc/ops"
)

// maxListed is how many added freezes an import's answer lists.
const maxListed = 200

// ImportFreezes makes freezes of a calendar's events, all of them or, when they are too many, none. Events that it knows
// by their UID are left as they are, moved, or lifted when they were cancelled; what a calendar no longer mentions stays,
// but for occurrences of an event that it still does.
func (s *Service) ImportFreezes(ctx context.Context, who ops.Principal, i ops.FreezeImport) (ops.FreezeImported, error) {
	none := ops.FreezeImported{}
	if err := s.allowed(who, ops.Commander); err != nil {
		return none, err
	}
	zone, err := time.LoadLocation(i.Timezone)
	if err != nil || i.Timezone == "Local" {
		return none, ops.Errorf(ops.Invalid, "must be an IANA name").At(placeOfBody + ".timezone").WithHint("for example Asia/Shanghai")
	}
	sample := ops.Freeze{Name: "import", Scope: i.Scope, InFlight: i.InFlight, Exempt: i.Exempt}
	if err := validateFreeze(sample, placeOfBody); err != nil {
		return none, err
	}
	now := s.now()
	read, err := calendar.Read(i.Calendar, zone, now)
	if err != nil {
		if e, ok := err.(*ops.Error); ok {
			err = e.At(placeOfBody + ".calendar")
		}
		return none, err
	}
	if n, most := len(read.Spans), s.settings().maxFreezes(); n > most {
		return none, ops.Errorf(ops.TooLarge, "the calendar has %d windows, and there may be %d freezes; nothing was taken", n, most).At(placeOfBody + ".calendar").WithHint("import a calendar of fewer events, or raise gate.max_freezes")
	}
	s.mu.Lock()
	imp := importing{service: s, who: who, now: now, sample: sample, out: ops.FreezeImported{Over: read.Over, Rejected: read.Rejected, Freezes: []ops.Freeze{}}}
	m, err := imp.plan(read)
	var receipt *ops.Receipt
	if err == nil && len(m.Put) > 0 {
		s.freezes = NewFreezes(imp.after)
		for _, gone := range m.Delete {
			delete(s.frozen, gone.ID)
		}
		s.lastFreeze = imp.last
		receipt = s.journal.Append(m)
	}
	s.mu.Unlock()
	if imp.out.Rejected == nil {
		imp.out.Rejected = []ops.Rejected{}
	}
	if err != nil || receipt == nil {
		return imp.out, err
	}
	_, err = receipt.Wait(ctx)
	return imp.out, err
}

// importing works out what an import changes, before anything is changed.
type importing struct {
	service *Service
	who     ops.Principal
	now     time.Time
	sample  ops.Freeze
	after   []*Freeze // the freezes as they will be
	last    int       // the number of the last freeze
	m       ops.Mutation
	out     ops.FreezeImported
}

// plan compares a calendar with the freezes. The caller holds the lock.
func (i *importing) plan(c calendar.Calendar) (ops.Mutation, error) {
	i.after, i.last = slices.Clone(i.service.freezes.list), i.service.lastFreeze
	still := map[string]bool{}
	for _, span := range c.Spans {
		still[span.Key] = true
		if err := i.span(span); err != nil {
			return i.m, err
		}
	}
	for _, f := range slices.Clone(i.after) {
		gone := calendar.Belongs(f.UID, c.Cancelled) || (strings.Contains(f.UID, "/") && calendar.Belongs(f.UID, c.Recurring) && f.To.After(i.now))
		if f.UID != "" && gone && !still[f.UID] {
			i.lift(f)
			i.out.Lifted++
		}
	}
	live := 0
	for _, f := range i.after {
		if f.schedule != nil || i.now.Before(f.To.Time) {
			live++
		}
	}
	if live > i.service.config.maxFreezes() {
		i.out = ops.FreezeImported{}
		return i.m, ops.Errorf(ops.TooLarge, "with this calendar there would be %d freezes, and %d is the most there may be", live, i.service.config.maxFreezes()).
			At(placeOfBody + ".calendar").WithHint("raise gate.max_freezes, or import less; nothing was taken")
	}
	return i.m, nil
}

// span adds one, unless it is there already; one that has moved takes the place of what it was.
func (i *importing) span(span calendar.Span) error {
	if n := slices.IndexFunc(i.after, func(f *Freeze) bool { return f.UID == span.Key }); n >= 0 {
		if f := i.after[n]; f.From.Equal(span.From) && f.To.Equal(span.To) && f.Name == orDefault(span.Name, "freeze") && f.Scope.String() == i.sample.Scope.String() {
			i.out.Unchanged++
			return nil
		}
		i.lift(i.after[n])
		i.out.Replaced++
		i.out.Added--
	}
	f := i.sample
	f.Name, f.Reason, f.UID, f.From, f.To = orDefault(span.Name, "freeze"), span.Text, span.Key, ops.At(span.From), ops.At(span.To)
	compiled, err := compile(f, i.service.catalog, placeOfBody)
	if err != nil {
		return err
	}
	i.last++
	f.ID, f.CreatedBy, f.CreatedAt = id("FRZ", i.last), i.who.Name, ops.At(i.now)
	compiled.Freeze = f
	i.after = append(i.after, compiled)
	i.out.Added++
	if len(i.out.Freezes) < maxListed {
		i.out.Freezes = append(i.out.Freezes, f)
	}
	i.put(f, "freeze.added", "freeze "+f.ID+" ("+f.Name+") added from a calendar for "+f.Scope.String())
	return nil
}

// lift ends a freeze for good.
func (i *importing) lift(old *Freeze) {
	i.after = slices.DeleteFunc(i.after, func(f *Freeze) bool { return f == old })
	f := old.Freeze
	f.LiftedAt = ops.At(i.now)
	i.m.Delete = append(i.m.Delete, ops.Record{Kind: kindFrozen, ID: f.ID})
	i.put(f, "freeze.lifted", "freeze "+f.ID+" ("+f.Name+") lifted, for the calendar has it no more")
}

func (i *importing) put(f ops.Freeze, name, text string) {
	i.m.Put = append(i.m.Put, ops.Encode(kindFreeze, f.ID, f))
	i.m.Events = append(i.m.Events, ops.NewEvent(ops.At(i.now), name, "gate", f.ID, i.who.Name, map[string]any{"text": text, "freeze": f}))
}

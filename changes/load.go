package changes

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"goc/changes/rollup"
	"goc/ops"
)

// load restores the room from the journal.
func (s *Service) load(ctx context.Context) error {
	s.freezes = NewFreezes(nil)
	for kind, take := range map[string]func(ops.Record) error{
		kindChange: s.loadChange, kindFreeze: s.loadFreeze, kindOverride: s.loadOverride, kindApproval: s.loadApproval, kindDecision: s.loadAllowance, kindFrozen: s.loadFrozen,
		kindRedLine: s.loadRedLine, kindMaintenance: s.loadMaintenance, kindRehearsal: s.loadRehearsal, kindHour: s.loadHour, kindHits: s.hits.load,
	} {
		if err := s.journal.Load(ctx, kind, take); err != nil {
			return ops.Errorf(ops.Internal, "changes: a record of kind %s cannot be loaded: %w", kind, err)
		}
	}
	s.hits.began(s.config.Policies, s.now())
	s.retireUnknownLines()
	slices.SortFunc(s.freezes.list, func(a, b *Freeze) int { return number("FRZ", a.ID) - number("FRZ", b.ID) })
	for _, list := range s.approvals {
		slices.SortStableFunc(list, func(a, b ops.Approval) int { return a.At.Compare(b.At.Time) })
	}
	for _, e := range s.index.all {
		if e != nil {
			s.resumeBakes(e)
		}
	}
	return nil
}

func (s *Service) loadChange(r ops.Record) error {
	e := new(entry)
	if err := json.Unmarshal(r.Body, e); err != nil {
		return err
	}
	if number("CHG", e.ID) == 0 {
		return ops.Errorf(ops.Internal, "its id is none of this room's")
	}
	s.index.put(e)
	return nil
}

func (s *Service) loadFreeze(r ops.Record) error {
	var f ops.Freeze
	if err := json.Unmarshal(r.Body, &f); err != nil {
		return err
	}
	s.lastFreeze = max(s.lastFreeze, number("FRZ", f.ID))
	if !f.LiftedAt.IsZero() {
		return nil
	}
	compiled, err := compile(f, s.catalog, "freeze."+f.ID)
	if err == nil {
		s.freezes.list = append(s.freezes.list, compiled)
	}
	return err
}

func (s *Service) loadOverride(r ops.Record) error {
	var o ops.Override
	if err := json.Unmarshal(r.Body, &o); err != nil {
		return err
	}
	n := number("OVR", o.ID)
	s.broken[o.ID] = o
	s.lastOverride = max(s.lastOverride, n)
	if number("OVR", s.overrides[o.ChangeID].ID) < n {
		s.overrides[o.ChangeID] = o
	}
	return nil
}

func (s *Service) loadApproval(r ops.Record) error {
	var a ops.Approval
	if err := json.Unmarshal(r.Body, &a); err != nil {
		return err
	}
	s.approvals[a.ChangeID] = append(s.approvals[a.ChangeID], a)
	return nil
}

func (s *Service) loadAllowance(r ops.Record) error {
	var a allowance
	if err := json.Unmarshal(r.Body, &a); err != nil {
		return err
	}
	s.allows.keep(strings.Clone(r.ID), a)
	return nil
}

func (s *Service) loadFrozen(r ops.Record) error {
	var until ops.Time
	if err := json.Unmarshal(r.Body, &until); err != nil {
		return err
	}
	s.frozen[strings.Clone(r.ID)] = until.Time
	return nil
}

func (s *Service) loadRedLine(r ops.Record) error {
	c := new(crossing)
	if err := json.Unmarshal(r.Body, c); err != nil {
		return err
	}
	c.seen = s.now()
	s.crossed = with(s.crossed, strings.Clone(r.ID), c)
	return nil
}

func (s *Service) loadMaintenance(r ops.Record) error { return json.Unmarshal(r.Body, &s.maintenance) }

func (s *Service) loadRehearsal(r ops.Record) error {
	var at ops.Time
	err := json.Unmarshal(r.Body, &at)
	s.rehearsals.own[strings.Clone(r.ID)] = at.Time
	return err
}

func (s *Service) loadHour(r ops.Record) error {
	var sums map[string]map[string]rollup.Hour
	if err := json.Unmarshal(r.Body, &sums); err != nil {
		return err
	}
	at, err := time.Parse(hourID, r.ID)
	if err != nil {
		return err
	}
	if period := s.config.ErrorBudget.period(); period <= rollup.MaxRecent || s.now().Sub(at) > period+2*time.Hour {
		s.hoursOver = append(s.hoursOver, strings.Clone(r.ID))
		return nil
	}
	for indicator, of := range sums {
		s.course.RestoreHour(indicator, at, of)
	}
	return nil
}

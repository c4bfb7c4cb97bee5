package changes

import (
	"context"
	"fmt"
	"time"

	"goc/changes/policy"
	"goc/changes/rollup"
	"goc/ops"
)

// prepareRules makes of the configuration's rules what decisions ask.
func (s *Service) prepareRules() error {
	var err error
	if s.policies, err = policy.Compile(s.config.Policies, "gate.policies"); err != nil {
		return err
	}
	if s.zone, err = s.config.zone(); err != nil {
		return err
	}
	s.course = rollup.New(s.config.tracked(s.catalog))
	s.budgets = newBudgets(s.config.ErrorBudget, s.course)
	s.figures.policies(func() *policy.Set {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.policies
	})
	return nil
}

// tracked is what budgets and red lines are judged by, and how far back each looks.
func (c Config) tracked(catalog *ops.Catalog) map[rollup.Key]time.Duration {
	out := map[rollup.Key]time.Duration{}
	want := func(service, indicator string, d time.Duration) {
		k := rollup.Key{Service: service, Indicator: indicator}
		out[k] = max(out[k], d)
	}
	for _, service := range catalog.Services {
		if objective, _ := c.ErrorBudget.objective(service); objective == 0 {
			continue
		}
		want(service.Name, c.ErrorBudget.indicator(), c.ErrorBudget.period())
		for _, w := range c.ErrorBudget.windows() {
			want(service.Name, c.ErrorBudget.indicator(), time.Duration(w.Long))
		}
	}
	for _, l := range c.RedLines {
		if l.Indicator != "" {
			want(l.Service, l.Indicator, l.over())
		}
	}
	return out
}

// dropStale no longer counts as in flight what nobody moved for long.
func (s *Service) dropStale(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := now.Sub(s.droppedAt); age >= time.Minute || age < 0 {
		s.droppedAt = now
		s.index.flight.expire(now, s.config.Collision.stale())
	}
}

const (
	hourID    = "2006-01-02T15" // of the record of an hour
	keepEvery = 5 * time.Minute
)

// keepCourse puts on disk what the hour came to so far, every few minutes, and drops the hour that no period looks back
// to any more. nil when there is nothing to do.
func (s *Service) keepCourse(now time.Time) *ops.Receipt {
	b := s.settings().ErrorBudget
	if b.period() <= rollup.MaxRecent || (now.Sub(s.keptAt) < keepEvery && !now.Before(s.keptAt)) {
		return nil
	}
	s.keptAt = now
	var m ops.Mutation
	for _, at := range []time.Time{now.Add(-keepEvery), now} { // the end of the hour before is in it as well
		if sums := s.course.Hour(b.indicator(), at); len(sums) > 0 {
			m.Put = append(m.Put, ops.Encode(kindHour, at.UTC().Format(hourID), map[string]map[string]rollup.Hour{b.indicator(): sums}))
		}
	}
	if len(m.Put) == 0 {
		return nil
	}
	if len(m.Put) == 2 && m.Put[0].ID == m.Put[1].ID {
		m.Put = m.Put[1:]
	}
	for h := range 3 { // the program may not have run at the hour at which one was due
		m.Delete = append(m.Delete, ops.Record{Kind: kindHour, ID: now.Add(-b.period() - time.Duration(h+2)*time.Hour).UTC().Format(hourID)})
	}
	return s.journal.Append(m)
}

// maxHoursGone bounds the hours that are dropped at once.
const maxHoursGone = 1_000

// dropHours takes off the disk the hours that no period looked back to any more when the program began: it may not have
// run for long, or the period is shorter than it was. nil when there are none.
func (s *Service) dropHours() *ops.Receipt {
	n := min(len(s.hoursOver), maxHoursGone)
	if n == 0 {
		return nil
	}
	var m ops.Mutation
	for _, id := range s.hoursOver[:n] {
		m.Delete = append(m.Delete, ops.Record{Kind: kindHour, ID: id})
	}
	if s.hoursOver = s.hoursOver[n:]; len(s.hoursOver) == 0 {
		s.hoursOver = nil
	}
	return s.journal.Append(m)
}

// Bounds of reading the course back.
const (
	restoreTries = 10
	restoreAgain = 30 * time.Second
)

// restoreCourse reads, service by service, the course before the start from where the samples are kept. Where that does
// not answer it tries again for some minutes; until then burns are known from what was observed since the start.
func (s *Service) restoreCourse(ctx context.Context) {
	if s.querier == nil {
		return
	}
	for try := range restoreTries {
		err := s.readCourse(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		s.log.Warn("the course of indicators before the start was not read; burns are known from the start on", "try", try+1, "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(restoreAgain):
		}
	}
}

func (s *Service) readCourse(ctx context.Context) error {
	now, b := s.now(), s.settings().ErrorBudget
	for k, back := range s.course.Keys() {
		if k.Indicator == b.indicator() && back > longest(b.windows()) {
			back = longest(b.windows()) // what is older is on disk by hour
		}
		expr := fmt.Sprintf(`avg(goc_indicator{indicator=%q,service=%q})`, k.Indicator, k.Service)
		curves, err := s.querier.QueryRange(ctx, expr, now.Add(-back).Truncate(rollup.Width), now, rollup.Width)
		if err != nil {
			return err
		}
		for _, c := range curves {
			for i, v := range c.Values {
				s.course.Restore(k, c.Times[i], v)
			}
		}
	}
	return nil
}

func longest(windows []BurnWindow) (d time.Duration) {
	for _, w := range windows {
		d = max(d, time.Duration(w.Long))
	}
	return d
}

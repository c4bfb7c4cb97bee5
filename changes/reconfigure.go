package changes

import (
	"reflect"
	"slices"
	"time"

	"goc/changes/policy"
	"goc/ops"
)

// Reload takes a new catalog: freezes, the lists of changes by store and the bakes know the stores and services of it from
// here on. When it refuses the catalog everything stays as it was.
func (s *Service) Reload(catalog *ops.Catalog) error { return s.Reconfigure(s.settings(), catalog) }

// Reconfigure takes new rules and a new catalog, both or neither: when it refuses one everything stays as it was. What
// TakesRestart names is not looked at. Decisions under way are made by the old rules, those that begin after it by the new.
func (s *Service) Reconfigure(c Config, catalog *ops.Catalog) error {
	if err := c.Validate(); err != nil {
		return err
	}
	zone, err := c.zone()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	policies := s.policies
	if !reflect.DeepEqual(c.Policies, s.config.Policies) { // the same ones keep their counts
		if policies, err = policy.Compile(c.Policies, "gate.policies"); err != nil {
			return err
		}
	}
	freezes, err := s.compiledFor(catalog)
	if err != nil {
		return err
	}
	s.retireRedLines(c.RedLines)
	if !reflect.DeepEqual(c.ErrorBudget, s.config.ErrorBudget) {
		s.budgets = newBudgets(c.ErrorBudget, s.course)
	}
	s.config, s.policies, s.zone = c, policies, zone
	s.hits.began(c.Policies, s.now())
	s.knowStores(catalog, freezes)
	return nil
}

// settings is the configuration as it stands. The caller holds no lock.
func (s *Service) settings() Config {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.config
}

// compiledFor compiles the freezes anew for a catalog. The caller holds the lock.
func (s *Service) compiledFor(catalog *ops.Catalog) ([]*Freeze, error) {
	freezes := make([]*Freeze, 0, len(s.freezes.list))
	for _, f := range s.freezes.list {
		again, err := compile(f.Freeze, catalog, "freeze."+f.ID)
		if err != nil {
			return nil, err
		}
		freezes = append(freezes, again)
	}
	return freezes, nil
}

// knowStores puts a catalog in force. The caller holds the lock.
func (s *Service) knowStores(catalog *ops.Catalog, freezes []*Freeze) {
	fresh := newIndex(catalog)
	for _, e := range s.index.all {
		if e != nil {
			fresh.put(e)
		}
	}
	s.catalog, s.freezes, s.index = catalog, NewFreezes(freezes), fresh
	s.course.Track(s.config.tracked(catalog))
	s.bakes.Reload(catalog)
}

// TakesRestart names the keys of the section that are read only at the start and differ: what budgets were measured over
// cannot be measured again.
func (c Config) TakesRestart(n Config) (keys []string) {
	a, b := c.ErrorBudget, n.ErrorBudget
	for _, k := range []struct {
		name string
		same bool
	}{
		{"indicator", a.indicator() == b.indicator()},
		{"period", a.period() == b.period()},
		{"windows", slices.Equal(a.windows(), b.windows())},
	} {
		if !k.same {
			keys = append(keys, "gate.error_budget."+k.name)
		}
	}
	return keys
}

// retireRedLines lets go of the crossed red lines that are not in force any more as they were; that is told on the next
// look. The caller holds the lock.
func (s *Service) retireRedLines(next []RedLine) {
	for _, l := range s.config.RedLines {
		stays := slices.ContainsFunc(next, func(n RedLine) bool { return reflect.DeepEqual(l, n) })
		if c := s.crossed[l.Name]; c != nil && !stays {
			s.crossed = with(s.crossed, l.Name, nil)
			s.retired = append(s.retired, retired{line: l, crossing: c})
		}
	}
}

// retireUnknownLines does the same at the start, for those that were taken out while the program did not run.
func (s *Service) retireUnknownLines() {
	for name, c := range s.crossed {
		if !slices.ContainsFunc(s.config.RedLines, func(l RedLine) bool { return l.Name == name }) {
			s.crossed = with(s.crossed, name, nil)
			s.retired = append(s.retired, retired{line: RedLine{Name: name}, crossing: c})
		}
	}
}

// retired is a red line that was crossed when it was taken out of the configuration, or changed.
type retired struct {
	line     RedLine
	crossing *crossing
}

// tellRetired says of each red line that is no longer in force that it is no longer crossed. The caller holds the lock.
func (s *Service) tellRetired(now time.Time) (receipts []*ops.Receipt, alerts []ops.Alert) {
	for _, r := range s.retired {
		receipts = append(receipts, s.tellRedLine(r.line, nil, now))
		alerts = append(alerts, r.line.alert(r.crossing, now, ops.Resolved))
	}
	s.retired = nil
	return receipts, alerts
}

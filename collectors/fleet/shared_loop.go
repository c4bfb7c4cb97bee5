package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"goc/collectors/fleet/explain"
	"goc/ops"
)

// shared is what the unwell have in common, as the loop found it last.
type shared struct {
	mu      sync.Mutex // of the fields up to rest; what follows is the loop's
	changes []*ops.Change
	named   map[string]bool // changes that a cause which is told names: they stay while it lasts
	changed uint64          // counts changes of changes
	view    []ops.FleetCause
	rest    uint64

	causes []*cause
	failed bool // the last look did
	ledger *ledger
	aged   int64 // when old was counted last, Unix ms
	calm   int64 // since when nothing is wrong
}

const (
	maxChanges  = 16            // recent changes that are looked at as what devices share
	changeFresh = 2 * time.Hour // how long a change is recent
	ledgerLasts = 10_000        // ms that a ledger of another shape is still good enough
	ledgerKept  = 600_000       // ms that it is kept when nothing is wrong
	agePeriod   = 60_000        // ms between two counts of what is nothing new
)

// ObserveChange takes a change as it moves: a recent one that went to stores or devices may be what the unwell share. It
// does not block for long and may be called from any goroutine.
func (s *Service) ObserveChange(c ops.Change) {
	sh := &s.shared
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.changes = slices.DeleteFunc(sh.changes, func(o *ops.Change) bool { return o.ID == c.ID })
	if c.StartedAt.IsZero() || !aboutDevices(&c) || !sh.matters(&c, s.now()) {
		return
	}
	sh.changes = append(sh.changes, &c)
	if len(sh.changes) > maxChanges {
		i := max(0, slices.IndexFunc(sh.changes, func(o *ops.Change) bool { return !sh.named[o.ID] }))
		sh.changes = slices.Delete(sh.changes, i, i+1)
	}
	sh.changed++
}

// matters says whether a change is recent, or a cause that is told names it. The caller holds the lock.
func (sh *shared) matters(c *ops.Change, now time.Time) bool {
	return now.Sub(c.StartedAt.Time) <= changeFresh || sh.named[c.ID]
}

func (sh *shared) change(id string) *ops.Change {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, c := range sh.changes {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// recent lists the changes that devices may share, and forgets those that no longer matter.
func (sh *shared) recent(now time.Time) []*ops.Change {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	before := len(sh.changes)
	sh.changes = slices.DeleteFunc(sh.changes, func(c *ops.Change) bool { return !sh.matters(c, now) })
	if len(sh.changes) < before {
		sh.changed++
	}
	return slices.Clone(sh.changes)
}

// Causes answers what the unwell have in common, as of the last second, and how many of them share none of it.
func (s *Service) Causes(context.Context) (ops.FleetCauses, error) {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	return ops.FleetCauses{Causes: append([]ops.FleetCause{}, s.shared.view...), Unexplained: s.shared.rest}, nil
}

// explainLoop looks once a second until ctx ends.
func (s *Service) explainLoop(ctx context.Context) {
	every := time.NewTicker(lookPeriod)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			s.explain(ctx)
		}
	}
}

// explain looks at the fleet once, and tells what it comes to.
func (s *Service) explain(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil { // the next look begins anew; who is alive goes on being known
			s.unexplained(fmt.Errorf("panic: %v", p))
			s.shared.ledger = nil
		}
	}()
	at := s.now()
	now, sh := at.UnixMilli(), &s.shared
	if now-sh.aged >= agePeriod {
		sh.aged = now
		s.age(now, sh.causes)
	}
	found, rest, ok := s.find(now)
	if !ok {
		return
	}
	var n news
	sh.causes, n = look(sh.causes, found, func(scope map[string][]string) counted { return sh.ledger.measure(s, scope) }, now)
	outside := sh.ledger.outside(sh.causes)
	for _, c := range sh.causes {
		c.rest = outside
	}
	s.tell(ctx, n, rest, at)
	s.publish(rest)
}

// find asks the localiser; ok is false when nothing is wrong and nothing was.
func (s *Service) find(now int64) (found []explain.Cause, rest uint64, ok bool) {
	sh := &s.shared
	if s.excess() < fewestInStore && len(sh.causes) == 0 {
		if sh.calm == 0 {
			sh.calm = now
		}
		if sh.ledger != nil && now-sh.calm > ledgerKept {
			sh.ledger = nil
		}
		if len(sh.view) > 0 || sh.rest > 0 {
			s.publish(0)
		}
		return nil, 0, false
	}
	sh.calm = 0
	changes := sh.recent(time.UnixMilli(now))
	if l := sh.ledger; l == nil || l.shape != s.shapeNow() && now-l.made > ledgerLasts || now-l.made > agePeriod {
		l, err := s.newLedger(now, changes)
		if err != nil {
			s.unexplained(err)
			return nil, 0, false
		}
		sh.ledger = l
	}
	sh.ledger.count(s)
	r, err := sh.ledger.index.Explain(sh.ledger.counts, explain.Options{Things: "devices", State: "are offline or not well"})
	if err != nil {
		s.unexplained(err)
		return nil, 0, false
	}
	sh.failed = false
	return r.Causes, r.Unexplained, true
}

// unexplained says that a look failed, once until one succeeds.
func (s *Service) unexplained(err error) {
	if !s.shared.failed {
		s.log.Error("what devices share cannot be looked for", "err", err)
	}
	s.shared.failed = true
}

// excess is how many devices are not well beyond those of which it is nothing new.
func (s *Service) excess() (n int) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		for c := range sh.cells.n {
			v := sh.cells.at(c)
			n += max(0, int(v.n[ops.Degraded]+v.n[ops.Offline])-int(v.old))
		}
		sh.mu.RUnlock()
	}
	return n
}

// tell sends alerts, once the causes that are told are on disk: after a restart they go on as what they were.
func (s *Service) tell(ctx context.Context, n news, rest uint64, at time.Time) {
	if len(n.fire)+len(n.over) == 0 {
		return
	}
	var alerts []ops.Alert
	var m ops.Mutation
	for _, c := range n.fire {
		if c.sent == 0 {
			m.Put = append(m.Put, ops.Encode("fleet_cause", key(c.Scope), c))
		}
		c.sent = at.UnixMilli()
		alerts = append(alerts, alertOf(c, rest, at, false))
	}
	for _, c := range n.over {
		m.Delete = append(m.Delete, ops.Record{Kind: "fleet_cause", ID: key(c.Scope)})
		alerts = append(alerts, alertOf(c, rest, at, true))
	}
	if len(m.Put)+len(m.Delete) > 0 {
		if _, err := s.journal.Append(m).Wait(ctx); err != nil {
			return // the journal has stopped, and says so
		}
	}
	if s.notify != nil {
		s.notify(ctx, alerts)
	}
}

// restoreCause takes a cause that was told before the restart.
func (s *Service) restoreCause(rec ops.Record) error {
	var c cause
	if err := json.Unmarshal(rec.Body, &c); err != nil {
		s.log.Warn("a cause that devices shared cannot be read and is left out", "id", rec.ID, "err", err)
		return nil
	}
	s.shared.causes = append(s.shared.causes, &c)
	s.shared.name(s.shared.causes)
	return nil
}

// publish shows the causes that are told.
func (s *Service) publish(rest uint64) {
	var view []ops.FleetCause
	causes := slices.Clone(s.shared.causes)
	slices.SortFunc(causes, byAge)
	for _, c := range causes {
		if c.Told {
			view = append(view, ops.FleetCause{
				Scope: c.Scope, Since: when(c.Since), Affected: c.Affected, Total: c.Total, Lift: c.Lift, Text: c.text(),
				Stores: c.children.stores, Worst: c.children.names, Gateways: c.children.silent,
			})
		}
	}
	s.shared.mu.Lock()
	s.shared.view, s.shared.rest = view, rest
	s.shared.name(causes)
	s.shared.mu.Unlock()
}

// name notes the changes that causes which are told name. The caller holds the lock, or nobody else is there yet.
func (sh *shared) name(causes []*cause) {
	sh.named = map[string]bool{}
	for _, c := range causes {
		if v := c.Scope["change"]; c.Told && len(v) > 0 {
			sh.named[v[0]] = true
		}
	}
}

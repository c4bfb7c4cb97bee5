package drills

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"goc/ops"
)

const (
	tick       = time.Second
	askEvery   = 5 * time.Second // abort checks
	blindFor   = 15 * time.Second
	askWithin  = 5 * time.Second // one query
	tellAfter  = 5               // failed attempts to revert, after which a person is told what to do
	giveUp     = 60              // failed attempts to revert, after which it is left to a person: about an hour
	lastChance = 10 * time.Second
	settle     = 2 * time.Second // from an injection that was cut off to its revert: the request may still be at work
)

// changeID is what a change may be called in an injection's answer.
var changeID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// driver is what the loop knows and need not survive a restart.
type driver struct {
	*Service
	nextTry  time.Time            // of the revert
	nextAsk  time.Time            // of the abort checks
	badSince map[string]time.Time // abort checks that do not hold
	looked   map[string]bool      // suspects that were looked up
	planned  map[string]planned   // scheduled drills by name
}

func newDriver(s *Service) *driver {
	return &driver{Service: s, badSince: map[string]time.Time{}, looked: map[string]bool{}, planned: map[string]planned{}}
}

// Run drives the drill that is under way and starts scheduled ones. When ctx ends it takes a fault that is in place
// away, as far as that can be done at once; what remains the next start does.
func (s *Service) Run(ctx context.Context) error {
	d := newDriver(s)
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		if err := d.step(ctx); err != nil && ctx.Err() == nil {
			s.o.Logger.Error("a drill could not be driven", "error", err)
		}
		select {
		case <-ctx.Done():
			d.stop(ctx)
			return nil
		case <-t.C:
		case <-s.wake:
		}
	}
}

// step does what is due now.
func (d *driver) step(ctx context.Context) error {
	if err := d.startScheduled(ctx); err != nil {
		return err
	}
	r, ok := d.current()
	if !ok {
		return nil
	}
	switch r.State {
	case ops.DrillInjecting:
		return d.inject(ctx, r)
	case ops.DrillWatching:
		return d.watch(ctx, r)
	}
	return d.revert(ctx, r)
}

// current is the run that is under way.
func (s *Service) current() (run, bool) {
	for _, r := range s.list() {
		if r.live() {
			return r, true
		}
	}
	return run{}, false
}

// stop aborts what is under way because the program ends, and tries once to take the fault away.
func (d *driver) stop(parent context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), lastChance)
	defer cancel()
	r, ok := d.current()
	if !ok {
		return
	}
	if r.State != ops.DrillReverting {
		if _, err := d.Abort(ctx, ops.System, r.ID); err != nil {
			return
		}
		r, _ = d.current()
	}
	d.nextTry = time.Time{}
	if err := d.revert(ctx, r); err != nil {
		d.o.Logger.Error("the fault could not be taken away before the end", "run", r.ID, "error", err)
	}
}

// inject makes the fault. The run stands on disk as injecting before, so that a crash within leads to a revert.
func (d *driver) inject(ctx context.Context, r run) error {
	drill, err := d.drill(r.Drill)
	if err != nil {
		return d.fail(ctx, r, "the drill is no longer in the configuration")
	}
	d.nextTry, d.nextAsk = time.Time{}, time.Time{}
	clear(d.badSince)
	clear(d.looked)
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	d.mu.Lock()
	d.cancel = cancel
	d.mu.Unlock()
	at := d.o.Now() // before the request: the legs are never flattered
	answer, failed := "", error(nil)
	if now, ok := d.current(); ok && now.State == ops.DrillInjecting {
		answer, failed = d.o.Do(work, key(r, "inject", 0), drill.Inject, stepParams(r))
	}
	d.mu.Lock()
	d.cancel = nil
	d.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err() // stop aborts and reverts
	}
	if failed != nil {
		d.nextTry = d.o.Now().Add(settle)
		return d.fail(ctx, r, "it could not be injected: "+failed.Error())
	}
	_, err = d.change(ctx, r.ID, ops.System.Name, func(r *run) ([]news, error) {
		r.InjectedAt, r.ChangeID = ops.At(at), changeIn(answer)
		if r.State != ops.DrillInjecting { // aborted meanwhile
			return nil, nil
		}
		r.State = ops.DrillWatching
		text := r.Drill + ": the fault is in place"
		if r.ChangeID != "" {
			text += "; the guilty change is " + r.ChangeID
		}
		return []news{{"drill.injected", text}}, nil
	})
	return err
}

// fail turns a run to its revert because it could not go on.
func (d *driver) fail(ctx context.Context, r run, why string) error {
	_, err := d.change(ctx, r.ID, ops.System.Name, func(r *run) ([]news, error) {
		if r.State == ops.DrillReverting { // aborted meanwhile
			return nil, nil
		}
		r.leave(ops.DrillFailed, why)
		return []news{{"drill.reverting", r.Drill + ": " + why + "; what may be in place is taken away"}}, nil
	})
	return err
}

// changeIn is the guilty change that an injection's answer names, "" when it names none.
func changeIn(answer string) string {
	var a struct {
		ChangeID string `json:"change_id"`
	}
	if json.Unmarshal([]byte(answer), &a) != nil || !changeID.MatchString(a.ChangeID) {
		return ""
	}
	return a.ChangeID
}

// stepParams are the parameters of a drill's steps.
func stepParams(r run) map[string]string {
	join := func(v []string) string { return strings.Join(v, ",") }
	return map[string]string{
		"run": r.ID, "drill": r.Drill, "service": join(r.Scope.Service), "store": join(r.Scope.Store),
		"city": join(r.Scope.City), "device": join(r.Scope.Device),
	}
}

// key is what the receiver of a step may deduplicate by; each attempt to revert has its own, for it must be done.
func key(r run, what string, attempt int) string {
	return fmt.Sprintf("%s-%s-%d-%x", r.ID, what, attempt, r.CreatedAt.UnixMilli())
}

// watch measures, and ends the watch when there is a reason to.
func (d *driver) watch(ctx context.Context, r run) error {
	drill, err := d.drill(r.Drill)
	if err != nil {
		return d.fail(ctx, r, "the drill is no longer in the configuration")
	}
	w := world{now: d.o.Now(), incidents: d.o.Incidents(), expand: d.o.Expand}
	guilty := d.discover(ctx, r, w)
	stop := d.unsafe(ctx, drill, w.now)
	if before := r; !d.worth(before, guilty, stop, drill, w) {
		return nil
	}
	_, err = d.change(ctx, r.ID, ops.System.Name, func(r *run) ([]news, error) {
		if r.State != ops.DrillWatching { // aborted meanwhile
			return nil, nil
		}
		var what []news
		r.ChangeID = guilty
		*r, what = observe(*r, drill, w)
		if stop != "" {
			r.leave(ops.DrillAborted, stop)
		}
		if r.State == ops.DrillReverting {
			what = append(what, news{"drill.reverting", strings.TrimSuffix(r.Drill+": the watch is over; the fault is taken away: "+r.Why, ": ")})
		}
		return what, nil
	})
	return err
}

// worth says whether watching would change anything: what stays as it is is not written again each second.
func (d *driver) worth(r run, guilty, stop string, drill ops.Drill, w world) bool {
	after, what := observe(r, drill, w)
	return stop != "" || guilty != r.ChangeID || len(what) > 0 || after.State != r.State || after.Incident != r.Incident ||
		after.RightAt != r.RightAt || after.Legs[1].Text != r.Legs[1].Text
}

// discover finds the guilty change among the suspects when the injection did not name it: the one that bears the run.
func (d *driver) discover(ctx context.Context, r run, w world) string {
	inc, ok := w.own(r)
	if r.ChangeID != "" || !ok || d.o.Change == nil {
		return r.ChangeID
	}
	for _, s := range inc.Suspects {
		if d.looked[s.ChangeID] {
			continue
		}
		c, err := d.o.Change(ctx, s.ChangeID)
		if err != nil {
			continue
		}
		d.looked[s.ChangeID] = true
		if c.Drill == r.ID {
			return c.ID
		}
	}
	return ""
}

// unsafe asks the abort checks every five seconds and says why the drill must stop, "" when it need not: a check has not
// held for longer than its Within, or could not be answered for fifteen seconds.
func (d *driver) unsafe(ctx context.Context, drill ops.Drill, now time.Time) string {
	if now.Before(d.nextAsk) {
		return ""
	}
	d.nextAsk = now.Add(askEvery)
	for _, c := range drill.Abort {
		points, err := d.query(ctx, c)
		ok, text := c.Holds(points)
		patience := time.Duration(c.Within)
		if err != nil || len(points) == 0 {
			ok, patience = false, max(patience, blindFor)
		}
		if ok {
			delete(d.badSince, c.Name)
			continue
		}
		if _, known := d.badSince[c.Name]; !known {
			d.badSince[c.Name] = now
		}
		if now.Sub(d.badSince[c.Name]) >= patience {
			return fmt.Sprintf("real trouble: the abort check %q does not hold: %s", c.Name, text)
		}
	}
	return ""
}

func (s *Service) query(ctx context.Context, c ops.Check) ([]ops.Point, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return s.o.Querier.Query(ctx, c.Query, s.o.Now())
}

// ask evaluates a check now. A query that cannot be answered does not hold.
func (s *Service) ask(ctx context.Context, c ops.Check) (bool, string) {
	points, err := s.query(ctx, c)
	if err != nil {
		return false, "it could not be checked: " + err.Error()
	}
	return c.Holds(points)
}

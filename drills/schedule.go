package drills

import (
	"context"
	"errors"
	"fmt"
	"time"

	"goc/ops"
)

// late is how late a scheduled drill may still begin. One that was missed because the program did not run is not made up
// for: a drill at an hour that nobody chose is no drill.
const late = time.Minute

// planned is when a scheduled drill comes next, and what that was read from.
type planned struct {
	spec  string
	table timetable
	next  time.Time
}

// startScheduled starts the drills whose time has come.
func (d *driver) startScheduled(ctx context.Context) error {
	now := d.o.Now()
	for _, drill := range d.config.Load().Drills {
		spec := drill.Schedule + " " + drill.Timezone
		p, known := d.planned[drill.Name]
		if !known || p.spec != spec {
			p = planned{spec: spec}
			if p.table, _ = schedule(drill, now); p.table != nil {
				p.next = p.table(now)
			}
			d.planned[drill.Name] = p
		}
		if p.table == nil || now.Before(p.next) {
			continue
		}
		due := p.next
		p.next = p.table(now)
		d.planned[drill.Name] = p
		slot := drill.Name + "@" + due.Format("2006-01-02T15:04")
		if now.Sub(due) > late || d.ran(slot) {
			continue
		}
		if err := d.startOne(ctx, drill, slot); err != nil {
			return err
		}
	}
	return nil
}

// ran says whether a scheduled time has had its run: in autumn one local time comes twice.
func (s *Service) ran(slot string) bool {
	for _, r := range s.list() {
		if r.Slot == slot {
			return true
		}
	}
	return false
}

// startOne starts a scheduled drill. When it may not start now, that is recorded as a run that was aborted before it began.
func (d *driver) startOne(ctx context.Context, drill ops.Drill, slot string) error {
	who := ops.Principal{Name: "schedule", Role: ops.Admin}
	_, err := d.start(ctx, who, drill.Name, slot)
	var refused *ops.Error
	if !errors.As(err, &refused) || refused.Kind != ops.Conflict {
		return err
	}
	d.mu.Lock()
	r := d.make(drill, who, slot)
	r.State, r.FinishedAt, r.Message = ops.DrillAborted, r.CreatedAt, "not begun: "+refused.Message
	receipt := d.commit(r, who.Name, news{"drill.aborted", fmt.Sprintf("drill %s (%s) was %s", drill.Name, r.ID, r.Message)})
	d.mu.Unlock()
	_, err = receipt.Wait(ctx)
	return err
}

package changes_test

import (
	"context"
	"fmt"
	"testing"

	"goc/changes"
	"goc/ops"
)

const sales = `BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:11.11
SUMMARY:Double eleven
DTSTART:20261116T070000Z
DTEND:%s
STATUS:%s
END:VEVENT
BEGIN:VEVENT
UID:friday
SUMMARY:Every Friday
DTSTART;TZID=Asia/Shanghai:20261120T180000
DURATION:PT4H
RRULE:FREQ=WEEKLY;COUNT=%d
END:VEVENT
END:VCALENDAR
`

func TestACalendarIsImportedAndImportedAgain(t *testing.T) {
	r := open(t, changes.Config{MaxFreezes: 10})
	take := func(end, status string, fridays int) ops.FreezeImported {
		t.Helper()
		out, err := r.ImportFreezes(context.Background(), commander, ops.FreezeImport{Calendar: fmt.Sprintf(sales, end, status, fridays), Scope: ops.Scope{City: []string{"Shanghai"}}})
		if err != nil {
			t.Fatal(err)
		}
		r.reopen()
		return out
	}
	counts := func(o ops.FreezeImported) string {
		return fmt.Sprintf("%d added, %d replaced, %d unchanged, %d lifted", o.Added, o.Replaced, o.Unchanged, o.Lifted)
	}
	held := func() string {
		return told(r.check(ci, ops.GateRequest{Change: &ops.Change{Kind: ops.KindPrice, Title: "p", Scope: ops.Scope{Store: []string{"SH-1"}}}}))
	}
	for _, step := range []struct {
		end, status string
		fridays     int
		want, held  string
	}{
		{"20261116T090000Z", "CONFIRMED", 3, "4 added, 0 replaced, 0 unchanged, 0 lifted", "deny: freeze deny"},
		{"20261116T090000Z", "CONFIRMED", 3, "0 added, 0 replaced, 4 unchanged, 0 lifted", "deny: freeze deny"},
		{"20261116T120000Z", "CONFIRMED", 2, "0 added, 1 replaced, 2 unchanged, 1 lifted", "deny: freeze deny"},
		{"20261116T120000Z", "CANCELLED", 2, "0 added, 0 replaced, 2 unchanged, 1 lifted", "allow"},
	} {
		if got := counts(take(step.end, step.status, step.fridays)); got != step.want {
			t.Errorf("until %s, %s, %d Fridays: %s, want %s", step.end, step.status, step.fridays, got, step.want)
		}
		if got := held(); got != step.held {
			t.Errorf("the gate says %s, want %s", got, step.held)
		}
	}
	_, err := r.ImportFreezes(context.Background(), commander, ops.FreezeImport{Calendar: fmt.Sprintf(sales, "20261116T120000Z", "CONFIRMED", 40)})
	refused(t, err, ops.TooLarge, "nothing was taken")
	if list, _ := r.Freezes(context.Background()); len(list) != 2 {
		t.Errorf("%d freezes after an import that was refused", len(list))
	}
	_, err = r.ImportFreezes(context.Background(), commander, ops.FreezeImport{Calendar: "hello"})
	refusedAt(t, err, "body.calendar")
	_, err = r.ImportFreezes(context.Background(), ci, ops.FreezeImport{})
	refused(t, err, ops.Denied)
}

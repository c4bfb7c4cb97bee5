package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"goc/ops"
)

type freezeCmd struct {
	Add    freezeAddCmd    `cmd:"" help:"Add a freeze window."`
	Import freezeImportCmd `cmd:"" help:"Add those of a calendar (.ics)."`
	Lift   freezeLiftCmd   `cmd:"" help:"Lift one."`
	List   freezeListCmd   `cmd:"" help:"List them."`
}

type freezeAddCmd struct {
	Name     string       `help:"What people call it." required:"" placeholder:"TEXT"`
	Service  []string     `help:"Only these services." placeholder:"NAME"`
	From     string       `help:"When it begins: RFC 3339, +2h (from now) or now." default:"now" placeholder:"TIME"`
	To       string       `help:"When it ends: RFC 3339, or +2h (from now)." placeholder:"TIME"`
	Cron     string       `help:"When it begins, again and again: five cron fields, in place of --from and --to." placeholder:"'0 11 * * *'"`
	Duration ops.Duration `help:"How long it lasts each time; without --cron, how long from --from on." placeholder:"2h"`
	Timezone string       `help:"IANA name of the zone of --cron." default:"UTC"`
	InFlight string       `help:"What a rollout under way does: finish, pause, rollback." enum:"finish,pause,rollback" default:"finish"`
	Exempt   []string     `help:"Kinds of change that it does not hold back." placeholder:"KIND"`
	Reason   string       `help:"Why; those who are held back read it." required:"" placeholder:"TEXT"`
	scopeFlags
}

// Run adds a freeze window.
func (k *freezeAddCmd) Run(ctx context.Context, c *client, s streams) error {
	body, err := k.body(time.Now())
	if err != nil {
		return err
	}
	var f ops.Freeze
	if err := c.do(ctx, http.MethodPost, "/api/v1/freezes", body, &f); err != nil {
		return err
	}
	return c.show(s, f, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %s holds back %s, %s\n  goc freeze lift %[1]s ends it\n", f.ID, f.Name, f.Scope, window(f))
	})
}

// body is the freeze as the API takes it.
func (k *freezeAddCmd) body(now time.Time) (map[string]any, error) {
	scope, err := k.scope()
	if err != nil {
		return nil, err
	}
	scope.Service = append(scope.Service, k.Service...)
	b := map[string]any{"name": k.Name, "scope": scope, "in_flight": k.InFlight, "reason": k.Reason}
	if len(k.Exempt) > 0 {
		b["exempt"] = map[string]any{"kinds": k.Exempt}
	}
	either := exit(exitUsage, errors.New("say when: --from and --to (or --duration), or --cron with --duration"))
	switch {
	case k.Cron != "" && (k.To != "" || k.Duration == 0):
		return nil, either
	case k.Cron != "":
		b["schedule"] = map[string]any{"cron": k.Cron, "duration": k.Duration, "timezone": k.Timezone}
	case (k.To == "") == (k.Duration == 0):
		return nil, either
	case k.To != "":
		b["from"], b["to"] = when(k.From, now), when(k.To, now)
	default:
		from, err := ops.ParseTime(when(k.From, now))
		if err != nil {
			return nil, exit(exitUsage, fmt.Errorf("--from: %w", err))
		}
		b["from"], b["to"] = ops.At(from), ops.At(from.Add(time.Duration(k.Duration)))
	}
	return b, nil
}

// window says when a freeze holds.
func window(f ops.Freeze) string {
	if f.Schedule != nil {
		return fmt.Sprintf("for %s from each %s on (%s)", f.Schedule.Duration, f.Schedule.Cron, f.Schedule.Timezone)
	}
	return date(f.From) + " to " + date(f.To)
}

type freezeLiftCmd struct {
	ID string `arg:"" help:"The freeze." placeholder:"FRZ-N"`
}

// Run lifts a freeze.
func (k *freezeLiftCmd) Run(ctx context.Context, c *client, s streams) error {
	if err := c.do(ctx, http.MethodDelete, api("freezes", k.ID), nil, nil); err != nil {
		return err
	}
	return c.show(s, map[string]string{"lifted": k.ID}, func(w io.Writer) { fmt.Fprintf(w, "%s lifted\n", k.ID) })
}

type freezeListCmd struct{}

// Run lists the freezes that are not lifted.
func (k *freezeListCmd) Run(ctx context.Context, c *client, s streams) error {
	var l ops.List[ops.Freeze]
	if err := c.do(ctx, http.MethodGet, "/api/v1/freezes", nil, &l); err != nil {
		return err
	}
	return c.show(s, l, func(w io.Writer) {
		table(w, "ID\tNAME\tWHEN\tWHERE\tREASON", len(l.Items), func(i int) string {
			f := l.Items[i]
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", f.ID, f.Name, window(f), f.Scope, f.Reason)
		})
	})
}

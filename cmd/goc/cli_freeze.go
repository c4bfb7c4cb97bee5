package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"goc/ops"
)

type freezeCmd struct {
	Add  freezeAddCmd  `cmd:"" help:"Add a freeze window."`
	Lift freezeLiftCmd `cmd:"" help:"Lift one."`
	List freezeListCmd `cmd:"" help:"List them."`
}

type freezeAddCmd struct {
	Name     string `help:"What people call it." required:""`
	Service  string `help:"Only this service."`
	From     string `help:"When it begins, RFC 3339."`
	To       string `help:"When it ends, RFC 3339."`
	Cron     string `help:"When it begins, again and again: five cron fields."`
	Duration string `help:"How long, with --cron."`
	Timezone string `help:"IANA name of the zone of --cron." default:"UTC"`
	InFlight string `help:"What a rollout under way does: finish, pause, rollback." enum:"finish,pause,rollback" default:"finish"`
	Reason   string `help:"Why." required:""`
	scopeFlags
}

// Run adds a freeze window.
func (k *freezeAddCmd) Run(ctx context.Context, c *client, s streams) error {
	scope, err := k.scope()
	if err != nil {
		return err
	}
	if k.Service != "" {
		scope.Service = append(scope.Service, k.Service)
	}
	body := map[string]any{"name": k.Name, "scope": scope, "in_flight": k.InFlight, "reason": k.Reason}
	switch {
	case k.Cron != "" && (k.From != "" || k.To != ""):
		return exit(exitUsage, fmt.Errorf("give --from and --to, or --cron with --duration, not both"))
	case k.Cron != "":
		body["schedule"] = map[string]any{"cron": k.Cron, "duration": k.Duration, "timezone": k.Timezone}
	case k.From != "" && k.To != "":
		body["from"], body["to"] = k.From, k.To
	default:
		return exit(exitUsage, fmt.Errorf("give --from and --to, or --cron with --duration"))
	}
	var f ops.Freeze
	if err := c.do(ctx, http.MethodPost, "/api/v1/freezes", body, &f); err != nil {
		return err
	}
	return c.show(s, f, func(w io.Writer) { fmt.Fprintf(w, "%s  %s holds back %s\n", f.ID, f.Name, f.Scope) })
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
			when := clock(f.From) + " to " + clock(f.To)
			if f.Schedule != nil {
				when = fmt.Sprintf("%s for %s %s", f.Schedule.Cron, f.Schedule.Duration, f.Schedule.Timezone)
			}
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", f.ID, f.Name, when, f.Scope, f.Reason)
		})
	})
}

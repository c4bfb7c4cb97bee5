package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"goc/ops"
)

type planCmd struct {
	List    planListCmd    `cmd:"" help:"List the plans."`
	Run     planRunCmd     `cmd:"" help:"Run one and follow it: exit code 0 when it worked, 1 when it did not."`
	Follow  planFollowCmd  `cmd:"" help:"Follow a run to its end."`
	Confirm planConfirmCmd `cmd:"" help:"Confirm a run that waits for it, and follow it."`
	Abort   planAbortCmd   `cmd:"" help:"Stop a run: no further step is begun."`
	Undo    planUndoCmd    `cmd:"" help:"Undo what a run has done, the last step first, and follow that."`
}

type planListCmd struct{}

// Run lists the plans.
func (k *planListCmd) Run(ctx context.Context, c *client, s streams) error {
	var l ops.List[ops.Plan]
	if err := c.do(ctx, http.MethodGet, "/api/v1/plans", nil, &l); err != nil {
		return err
	}
	return c.show(s, l, func(w io.Writer) {
		table(w, "NAME\tSTEPS\tSCOPE\tTITLE", len(l.Items), func(i int) string {
			p := l.Items[i]
			return fmt.Sprintf("%s\t%d\t%s\t%s", p.Name, len(p.Steps), p.Scope, p.Title)
		})
	})
}

type planRunCmd struct {
	Name     string            `arg:"" help:"The plan."`
	Incident string            `help:"The incident that it is for; fills the plan's parameters." placeholder:"INC-N"`
	Param    map[string]string `help:"Parameters." placeholder:"NAME=VALUE"`
	DryRun   bool              `help:"Only show what it would do."`
	Confirm  bool              `help:"You mean it: without this the run waits for goc plan confirm." short:"y"`
}

// Run runs a plan, or shows what it would do.
func (k *planRunCmd) Run(ctx context.Context, c *client, s streams) error {
	body := map[string]any{"params": k.Param}
	if k.Incident != "" {
		body["incident"] = k.Incident
	}
	if k.DryRun {
		return k.dry(ctx, c, s, body)
	}
	if k.Confirm {
		body["confirm"] = k.Name
	}
	var run ops.Run
	if err := c.do(ctx, http.MethodPost, api("plans", k.Name, "runs"), body, &run); err != nil {
		return err
	}
	return follow(ctx, c, s, run)
}

func (k *planRunCmd) dry(ctx context.Context, c *client, s streams, body map[string]any) error {
	var d ops.DryRun
	if err := c.do(ctx, http.MethodPost, api("plans", k.Name, "dry-run"), body, &d); err != nil {
		return err
	}
	err := c.show(s, d, func(w io.Writer) {
		fmt.Fprintf(w, "%s would touch %d stores, %d devices (%s)%s\n", d.Plan, d.Stores, d.Devices, d.Scope, dryNotes(d))
		for i, step := range d.Steps {
			fmt.Fprintf(w, "  %d %s\n", i+1, step)
		}
		for _, p := range d.Problems {
			fmt.Fprintf(w, "  problem: %s\n", p)
		}
	})
	if err == nil && !d.OK {
		return exit(exitFailed, nil)
	}
	return err
}

func dryNotes(d ops.DryRun) string {
	var text string
	if !d.Reversible {
		text += "; it cannot be undone"
	}
	if d.SecondPerson {
		text += "; a second person must confirm it"
	}
	return text
}

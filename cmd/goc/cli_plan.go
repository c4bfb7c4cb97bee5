package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"goc/ops"
)

type planCmd struct {
	List planListCmd `cmd:"" help:"List the plans."`
	Run  planRunCmd  `cmd:"" help:"Run one and follow it."`
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
	Confirm  bool              `help:"You mean it: without this the run waits for a confirmation." short:"y"`
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
	for told := 0; ; {
		told = tellSteps(s.err, run, told)
		if run.State.Done() || run.State == ops.RunWaiting {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
		if err := c.do(ctx, http.MethodGet, api("runs", run.ID), nil, &run); err != nil {
			return err
		}
	}
	if err := c.show(s, run, func(w io.Writer) { fmt.Fprintf(w, "%s  %s  %s\n", run.ID, run.State, run.Message) }); err != nil {
		return err
	}
	if run.State != ops.RunSucceeded && run.State != ops.RunWaiting {
		return exit(exitFailed, nil)
	}
	return nil
}

// tellSteps says which steps have ended since the last call.
func tellSteps(w io.Writer, run ops.Run, told int) int {
	for ; told < len(run.Steps) && !run.Steps[told].FinishedAt.IsZero(); told++ {
		st := run.Steps[told]
		fmt.Fprintf(w, "  %s %s: %s %s\n", st.Kind, st.Name, st.State, st.Message)
	}
	return told
}

func (k *planRunCmd) dry(ctx context.Context, c *client, s streams, body map[string]any) error {
	var d ops.DryRun
	if err := c.do(ctx, http.MethodPost, api("plans", k.Name, "dry-run"), body, &d); err != nil {
		return err
	}
	err := c.show(s, d, func(w io.Writer) {
		fmt.Fprintf(w, "%s would touch %d stores, %d devices (%s)\n", d.Plan, d.Stores, d.Devices, d.Scope)
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

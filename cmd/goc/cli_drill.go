package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"goc/ops"
)

type drillCmd struct {
	List   drillListCmd   `cmd:"" help:"List the drills and their last scores."`
	Run    drillRunCmd    `cmd:"" help:"Start a drill."`
	Abort  drillAbortCmd  `cmd:"" help:"Stop a drill; what it broke is reverted."`
	Report drillReportCmd `cmd:"" help:"Show a drill's score."`
}

type drillListCmd struct{}

// Run lists drills and runs.
func (k *drillListCmd) Run(ctx context.Context, c *client, s streams) error {
	var drills ops.List[ops.Drill]
	if err := c.do(ctx, http.MethodGet, "/api/v1/drills", nil, &drills); err != nil {
		return err
	}
	var runs ops.List[ops.DrillRun]
	if err := c.do(ctx, http.MethodGet, "/api/v1/drills/runs", nil, &runs); err != nil {
		return err
	}
	return c.show(s, map[string]any{"drills": drills.Items, "runs": runs.Items}, func(w io.Writer) {
		table(w, "DRILL\tSCOPE\tSCHEDULE\tTITLE", len(drills.Items), func(i int) string {
			d := drills.Items[i]
			return fmt.Sprintf("%s\t%s\t%s\t%s", d.Name, d.Scope, d.Schedule, d.Title)
		})
		fmt.Fprintln(w)
		table(w, "RUN\tDRILL\tSTATE\tSCORE\tWHEN", len(runs.Items), func(i int) string {
			r := runs.Items[i]
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", r.ID, r.Drill, r.State, score(r), clock(r.CreatedAt))
		})
	})
}

func score(r ops.DrillRun) string {
	if r.Score == nil {
		return "-"
	}
	return fmt.Sprint(*r.Score)
}

type drillRunCmd struct {
	Name string `arg:"" help:"The drill."`
}

// Run starts a drill.
func (k *drillRunCmd) Run(ctx context.Context, c *client, s streams) error {
	var r ops.DrillRun
	if err := c.do(ctx, http.MethodPost, api("drills", k.Name, "runs"), map[string]any{}, &r); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "goc drill report %s follows it; goc drill abort %[1]s stops it\n", r.ID)
	return showDrill(c, s, r)
}

type drillAbortCmd struct {
	ID string `arg:"" help:"The run." placeholder:"DRL-N"`
}

// Run aborts a drill.
func (k *drillAbortCmd) Run(ctx context.Context, c *client, s streams) error {
	var r ops.DrillRun
	if err := c.do(ctx, http.MethodPost, api("drills", "runs", k.ID, "abort"), map[string]any{}, &r); err != nil {
		return err
	}
	return showDrill(c, s, r)
}

type drillReportCmd struct {
	ID string `arg:"" help:"The run." placeholder:"DRL-N"`
}

// Run shows a drill's score.
func (k *drillReportCmd) Run(ctx context.Context, c *client, s streams) error {
	var r ops.DrillRun
	if err := c.do(ctx, http.MethodGet, api("drills", "runs", k.ID), nil, &r); err != nil {
		return err
	}
	return showDrill(c, s, r)
}

func showDrill(c *client, s streams, r ops.DrillRun) error {
	return c.show(s, r, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %s  %s  score %s  %s\n", r.ID, r.Drill, r.State, score(r), r.Message)
		for _, l := range r.Legs {
			took := "not reached"
			if l.Seconds != nil {
				took = ops.Since(seconds(*l.Seconds))
			}
			fmt.Fprintf(w, "  %-8s %s of %s  %s\n", l.Name, took, ops.Since(seconds(l.TargetS)), l.Text)
		}
	})
}

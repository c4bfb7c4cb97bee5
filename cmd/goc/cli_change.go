package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"goc/ops"
)

type changeCmd struct {
	Start    changeStartCmd    `cmd:"" help:"Record a change and start it (or start one on record)."`
	Stage    changeStageCmd    `cmd:"" help:"Say that a stage has started or finished."`
	Finish   changeFinishCmd   `cmd:"" help:"Say that a change is out."`
	Rollback changeRollbackCmd `cmd:"" help:"Say that a change was undone."`
	List     changeListCmd     `cmd:"" help:"List changes, newest first."`
	Show     changeShowCmd     `cmd:"" help:"Show one change."`
}

type changeStartCmd struct {
	changeFlags
	Plan bool `help:"Only record it; it starts later."`
}

// Run records a change and starts it.
func (k *changeStartCmd) Run(ctx context.Context, c *client, s streams) error {
	var ch ops.Change
	ch.ID = k.Change
	if k.Change == "" {
		body, err := k.body()
		if err != nil {
			return err
		}
		if err := c.do(ctx, http.MethodPost, "/api/v1/changes", body, &ch); err != nil {
			return err
		}
	}
	if k.Plan {
		return showChange(c, s, ch)
	}
	return moveChange(ctx, c, s, ch.ID, map[string]any{"event": "start"})
}

type changeStageCmd struct {
	ID     string   `arg:"" help:"The change." placeholder:"CHG-N"`
	Stage  int      `help:"Which stage, from 1." required:""`
	State  string   `help:"started or finished." enum:"started,finished" default:"started"`
	Units  []string `help:"The units that it reached."`
	Stores []string `help:"The stores that it reached."`
	Note   string   `help:"A note for the record."`
}

// Run moves a stage on.
func (k *changeStageCmd) Run(ctx context.Context, c *client, s streams) error {
	return moveChange(ctx, c, s, k.ID, map[string]any{"event": "stage_" + k.State, "stage": k.Stage, "units": k.Units, "stores": k.Stores, "note": k.Note})
}

type changeFinishCmd struct {
	ID   string `arg:"" help:"The change." placeholder:"CHG-N"`
	Note string `help:"A note for the record."`
}

// Run ends a change well.
func (k *changeFinishCmd) Run(ctx context.Context, c *client, s streams) error {
	return moveChange(ctx, c, s, k.ID, map[string]any{"event": "finish", "note": k.Note})
}

type changeRollbackCmd struct {
	ID   string `arg:"" help:"The change." placeholder:"CHG-N"`
	Note string `help:"Why."`
}

// Run says that a change was undone.
func (k *changeRollbackCmd) Run(ctx context.Context, c *client, s streams) error {
	return moveChange(ctx, c, s, k.ID, map[string]any{"event": "rollback", "note": k.Note})
}

func moveChange(ctx context.Context, c *client, s streams, id string, event map[string]any) error {
	for k, v := range event { // what was not given is left out
		if v == "" {
			delete(event, k)
		} else if l, ok := v.([]string); ok && len(l) == 0 {
			delete(event, k)
		}
	}
	var ch ops.Change
	if err := c.do(ctx, http.MethodPost, api("changes", id, "events"), event, &ch); err != nil {
		return err
	}
	return showChange(c, s, ch)
}

type changeListCmd struct {
	Service string `help:"Only this service's."`
	Store   string `help:"Only those that reach this store."`
	Status  string `help:"planned, started, paused, finished, rolled_back, aborted."`
	Since   string `help:"Only those since then: RFC 3339, or a duration such as 2h."`
	Limit   int    `help:"At most so many." default:"50"`
}

// Run lists changes.
func (k *changeListCmd) Run(ctx context.Context, c *client, s streams) error {
	q := url.Values{"limit": {fmt.Sprint(k.Limit)}}
	for name, v := range map[string]string{"service": k.Service, "store": k.Store, "status": k.Status, "since": ago(k.Since, time.Now())} {
		if v != "" {
			q.Set(name, v)
		}
	}
	var l ops.List[ops.Change]
	if err := c.do(ctx, http.MethodGet, "/api/v1/changes?"+q.Encode(), nil, &l); err != nil {
		return err
	}
	return c.show(s, l, func(w io.Writer) {
		table(w, "ID\tSTATUS\tKIND\tWHAT\tSERVICE\tSTAGES\tSINCE", len(l.Items), func(i int) string {
			ch := l.Items[i]
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", ch.ID, ch.Status, ch.Kind, ch.Title, ch.Service, stagesDone(ch), clock(ch.CreatedAt))
		})
	})
}

// stagesDone says how far a staged change is: 2/3.
func stagesDone(ch ops.Change) string {
	done := 0
	for _, st := range ch.Stages {
		if !st.FinishedAt.IsZero() {
			done++
		}
	}
	return fmt.Sprintf("%d/%d", done, len(ch.Stages))
}

type changeShowCmd struct {
	ID string `arg:"" help:"The change." placeholder:"CHG-N"`
}

// Run shows one change.
func (k *changeShowCmd) Run(ctx context.Context, c *client, s streams) error {
	var ch ops.Change
	if err := c.do(ctx, http.MethodGet, api("changes", k.ID), nil, &ch); err != nil {
		return err
	}
	return showChange(c, s, ch)
}

func showChange(c *client, s streams, ch ops.Change) error {
	return c.show(s, ch, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %s  %s  %s\n", ch.ID, ch.Status, ch.Kind, ch.Title)
		fmt.Fprintf(w, "  touches %s\n", ch.Touched())
		for i, st := range ch.Stages {
			fmt.Fprintf(w, "  stage %d %s: %s %s\n", i+1, st.Name, st.Scope, st.Verdict)
			for _, r := range st.Reasons {
				fmt.Fprintf(w, "    %s: %s\n", r.Rule, r.Message)
			}
		}
	})
}

// table writes rows in columns.
func table(w io.Writer, head string, n int, row func(i int) string) {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, head)
	for i := range n {
		fmt.Fprintln(tw, row(i))
	}
	tw.Flush()
}

// clock writes a time for a terminal, in its own zone.
func clock(t ops.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("01-02 15:04:05")
}

// ago turns a duration into the time so long before now; anything else is left as it is.
func ago(s string, now time.Time) string {
	if d, err := ops.ParseDuration(s); err == nil && d > 0 {
		return ops.At(now.Add(-d)).String()
	}
	return s
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"goc/ops"
)

type changeCmd struct {
	Start    changeStartCmd    `cmd:"" help:"Record a change and start it (or start one on record)."`
	Stage    changeStageCmd    `cmd:"" help:"Say that a stage has started or finished."`
	Finish   changeFinishCmd   `cmd:"" help:"Say that a change is out."`
	Rollback changeRollbackCmd `cmd:"" help:"Say that a change was undone."`
	Pause    changePauseCmd    `cmd:"" help:"Say that a change is held where it is."`
	Resume   changeResumeCmd   `cmd:"" help:"Say that it goes on."`
	Abort    changeAbortCmd    `cmd:"" help:"Say that a change was given up without being undone."`
	Review   changeReviewCmd   `cmd:"" help:"Give evidence of reviews."`
	List     changeListCmd     `cmd:"" help:"List changes, newest first."`
	Show     changeShowCmd     `cmd:"" help:"Show one change."`
	Matrix   changeMatrixCmd   `cmd:"" help:"Show where each store stands in a change's rollout."`
}

type changeStartCmd struct {
	changeFlags
	Plan  bool         `help:"Only record it; it starts later."`
	Rings []string     `help:"Shares of the stores that it goes to, ring by ring, each with the ones before: 5%,25%,100%. Which stores is settled when it is recorded." placeholder:"SHARE"`
	Bake  ops.Duration `help:"How long each ring is watched before the next." default:"0s"`
}

// Run records a change and starts it, or starts one on record; with --stage it is that stage that starts.
func (k *changeStartCmd) Run(ctx context.Context, c *client, s streams) error {
	if k.Change != "" {
		if k.Plan || len(k.Rings) > 0 || k.Bake != 0 {
			return exit(exitUsage, fmt.Errorf("--plan, --rings and --bake are of a change that is to be recorded; %s is", k.Change))
		}
		return moveChange(ctx, c, s, k.Change, k.event())
	}
	body, err := k.body(c)
	if err != nil {
		return err
	}
	if err := k.rings(body); err != nil {
		return exit(exitUsage, err)
	}
	var ch ops.Change
	if err := c.do(ctx, http.MethodPost, "/api/v1/changes", body, &ch); err != nil {
		return err
	}
	if k.Plan {
		return showChange(c, s, ch)
	}
	if err := moveChange(ctx, c, s, ch.ID, k.event()); err != nil {
		return exit(codeOf(err), fmt.Errorf("%w\n  %s is on record, but not started: goc change start --change %[2]s", err, ch.ID))
	}
	return nil
}

// rings adds the stages that --rings asks for.
func (k *changeStartCmd) rings(body map[string]any) error {
	named, _ := body["stages"].([]any)
	switch {
	case len(named) > 0 && len(k.Rings) > 0:
		return errors.New("--rings: the file names the stages already")
	case len(named) > 0 && k.Bake > 0:
		return errors.New("--bake: the file names the stages, each with its bake")
	case len(k.Rings) == 0 && k.Bake > 0:
		body["bake"] = k.Bake
	}
	if len(k.Rings) == 0 {
		return nil
	}
	var stages []map[string]any
	for i, text := range k.Rings {
		n, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
		if !strings.HasSuffix(text, "%") || err != nil || !(n > 0 && n <= 100) {
			return fmt.Errorf("--rings: a ring is a share such as 25%%, more than 0 and at most 100%%")
		}
		stages = append(stages, map[string]any{"name": fmt.Sprintf("ring %d", i+1), "share": n / 100, "bake": k.Bake, "scope": ops.Scope{}})
	}
	body["stages"] = stages
	return nil
}

func (k *changeStartCmd) event() map[string]any {
	if k.Stage > 0 {
		return map[string]any{"event": "stage_started", "stage": k.Stage}
	}
	return map[string]any{"event": "start"}
}

// onRecord names a change on record, as an argument or by --change.
type onRecord struct {
	ID     string `arg:"" optional:"" help:"The change." placeholder:"CHG-N"`
	Change string `help:"The change, in place of the argument." placeholder:"CHG-N"`
}

func (o onRecord) id() (string, error) {
	switch {
	case o.ID != "":
		return o.ID, nil
	case o.Change != "":
		return o.Change, nil
	}
	return "", exit(exitUsage, errors.New("say which change: CHG-N, or --change CHG-N"))
}

type changeStageCmd struct {
	onRecord
	Stage    int      `help:"Which stage, from 1." required:"" placeholder:"N"`
	State    string   `help:"started or finished." enum:"started,finished" default:"started"`
	Units    []string `help:"The units that it reached." placeholder:"ID"`
	Replaces []string `help:"The units that those stand in for." placeholder:"ID"`
	Store    []string `help:"The stores that it reached." aliases:"stores" placeholder:"ID"`
	Note     string   `help:"A note for the record." placeholder:"TEXT"`
}

// Run moves a stage on.
func (k *changeStageCmd) Run(ctx context.Context, c *client, s streams) error {
	return k.move(ctx, c, s, map[string]any{
		"event": "stage_" + k.State, "stage": k.Stage, "units": k.Units, "replaces": k.Replaces, "stores": k.Store, "note": k.Note,
	})
}

func (o onRecord) move(ctx context.Context, c *client, s streams, event map[string]any) error {
	id, err := o.id()
	if err != nil {
		return err
	}
	return moveChange(ctx, c, s, id, event)
}

// ended is a change on record and a note, as most events take them.
type ended struct {
	onRecord
	Note string `help:"A note for the record." placeholder:"TEXT"`
}

func (e ended) event(ctx context.Context, c *client, s streams, name string) error {
	return e.move(ctx, c, s, map[string]any{"event": name, "note": e.Note})
}

type changeFinishCmd struct {
	ended
	Stage int `help:"Only this stage is finished." placeholder:"N"`
}

// Run ends a change well, or one stage of it.
func (k *changeFinishCmd) Run(ctx context.Context, c *client, s streams) error {
	if k.Stage > 0 {
		return k.move(ctx, c, s, map[string]any{"event": "stage_finished", "stage": k.Stage, "note": k.Note})
	}
	return k.event(ctx, c, s, "finish")
}

type changeRollbackCmd struct {
	ended
	Stage int `help:"Only this ring was undone." placeholder:"N"`
}

type (
	changePauseCmd  struct{ ended }
	changeResumeCmd struct{ ended }
	changeAbortCmd  struct{ ended }
)

// Run says that a change was undone.
func (k *changeRollbackCmd) Run(ctx context.Context, c *client, s streams) error {
	if k.Stage > 0 {
		return k.move(ctx, c, s, map[string]any{"event": "rollback", "stage": k.Stage, "note": k.Note})
	}
	return k.event(ctx, c, s, "rollback")
}

// Run pauses.
func (k *changePauseCmd) Run(ctx context.Context, c *client, s streams) error {
	return k.event(ctx, c, s, "pause")
}

// Run resumes.
func (k *changeResumeCmd) Run(ctx context.Context, c *client, s streams) error {
	return k.event(ctx, c, s, "resume")
}

// Run aborts.
func (k *changeAbortCmd) Run(ctx context.Context, c *client, s streams) error {
	return k.event(ctx, c, s, "abort")
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
	Service    string `help:"Only this service's."`
	Store      string `help:"Only those that reach this store."`
	Status     string `help:"planned, started, paused, finished, rolled_back, aborted."`
	Since      string `help:"Only those since then: RFC 3339, or a duration such as 2h."`
	Unapproved bool   `help:"Only those that went out although the gate said no, or without asking."`
	Limit      int    `help:"At most so many." default:"50"`
}

// Run lists changes.
func (k *changeListCmd) Run(ctx context.Context, c *client, s streams) error {
	q := url.Values{"limit": {fmt.Sprint(k.Limit)}}
	for name, v := range map[string]string{"service": k.Service, "store": k.Store, "status": k.Status, "since": when(k.Since, time.Now())} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if k.Unapproved {
		q.Set("unapproved", "true")
	}
	var l ops.List[ops.Change]
	if err := c.do(ctx, http.MethodGet, "/api/v1/changes?"+q.Encode(), nil, &l); err != nil {
		return err
	}
	return c.show(s, l, func(w io.Writer) {
		table(w, "ID\tSTATUS\tKIND\tWHAT\tSERVICE\tSTAGES\tSINCE\tGATE", len(l.Items), func(i int) string {
			ch := l.Items[i]
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", ch.ID, ch.Status, ch.Kind, ch.Title, ch.Service, stagesDone(ch), clock(ch.CreatedAt), throughGate(ch))
		})
	})
}

// throughGate says of a change that went out past the gate how it did.
func throughGate(ch ops.Change) string {
	switch {
	case ch.Unapproved:
		return strings.TrimSuffix("unapproved: "+ch.UnapprovedBecause, ": ")
	case ch.Overridden:
		return "overridden"
	}
	return ""
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

type changeShowCmd struct{ onRecord }

// Run shows one change.
func (k *changeShowCmd) Run(ctx context.Context, c *client, s streams) error {
	id, err := k.id()
	if err != nil {
		return err
	}
	var ch ops.Change
	if err := c.do(ctx, http.MethodGet, api("changes", id), nil, &ch); err != nil {
		return err
	}
	return showChange(c, s, ch)
}

func showChange(c *client, s streams, ch ops.Change) error {
	return c.show(s, ch, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %s  %s  %s\n", ch.ID, ch.Status, ch.Kind, oneLine(ch.Title))
		fmt.Fprintf(w, "  touches %s\n", oneLine(ch.Touched().String()))
		if ch.PausedFor != "" {
			fmt.Fprintf(w, "  paused: %s\n", oneLine(ch.PausedFor))
		}
		for _, flag := range []struct {
			set  bool
			text string
		}{
			{ch.Overridden, "it went out by breaking the glass"},
			{ch.Unapproved, strings.TrimSuffix("it went out without the gate's yes: "+ch.UnapprovedBecause, ": ")},
			{ch.Drill != "", "it is part of the drill " + ch.Drill},
		} {
			if flag.set {
				fmt.Fprintf(w, "  %s\n", oneLine(flag.text))
			}
		}
		showReasons(w, "  ", ch.Reasons)
		for i, st := range ch.Stages {
			fmt.Fprintf(w, "  stage %d %s: %s, %s\n", i+1, oneLine(st.Name), oneLine(st.Scope.String()), stageState(st))
			showReasons(w, "    ", st.Reasons)
		}
	})
}

func showReasons(w io.Writer, indent string, reasons []ops.Reason) {
	for _, r := range reasons {
		fmt.Fprintf(w, "%s%s: %s\n", indent, r.Rule, oneLine(r.Message))
	}
}

// stageState says where a stage stands in a word or two.
func stageState(st ops.Stage) string {
	switch {
	case st.StartedAt.IsZero():
		return "not started"
	case !st.RolledBackAt.IsZero():
		return "rolled back " + clock(st.RolledBackAt)
	case st.FinishedAt.IsZero():
		return "started " + clock(st.StartedAt)
	case st.Verdict == "":
		return "finished " + clock(st.FinishedAt)
	}
	return strings.ReplaceAll(string(st.Verdict), "_", " ")
}

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

type incidentTaskCmd struct {
	Add  taskAddCmd  `cmd:"" help:"Note what somebody is to do."`
	Done taskDoneCmd `cmd:"" help:"Tick a task off, or change who does it by when."`
	List taskListCmd `cmd:"" help:"List an incident's tasks."`
}

type taskAddCmd struct {
	ID         string `arg:"" help:"The incident." placeholder:"INC-N"`
	Title      string `arg:"" help:"What is to be done."`
	Owner      string `help:"Who does it." placeholder:"NAME"`
	Due        string `help:"By when: RFC 3339, or a duration from now such as +2h. The owner is reminded." placeholder:"TIME"`
	ActionItem bool   `help:"It is to be done after the incident, so that it does not come back."`
}

// Run adds a task.
func (k *taskAddCmd) Run(ctx context.Context, c *client, s streams) error {
	body := map[string]any{"title": k.Title}
	for name, v := range map[string]string{"owner": k.Owner, "due_at": when(k.Due, time.Now())} {
		if v != "" {
			body[name] = v
		}
	}
	if k.ActionItem {
		body["kind"] = ops.TaskAction
	}
	var in ops.Incident
	if err := c.do(ctx, http.MethodPost, api("incidents", k.ID, "tasks"), body, &in); err != nil {
		return err
	}
	return showTasks(c, s, in, func(t ops.Task) bool { return t == in.Tasks[len(in.Tasks)-1] })
}

type taskDoneCmd struct {
	ID    string  `arg:"" help:"The incident." placeholder:"INC-N"`
	Task  int     `arg:"" help:"The task's number." placeholder:"N"`
	Undo  bool    `help:"It is not done after all." xor:"undo"`
	Keep  bool    `help:"It is not done; only change what the other flags say." xor:"undo"`
	Owner *string `help:"Give it to somebody; empty: to nobody." placeholder:"NAME"`
	Due   *string `help:"Move it: RFC 3339, or a duration from now such as +2d; empty takes the date away." placeholder:"TIME"`
	Title *string `help:"Rename it." placeholder:"TEXT"`
}

// Run changes a task.
func (k *taskDoneCmd) Run(ctx context.Context, c *client, s streams) error {
	body := map[string]any{}
	if !k.Keep {
		body["done"] = !k.Undo
	}
	if k.Owner != nil {
		body["owner"] = *k.Owner
	}
	if k.Title != nil {
		body["title"] = *k.Title
	}
	if k.Due != nil {
		body["due_at"] = nil
		if *k.Due != "" {
			body["due_at"] = when(*k.Due, time.Now())
		}
	}
	var in ops.Incident
	if err := c.do(ctx, http.MethodPost, api("incidents", k.ID, "tasks", strconv.Itoa(k.Task)), body, &in); err != nil {
		return err
	}
	return showTasks(c, s, in, func(t ops.Task) bool { return t.ID == k.Task })
}

type taskListCmd struct {
	ID string `arg:"" help:"The incident." placeholder:"INC-N"`
}

// Run lists tasks.
func (k *taskListCmd) Run(ctx context.Context, c *client, s streams) error {
	var in ops.Incident
	if err := c.do(ctx, http.MethodGet, api("incidents", k.ID), nil, &in); err != nil {
		return err
	}
	if in.Tasks == nil {
		in.Tasks = []ops.Task{}
	}
	return c.show(s, in.Tasks, func(w io.Writer) { tasks(w, in.Tasks) })
}

// showTasks answers the incident as it now is; people see the tasks that are picked.
func showTasks(c *client, s streams, in ops.Incident, pick func(ops.Task) bool) error {
	return c.show(s, in, func(w io.Writer) {
		var picked []ops.Task
		for _, t := range in.Tasks {
			if pick(t) {
				picked = append(picked, t)
			}
		}
		tasks(w, picked)
	})
}

func tasks(w io.Writer, all []ops.Task) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no task")
		return
	}
	table(w, "N\tKIND\tDONE\tOWNER\tDUE\tTITLE", len(all), func(i int) string {
		t := all[i]
		return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s", t.ID, t.Kind, doneBy(t), orDash(t.Owner), date(t.DueAt), t.Title)
	})
}

func doneBy(t ops.Task) string {
	if t.DoneAt.IsZero() {
		return "-"
	}
	return t.DoneBy
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

type incidentUpdateCmd struct {
	ID    string `arg:"" help:"The incident." placeholder:"INC-N"`
	Text  string `arg:"" optional:"" help:"What stakeholders are told."`
	Draft bool   `help:"Write, from facts alone, what stakeholders could be told."`
	Post  bool   `help:"With --draft: tell it as it is written."`
	Lang  string `help:"The language of the draft." enum:"en,zh" default:"en"`
}

// Run drafts an update, or notes that one was told.
func (k *incidentUpdateCmd) Run(ctx context.Context, c *client, s streams) error {
	switch {
	case k.Text != "" && k.Draft:
		return exit(exitUsage, errors.New("say a text or --draft, not both"))
	case k.Post && !k.Draft:
		return exit(exitUsage, errors.New("--post goes with --draft; a text is told without it"))
	case k.Text == "" && !k.Draft:
		return exit(exitUsage, errors.New("say what stakeholders are told, or --draft to have it written"))
	}
	if k.Draft {
		var d struct {
			Text  string   `json:"text"`
			DueAt ops.Time `json:"due_at"`
		}
		if err := c.do(ctx, http.MethodGet, api("incidents", k.ID, "update-draft")+"?lang="+k.Lang, nil, &d); err != nil {
			return err
		}
		if !k.Post {
			return c.show(s, d, func(w io.Writer) { fmt.Fprintln(w, printable(d.Text)) })
		}
		k.Text = d.Text
	}
	var in ops.Incident
	if err := c.do(ctx, http.MethodPost, api("incidents", k.ID, "updates"), map[string]any{"text": k.Text}, &in); err != nil {
		return err
	}
	return c.show(s, in, func(w io.Writer) {
		fmt.Fprintf(w, "%s  update %d told", in.ID, len(in.Updates))
		if !in.UpdateDueAt.IsZero() {
			fmt.Fprintf(w, ", the next is due by %s", date(in.UpdateDueAt))
		}
		fmt.Fprintln(w)
	})
}

// printable keeps a text that others wrote, of several lines, from doing anything to the terminal.
func printable(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = oneLine(lines[i])
	}
	return strings.Join(lines, "\n")
}

type incidentLinkCmd struct {
	ID     string `arg:"" help:"The incident." placeholder:"INC-N"`
	URL    string `arg:"" optional:"" help:"http or https; only the link is kept."`
	Title  string `help:"What it is." placeholder:"TEXT"`
	Remove int    `help:"Take the link of this number away." placeholder:"N"`
}

// Run attaches a link, takes one away, or lists them.
func (k *incidentLinkCmd) Run(ctx context.Context, c *client, s streams) error {
	method, path, body := http.MethodGet, api("incidents", k.ID), any(nil)
	switch {
	case k.Remove > 0 && k.URL != "":
		return exit(exitUsage, errors.New("say a URL or --remove, not both"))
	case k.Remove > 0:
		method, path = http.MethodDelete, api("incidents", k.ID, "attachments", strconv.Itoa(k.Remove))
	case k.URL != "":
		method, path, body = http.MethodPost, api("incidents", k.ID, "attachments"), map[string]any{"url": k.URL, "title": k.Title}
	}
	var in ops.Incident
	if err := c.do(ctx, method, path, body, &in); err != nil {
		return err
	}
	return c.show(s, in, func(w io.Writer) {
		if len(in.Attachments) == 0 {
			fmt.Fprintln(w, "no link")
			return
		}
		table(w, "N\tBY\tTITLE\tURL", len(in.Attachments), func(i int) string {
			l := in.Attachments[i]
			return fmt.Sprintf("%d\t%s\t%s\t%s", l.ID, l.AddedBy, l.Title, l.URL)
		})
	})
}

type incidentCauseCmd struct {
	ID     string `arg:"" help:"The incident." placeholder:"INC-N"`
	Text   string `arg:"" help:"What it was, in words."`
	Change string `help:"The change that did it, which confirms it; none: no change on record did." placeholder:"CHG-N"`
}

// Run names the cause.
func (k *incidentCauseCmd) Run(ctx context.Context, c *client, s streams) error {
	body := map[string]any{"text": k.Text}
	if k.Change != "" {
		body["change_id"] = k.Change
	}
	var in ops.Incident
	if err := c.do(ctx, http.MethodPost, api("incidents", k.ID, "cause"), body, &in); err != nil {
		return err
	}
	return c.show(s, in, func(w io.Writer) {
		fmt.Fprintf(w, "%s  cause: %s", in.ID, oneLine(in.Cause.Text))
		if in.Cause.ChangeID != "" {
			fmt.Fprintf(w, " (%s)", in.Cause.ChangeID)
		}
		fmt.Fprintf(w, "\n  locate   %s\n", leg(in.Clock.Locate))
	})
}

type incidentActionsCmd struct {
	Owner   string `help:"Only those of one person." placeholder:"NAME"`
	Overdue bool   `help:"Only those that are overdue." xor:"state"`
	Done    bool   `help:"Those that are done." xor:"state"`
	All     bool   `help:"Those that are done, too." xor:"state"`
	Limit   int    `help:"At most so many." default:"100"`
}

// Run lists the action items of all incidents.
func (k *incidentActionsCmd) Run(ctx context.Context, c *client, s streams) error {
	q := url.Values{"state": {"open"}, "limit": {strconv.Itoa(k.Limit)}}
	for state, on := range map[string]bool{"overdue": k.Overdue, "done": k.Done, "all": k.All} {
		if on {
			q.Set("state", state)
		}
	}
	if k.Owner != "" {
		q.Set("owner", k.Owner)
	}
	var l ops.List[ops.ActionItem]
	if err := c.do(ctx, http.MethodGet, "/api/v1/action-items?"+q.Encode(), nil, &l); err != nil {
		return err
	}
	return c.show(s, l, func(w io.Writer) {
		if len(l.Items) == 0 {
			fmt.Fprintln(w, "no action item")
			return
		}
		table(w, "INCIDENT\tN\tOWNER\tDUE\tDONE\tTITLE", len(l.Items), func(i int) string {
			a := l.Items[i]
			due := date(a.DueAt)
			if a.Overdue {
				due += " (overdue)"
			}
			return fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t%s", a.Incident, a.ID, orDash(a.Owner), due, doneBy(a.Task), a.Task.Title)
		})
	})
}

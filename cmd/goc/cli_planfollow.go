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

// ofRun names a run of a plan.
type ofRun struct {
	ID string `arg:"" help:"The run." placeholder:"RUN-N"`
}

// act posts one of people's actions on a run.
func (o ofRun) act(ctx context.Context, c *client, action string) (run ops.Run, err error) {
	err = c.do(ctx, http.MethodPost, api("runs", o.ID, action), map[string]any{}, &run)
	return run, err
}

type (
	planFollowCmd  struct{ ofRun }
	planConfirmCmd struct{ ofRun }
	planAbortCmd   struct{ ofRun }
	planUndoCmd    struct{ ofRun }
)

// Run follows a run that somebody else started, or that went on without us.
func (k *planFollowCmd) Run(ctx context.Context, c *client, s streams) error {
	var run ops.Run
	if err := c.do(ctx, http.MethodGet, api("runs", k.ID), nil, &run); err != nil {
		return err
	}
	return follow(ctx, c, s, run)
}

// Run confirms.
func (k *planConfirmCmd) Run(ctx context.Context, c *client, s streams) error {
	run, err := k.act(ctx, c, "confirm")
	if err != nil {
		return err
	}
	return follow(ctx, c, s, run)
}

// Run undoes.
func (k *planUndoCmd) Run(ctx context.Context, c *client, s streams) error {
	run, err := k.act(ctx, c, "undo")
	if err != nil {
		return err
	}
	return follow(ctx, c, s, run)
}

// Run aborts; a step that is under way is left to end.
func (k *planAbortCmd) Run(ctx context.Context, c *client, s streams) error {
	run, err := k.act(ctx, c, "abort")
	if err != nil {
		return err
	}
	return c.show(s, run, func(w io.Writer) { tellRun(w, run) })
}

// outage is how long following a run bears a server that does not answer: a restart.
const outage = 30 * time.Second

// follow tells a run's progress on stderr until it has ended, and answers with how it ended. The run itself lives on
// the server: whatever ends the following does not end the run.
func follow(ctx context.Context, c *client, s streams, run ops.Run) error {
	p := progress{w: s.err}
	for lastSeen := time.Now(); !run.State.Done(); {
		p.tell(run)
		if !pause(ctx, 300*time.Millisecond) {
			return leftAlone(c, s, run, exitFailed, errInterrupted)
		}
		err := c.do(ctx, http.MethodGet, api("runs", run.ID), nil, &run)
		switch {
		case err == nil:
			lastSeen = time.Now()
		case errors.Is(err, errInterrupted):
			return leftAlone(c, s, run, exitFailed, errInterrupted)
		case unavailable(err) && time.Since(lastSeen) < outage:
			p.say(fmt.Sprintf("the server does not answer; it is asked for %s more", ops.Since(outage-time.Since(lastSeen))), "unanswered")
		case unavailable(err):
			return leftAlone(c, s, run, exitUnavailable, err)
		default:
			return err
		}
	}
	p.tell(run)
	if err := c.show(s, run, func(w io.Writer) { tellRun(w, run) }); err != nil {
		return err
	}
	if run.State != ops.RunSucceeded && run.State != ops.RunUndone {
		return exit(exitFailed, nil)
	}
	return nil
}

// leftAlone ends the following of a run that goes on.
func leftAlone(c *client, s streams, run ops.Run, code int, cause error) error {
	if err := c.show(s, run, func(io.Writer) {}); err != nil {
		return err
	}
	return exit(code, fmt.Errorf("%w\n  %s is %s and goes on without you: goc plan follow %[2]s, goc plan abort %[2]s", cause, run.ID, run.State))
}

func tellRun(w io.Writer, run ops.Run) {
	fmt.Fprintf(w, "%s  %s  %s\n", run.ID, run.State, run.Message)
	if run.State == ops.RunIndeterminate {
		fmt.Fprintf(w, "  a step's outcome is not known: look, then goc plan undo %s or set it right by hand\n", run.ID)
	}
}

// progress tells what is new about a run.
type progress struct {
	w     io.Writer
	state map[string]string // of each step, as last told
	said  string
}

// say tells a line unless the one before was of the same sort.
func (p *progress) say(line, sort string) {
	if sort != p.said {
		p.said = sort
		fmt.Fprintln(p.w, line)
	}
}

func (p *progress) tell(run ops.Run) {
	if p.state == nil {
		p.state = map[string]string{}
		fmt.Fprintf(p.w, "%s  %s\n", run.ID, run.Title)
	}
	if run.State == ops.RunWaiting {
		p.say(fmt.Sprintf("  %s: goc plan confirm %s", run.Message, run.ID), "waiting")
	}
	for i, st := range run.Steps {
		place := fmt.Sprint(st.Kind, i)
		if st.State == p.state[place] || st.State == "pending" || st.State == "skipped" {
			continue
		}
		p.state[place], p.said = st.State, place
		fmt.Fprintf(p.w, "  %-12s %s: %s %s\n", st.Kind, st.Name, st.State, st.Message)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"goc/ops"
)

type gateCmd struct {
	Check    gateCheckCmd    `cmd:"" help:"Ask once: exit code 0 allowed, 1 denied or to wait, 4 no answer."`
	Wait     gateWaitCmd     `cmd:"" help:"Ask until it is allowed (0), denied (1) or the time is over (3)."`
	Approve  gateApproveCmd  `cmd:"" help:"Approve a held change, as a second person."`
	Override gateOverrideCmd `cmd:"" help:"Break the glass: let one change pass for a while, whatever holds it. Audited."`

	Verify  gateVerifyCmd  `cmd:"" help:"Check the token of a decision offline: 0 it allows and is valid, 1 it is not, 2 it is no token."`
	Key     gateKeyCmd     `cmd:"" help:"Print the gate's public key, for --gate-key."`
	Review  gateReviewCmd  `cmd:"" help:"Close what an override left to do: say what was found."`
	Hygiene gateHygieneCmd `cmd:"" help:"List what is worth to tidy up: freezes and policies that never hold, and more."`

	Policy      gatePolicyCmd      `cmd:"" help:"Policies in CEL."`
	Maintenance gateMaintenanceCmd `cmd:"" help:"Show, begin or end the gate's own maintenance."`
}

// question is what is asked of the gate, and what to make of it when nobody answers.
type question struct {
	changeFlags
	Rollback      bool   `help:"It undoes the change: never held back, not even by a gate that does not answer."`
	OnUnavailable string `help:"What an unreachable gate means: deny, allow or last-known (the signed decision on the same question, at most five minutes old). Default: deny in production, allow elsewhere." enum:",deny,allow,last-known" default:""`
	GateKey       string `help:"The gate's public key, as goc gate key prints it, or a file with it; without it the key that the server gave first is trusted." placeholder:"KEY"`
	CacheDir      string `help:"Where decisions, the key and what is still to be told are kept. Default: goc in the user's cache folder." placeholder:"DIR"`
	Dotenv        string `help:"Write GOC_DECISION and so on to this file, for GitLab's dotenv reports." placeholder:"FILE"`
}

type gateCheckCmd struct {
	question
	RetryFor ops.Duration `help:"How long to try again before the gate counts as unreachable." default:"5s"`
}

type gateWaitCmd struct {
	question
	Timeout  ops.Duration `help:"How long to wait." default:"30m"`
	RetryFor ops.Duration `help:"How long to try again before the gate counts as unreachable." default:"30s"`
}

// request is the question as the API takes it.
func (q question) request(c *client) (map[string]any, error) {
	if c.about = q.Change; q.Change == "" {
		b, err := q.body(c)
		if err == nil && q.Stage > 0 {
			return nil, exit(exitUsage, errors.New("--stage needs --change CHG-N: the order of stages is known of changes on record only"))
		}
		if err == nil && q.Rollback {
			b["kind"] = "rollback"
		}
		return b, err
	}
	b := map[string]any{"change_id": q.Change}
	if q.Stage > 0 {
		b["stage"] = q.Stage
	}
	if q.Rollback {
		b["rollback"] = true
	}
	return b, nil
}

// Run asks once.
func (g *gateCheckCmd) Run(ctx context.Context, c *client, s streams) error {
	a, err := g.asking(c, s)
	if err != nil {
		return err
	}
	d, err := a.ask(ctx, time.Duration(g.RetryFor))
	if a.unanswered(err) {
		return a.withoutGate(err)
	}
	if err != nil {
		return err
	}
	return a.tell(d, nil)
}

// Run asks until the gate allows or denies, or the time is over.
func (g *gateWaitCmd) Run(ctx context.Context, c *client, s streams) error {
	a, err := g.asking(c, s)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(time.Duration(g.Timeout))
	for said := ""; ; {
		d, err := a.ask(ctx, min(time.Duration(g.RetryFor), time.Until(deadline)))
		if a.unanswered(err) {
			return a.withoutGate(err)
		}
		if err != nil {
			return err
		}
		if d.Decision != ops.EffectWait {
			return a.tell(d, nil)
		}
		if text := reasons(c, d); text != said {
			said = text
			fmt.Fprintf(s.err, "waiting, until %s at most:\n%s", deadline.Format("15:04:05 MST"), text)
		}
		left := time.Until(deadline)
		if left <= 0 || !pause(ctx, min(left, jitter(min(max(time.Duration(d.RetryAfterS)*time.Second, time.Second), 30*time.Second)))) {
			return g.gaveUp(ctx, a, d)
		}
	}
}

// gaveUp ends a wait that led to nothing; the last decision says what it waited for.
func (g *gateWaitCmd) gaveUp(ctx context.Context, a *asking, d ops.Decision) error {
	a.publish(d, nil)
	if err := a.c.show(a.s, d, func(io.Writer) {}); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return exit(exitTimeout, errors.New("interrupted while the gate still said to wait"))
	}
	return exit(exitTimeout, fmt.Errorf("still told to wait after %s (%s)", g.Timeout, d.DecisionID))
}

// asking is one question under way.
type asking struct {
	question
	c      *client
	s      streams
	body   map[string]any
	memory memory
}

func (q question) asking(c *client, s streams) (*asking, error) {
	body, err := q.request(c)
	if err != nil {
		return nil, err
	}
	a := &asking{question: q, c: c, s: s, body: body, memory: memory{server: c.base()}}
	if a.memory.dir, err = cacheDir(q.CacheDir); err != nil {
		fmt.Fprintf(s.err, "nothing can be remembered on this machine: %v\n", err)
	}
	if q.GateKey != "" && !q.Rollback { // a rollback is not held back by a key that cannot be read
		if a.memory.pinned, err = readGateKey(q.GateKey); err != nil {
			return nil, exit(exitUsage, fmt.Errorf("--gate-key: %w", err))
		}
	}
	return a, nil
}

// ask gets a decision. It tries again for a while when the gate cannot be reached.
func (a *asking) ask(ctx context.Context, patience time.Duration) (ops.Decision, error) {
	until, said := time.Now().Add(patience), false
	for {
		d, err := a.once(ctx)
		wait := jitter(2 * time.Second)
		if !unavailable(err) || time.Now().Add(wait).After(until) {
			return d, err
		}
		if !said {
			said = true
			fmt.Fprintf(a.s.err, "the gate does not answer; it is asked again for %s\n", ops.Since(time.Until(until)))
		}
		if !pause(ctx, wait) {
			return d, exit(exitFailed, errInterrupted)
		}
	}
}

// once asks one time; an answer is remembered, and what the gate missed is told.
func (a *asking) once(ctx context.Context) (ops.Decision, error) {
	var d ops.Decision
	limited, cancel := context.WithTimeout(ctx, 10*time.Second) // it answers in milliseconds, or is not well
	defer cancel()
	err := a.c.do(limited, http.MethodPost, "/api/v1/gate/check", a.body, &d)
	if errors.Is(err, errInterrupted) && ctx.Err() == nil {
		err = a.c.unreachable(ctx, context.DeadlineExceeded)
	}
	if err == nil {
		err = a.learn(limited, d)
	}
	if err == nil {
		a.backfill(limited)
	}
	return d, err
}

// unanswered says whether there is no answer, which the caller's settings then stand in for. A rollback goes on whatever
// went wrong, a token that has run out included.
func (a *asking) unanswered(err error) bool {
	return unavailable(err) || a.Rollback && err != nil && !errors.Is(err, errInterrupted)
}

// pause waits; false says that it was interrupted.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.75 + rand.Float64()/2))
}

// tell answers with a decision and its exit code; away says why it is not the gate's own, fresh one.
func (a *asking) tell(d ops.Decision, away *ops.GateAbsence) error {
	a.publish(d, away)
	err := a.c.show(a.s, d, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %s\n%s", d.Decision, d.DecisionID, reasons(a.c, d))
		if d.Decision == ops.EffectWait {
			fmt.Fprintf(w, "  ask again in %d s, or let goc gate wait do it\n", max(d.RetryAfterS, 1))
		}
	})
	if err != nil || d.Decision == ops.EffectAllow {
		return err
	}
	return exit(exitFailed, nil)
}

func reasons(c *client, d ops.Decision) string {
	var text strings.Builder
	for _, r := range d.Reasons {
		fmt.Fprintf(&text, "  %-5s %s: %s", r.Effect, r.Rule, oneLine(r.Message))
		if r.Override != nil && r.Effect != ops.EffectAllow {
			fmt.Fprintf(&text, " (a %s may override)", *r.Override)
		}
		if r.Evidence != "" {
			fmt.Fprintf(&text, "\n        %s", c.link(r.Evidence))
		}
		text.WriteString("\n")
	}
	return text.String()
}

// link is where a person can look at something that the server named by its path.
func (c *client) link(path string) string {
	if strings.HasPrefix(path, "/") {
		return c.base() + path
	}
	return path
}

type gateApproveCmd struct {
	ID      string `arg:"" help:"The change." placeholder:"CHG-N"`
	Stage   []int  `help:"Only these stages; without it, those that it has." placeholder:"N"`
	Version string `help:"The version that you looked at; refused when the change is another." placeholder:"V"`
	Note    string `help:"A note for the audit." placeholder:"TEXT"`
}

// Run approves.
func (g *gateApproveCmd) Run(ctx context.Context, c *client, s streams) error {
	c.about = g.ID
	var a ops.Approval
	if err := c.do(ctx, http.MethodPost, "/api/v1/gate/approvals", ops.Approval{ChangeID: g.ID, Stages: g.Stage, Version: g.Version, Note: g.Note}, &a); err != nil {
		return err
	}
	return c.show(s, a, func(w io.Writer) { fmt.Fprintf(w, "%s approved by %s\n", a.ChangeID, a.Person) })
}

type gateOverrideCmd struct {
	ID       string       `arg:"" help:"The change." placeholder:"CHG-N"`
	Reason   string       `help:"Why; it stays in the audit." required:"" placeholder:"TEXT"`
	Duration ops.Duration `help:"For how long, at most 60m." default:"60m"`
}

// Run breaks the glass.
func (g *gateOverrideCmd) Run(ctx context.Context, c *client, s streams) error {
	c.about = g.ID
	var o ops.Override
	if err := c.do(ctx, http.MethodPost, "/api/v1/gate/overrides", ops.Override{ChangeID: g.ID, Reason: g.Reason, Duration: g.Duration}, &o); err != nil {
		return err
	}
	return c.show(s, o, func(w io.Writer) {
		fmt.Fprintf(w, "%s may pass until %s, on the word of %s\n", o.ChangeID, date(o.ExpiresAt), o.Person)
	})
}

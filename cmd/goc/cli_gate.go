package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"goc/ops"
)

type gateCmd struct {
	Check    gateCheckCmd    `cmd:"" help:"Ask once: exit code 0 allowed, 1 denied or to wait, 4 no answer."`
	Wait     gateWaitCmd     `cmd:"" help:"Ask until it is allowed (0), denied (1) or the time is over (3)."`
	Approve  gateApproveCmd  `cmd:"" help:"Approve a held change, as a second person."`
	Override gateOverrideCmd `cmd:"" help:"Break the glass: let one change pass for a while, whatever holds it. Audited."`

	Policy      gatePolicyCmd      `cmd:"" help:"Policies in CEL."`
	Maintenance gateMaintenanceCmd `cmd:"" help:"Show, begin or end the gate's own maintenance."`
}

// question is what is asked of the gate, and what to make of it when nobody answers.
type question struct {
	changeFlags
	Rollback      bool   `help:"It undoes the change: never held back, not even by a gate that does not answer."`
	OnUnavailable string `help:"What an unreachable gate means: deny, allow or last-known (the decision on the same question while it is valid). Default: deny in production, allow elsewhere." enum:",deny,allow,last-known" default:""`
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
	body, err := g.request(c)
	if err != nil {
		return err
	}
	d, err := ask(ctx, c, s, body, time.Duration(g.RetryFor))
	if unavailable(err) {
		return g.withoutGate(c, s, body, err)
	}
	if err != nil {
		return err
	}
	return tell(c, s, d)
}

// Run asks until the gate allows or denies, or the time is over.
func (g *gateWaitCmd) Run(ctx context.Context, c *client, s streams) error {
	body, err := g.request(c)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(time.Duration(g.Timeout))
	for said := ""; ; {
		d, err := ask(ctx, c, s, body, min(time.Duration(g.RetryFor), time.Until(deadline)))
		if unavailable(err) {
			return g.withoutGate(c, s, body, err)
		}
		if err != nil {
			return err
		}
		if d.Decision != ops.EffectWait {
			return tell(c, s, d)
		}
		if text := reasons(c, d); text != said {
			said = text
			fmt.Fprintf(s.err, "waiting, until %s at most:\n%s", deadline.Format("15:04:05 MST"), text)
		}
		left := time.Until(deadline)
		if left <= 0 || !pause(ctx, min(left, jitter(min(max(time.Duration(d.RetryAfterS)*time.Second, time.Second), 30*time.Second)))) {
			return g.gaveUp(ctx, c, s, d)
		}
	}
}

// gaveUp ends a wait that led to nothing; the last decision says what it waited for.
func (g *gateWaitCmd) gaveUp(ctx context.Context, c *client, s streams, d ops.Decision) error {
	if err := c.show(s, d, func(io.Writer) {}); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return exit(exitTimeout, errors.New("interrupted while the gate still said to wait"))
	}
	return exit(exitTimeout, fmt.Errorf("still told to wait after %s (%s)", g.Timeout, d.DecisionID))
}

// ask gets a decision. It tries again for a while when the gate cannot be reached.
func ask(ctx context.Context, c *client, s streams, body map[string]any, patience time.Duration) (ops.Decision, error) {
	var d ops.Decision
	until, said := time.Now().Add(patience), false
	for {
		limited, cancel := context.WithTimeout(ctx, 10*time.Second) // it answers in milliseconds, or is not well
		err := c.do(limited, http.MethodPost, "/api/v1/gate/check", body, &d)
		if errors.Is(err, errInterrupted) && ctx.Err() == nil {
			err = c.unreachable(ctx, context.DeadlineExceeded)
		}
		cancel()
		if err == nil {
			remember(c, body, d)
		}
		wait := jitter(2 * time.Second)
		if !unavailable(err) || time.Now().Add(wait).After(until) {
			return d, err
		}
		if !said {
			said = true
			fmt.Fprintf(s.err, "the gate does not answer; it is asked again for %s\n", ops.Since(time.Until(until)))
		}
		if !pause(ctx, wait) {
			return d, exit(exitFailed, errInterrupted)
		}
	}
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

// withoutGate decides what an unreachable gate means, and says so loudly.
func (q question) withoutGate(c *client, s streams, body map[string]any, cause error) error {
	mode, why := q.OnUnavailable, "--on-unavailable "+q.OnUnavailable
	switch {
	case q.Rollback:
		mode, why = "allow", "a rollback is never held back"
	case mode == "" && q.Environment == "production":
		mode, why = "deny", "the default for production"
	case mode == "":
		mode, why = "allow", "the default outside of production"
	}
	fmt.Fprintf(s.err, "THE GATE DID NOT ANSWER: %v\n", cause)
	switch mode {
	case "allow":
		fmt.Fprintf(s.err, "ALLOWED WITHOUT A DECISION: %s. Record the change once the server is back.\n", why)
		return c.show(s, unanswered(ops.EffectAllow, why), func(io.Writer) {})
	case "last-known":
		d, err := recall(c, body, time.Now())
		if err == nil {
			fmt.Fprintf(s.err, "USING THE LAST KNOWN DECISION of %s, valid until %s\n", date(d.At), date(d.ValidUntil))
			return tell(c, s, d)
		}
		why = "--on-unavailable last-known, and " + err.Error()
	}
	if err := c.show(s, unanswered(ops.EffectDeny, why), func(io.Writer) {}); err != nil {
		return err
	}
	return exit(exitUnavailable, fmt.Errorf("DENIED WITHOUT A DECISION: %s. --on-unavailable allow would go on, --rollback may always", why))
}

// unanswered is the decision that the caller's own settings made in place of the gate.
func unanswered(effect, why string) ops.Decision {
	return ops.Decision{Decision: effect, At: ops.At(time.Now()), Reasons: []ops.Reason{{
		Rule: "unavailable", Effect: effect, Message: "the gate did not answer: " + why,
	}}}
}

// tell answers with a decision and its exit code.
func tell(c *client, s streams, d ops.Decision) error {
	err := c.show(s, d, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %s\n%s", d.Decision, d.DecisionID, reasons(c, d))
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
		fmt.Fprintf(&text, "  %-5s %s: %s", r.Effect, r.Rule, r.Message)
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

// lastKnown is the file that remembers the decision on one question to one server.
func lastKnown(c *client, body map[string]any) (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	h := sha256.Sum256(append([]byte(c.base()+"\n"), b...))
	return filepath.Join(dir, "goc", "decision-"+hex.EncodeToString(h[:8])+".json"), nil
}

// remember keeps a decision for last-known; a machine without a cache folder simply has none.
func remember(c *client, body map[string]any, d ops.Decision) {
	path, err := lastKnown(c, body)
	if err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	b, err := json.Marshal(d)
	if err != nil {
		return
	}
	// Written whole and then renamed: another job may read it right now.
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if os.WriteFile(tmp, b, 0o600) != nil || os.Rename(tmp, path) != nil {
		os.Remove(tmp)
	}
}

// recall finds the remembered decision while it is valid.
func recall(c *client, body map[string]any, now time.Time) (ops.Decision, error) {
	none := errors.New("no decision on this question is remembered here")
	path, err := lastKnown(c, body)
	if err != nil {
		return ops.Decision{}, none
	}
	var d ops.Decision
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, &d) != nil || d.Decision == "" {
		return d, none
	}
	if !now.Before(d.ValidUntil.Time) {
		return d, fmt.Errorf("the last one (%s) was valid until %s", d.DecisionID, date(d.ValidUntil))
	}
	return d, nil
}

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
	"time"

	"goc/ops"
)

type gateCmd struct {
	Check gateCheckCmd `cmd:"" help:"Ask once: exit code 0 allowed, 1 denied or to wait, 4 no answer."`
	Wait  gateWaitCmd  `cmd:"" help:"Ask until it is allowed (0), denied (1) or the time is over (3)."`
}

// unavailableFlag says what an unreachable gate means to the caller.
type unavailableFlag struct {
	OnUnavailable string `help:"What an unreachable gate means: deny, allow or last-known (a decision not older than its validity). Default: deny in production, allow elsewhere; a rollback is always allowed." enum:",deny,allow,last-known" default:""`
}

type gateCheckCmd struct {
	changeFlags
	unavailableFlag
}

type gateWaitCmd struct {
	changeFlags
	unavailableFlag
	Timeout time.Duration `help:"How long to wait." default:"30m"`
}

// tries is how often an unreachable gate is asked before it counts as unavailable, two seconds (with jitter) apart.
const tries = 3

// Run asks once.
func (g *gateCheckCmd) Run(ctx context.Context, c *client, s streams) error {
	body, err := g.body()
	if err != nil {
		return err
	}
	d, err := ask(ctx, c, body)
	if unavailable(err) {
		return g.withoutGate(c, s, g.changeFlags, body, err)
	}
	if err != nil {
		return err
	}
	return tell(c, s, d)
}

// Run asks until the gate allows or denies, or the time is over.
func (g *gateWaitCmd) Run(ctx context.Context, c *client, s streams) error {
	body, err := g.body()
	if err != nil {
		return err
	}
	deadline := time.Now().Add(g.Timeout)
	for said := ""; ; {
		d, err := ask(ctx, c, body)
		if unavailable(err) {
			return g.withoutGate(c, s, g.changeFlags, body, err)
		}
		if err != nil {
			return err
		}
		if d.Decision != ops.EffectWait {
			return tell(c, s, d)
		}
		if text := reasons(d); text != said {
			said = text
			fmt.Fprintf(s.err, "waiting:\n%s", text)
		}
		pause := min(max(time.Duration(d.RetryAfterS)*time.Second, time.Second), 30*time.Second)
		if time.Now().Add(pause).After(deadline) {
			c.show(s, d, func(io.Writer) {})
			return exit(exitTimeout, fmt.Errorf("still told to wait after %s", g.Timeout))
		}
		select {
		case <-ctx.Done():
			return exit(exitTimeout, ctx.Err())
		case <-time.After(jitter(pause)):
		}
	}
}

// ask gets a decision, trying again when the gate cannot be reached.
func ask(ctx context.Context, c *client, body map[string]any) (ops.Decision, error) {
	var d ops.Decision
	for try := 1; ; try++ {
		err := c.do(ctx, http.MethodPost, "/api/v1/gate/check", body, &d)
		if !unavailable(err) || try == tries {
			if err == nil {
				remember(c, body, d)
			}
			return d, err
		}
		select {
		case <-ctx.Done():
			return d, exit(exitUnavailable, ctx.Err())
		case <-time.After(jitter(2 * time.Second)):
		}
	}
}

func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.75 + rand.Float64()/2))
}

// withoutGate decides what an unreachable gate means, and says so loudly.
func (f unavailableFlag) withoutGate(c *client, s streams, ch changeFlags, body map[string]any, cause error) error {
	mode := f.OnUnavailable
	switch {
	case ch.Rollback:
		mode = "allow"
	case mode == "" && ch.Environment == "production":
		mode = "deny"
	case mode == "":
		mode = "allow"
	}
	fmt.Fprintf(s.err, "THE GATE DID NOT ANSWER: %v\n", cause)
	switch mode {
	case "allow":
		fmt.Fprintln(s.err, "ALLOWED WITHOUT A DECISION (--on-unavailable allow, or a rollback). Record the change once the server is back.")
		return c.show(s, ops.Decision{Decision: ops.EffectAllow, Reasons: []ops.Reason{{Rule: "unavailable", Effect: ops.EffectAllow, Message: "the gate did not answer; the caller chose to go on"}}}, func(io.Writer) {})
	case "last-known":
		if d, err := recall(c, body, time.Now()); err == nil {
			fmt.Fprintf(s.err, "USING THE LAST KNOWN DECISION of %s, valid until %s\n", d.At, d.ValidUntil)
			return tell(c, s, d)
		}
		fmt.Fprintln(s.err, "NO KNOWN DECISION IS STILL VALID: denied")
	}
	return exit(exitUnavailable, errors.New("denied because the gate cannot be reached (--on-unavailable allow would go on)"))
}

// tell answers with a decision and its exit code.
func tell(c *client, s streams, d ops.Decision) error {
	err := c.show(s, d, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %s\n%s", d.Decision, d.DecisionID, reasons(d))
	})
	if err != nil || d.Decision == ops.EffectAllow {
		return err
	}
	return exit(exitFailed, nil)
}

func reasons(d ops.Decision) string {
	var text string
	for _, r := range d.Reasons {
		text += fmt.Sprintf("  %-5s %s: %s", r.Effect, r.Rule, r.Message)
		if r.Override != nil {
			text += fmt.Sprintf(" (a %s may override)", *r.Override)
		}
		text += "\n"
	}
	return text
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
	h := sha256.Sum256(append([]byte(c.Server+"\n"), b...))
	return filepath.Join(dir, "goc", "decision-"+hex.EncodeToString(h[:8])+".json"), nil
}

// remember keeps a decision for last-known; a machine without a cache folder simply has none.
func remember(c *client, body map[string]any, d ops.Decision) {
	path, err := lastKnown(c, body)
	if err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	b, err := json.Marshal(d)
	if err == nil {
		os.WriteFile(path, b, 0o600)
	}
}

// recall finds the remembered decision while it is valid.
func recall(c *client, body map[string]any, now time.Time) (ops.Decision, error) {
	var d ops.Decision
	path, err := lastKnown(c, body)
	if err != nil {
		return d, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return d, err
	}
	if now.After(d.ValidUntil.Time) {
		return d, errors.New("the last known decision is no longer valid")
	}
	return d, nil
}

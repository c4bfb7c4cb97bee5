package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// Bounds of what is kept to be told to a gate that is back.
const (
	maxUntold  = 200 // questions
	tellAtOnce = 20  // per answer
)

// isProduction says whether an environment is one where nothing may happen without a decision unless the caller says so.
// One that is not named is production, as it is for the gate.
func isProduction(environment string) bool {
	e := strings.ToLower(strings.TrimSpace(environment))
	return e == "" || e == "live" || strings.HasPrefix(e, "prd") || strings.HasPrefix(e, "prod")
}

// where is the environment that is asked about.
func (a *asking) where() string {
	if a.File != "" {
		e, _ := a.body["environment"].(string)
		return e
	}
	return a.Environment
}

// setting is what the caller wants an unreachable gate to mean, and why.
func (a *asking) setting() (mode, why string) {
	switch {
	case a.Rollback:
		return ops.EffectAllow, "a rollback is never held back"
	case a.OnUnavailable != "":
		return a.OnUnavailable, "--on-unavailable " + a.OnUnavailable
	case isProduction(a.where()):
		return ops.EffectDeny, "the default for production"
	}
	return ops.EffectAllow, "the default outside of production"
}

// withoutGate decides what an unreachable gate means, says so loudly, and notes it down to be told to the gate.
func (a *asking) withoutGate(cause error) error {
	mode, why := a.setting()
	a.shout("error", fmt.Sprintf("THE GATE DID NOT ANSWER: %v", cause))
	switch mode {
	case ops.EffectAllow:
		a.shout("warning", fmt.Sprintf("ALLOWED WITHOUT A DECISION: %s. Record the change once the server is back.", why))
		away := a.note(ops.EffectAllow, why, "", cause)
		d := unanswered(ops.EffectAllow, why)
		a.publish(d, away)
		return a.c.show(a.s, d, func(io.Writer) {})
	case "last-known":
		d, err := a.recall(time.Now())
		if err == nil {
			a.shout("warning", fmt.Sprintf("USING THE LAST KNOWN DECISION of %s, valid until %s", date(d.At), date(d.ValidUntil)))
			return a.tell(d, a.note(d.Decision, why, d.DecisionID, cause))
		}
		why += ", and " + err.Error()
	}
	d := unanswered(ops.EffectDeny, why)
	a.publish(d, a.note(ops.EffectDeny, why, "", cause))
	if err := a.c.show(a.s, d, func(io.Writer) {}); err != nil {
		return err
	}
	return exit(exitUnavailable, fmt.Errorf("DENIED WITHOUT A DECISION: %s. --on-unavailable allow would go on, --rollback may always", why))
}

// shout says something that must not be overlooked, also where GitHub shows what a job found.
func (a *asking) shout(level, text string) {
	fmt.Fprintln(a.s.err, text)
	if os.Getenv("GITHUB_ACTIONS") == "true" {
		fmt.Fprintf(a.s.err, "::%s title=goc gate::%s\n", level, strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text))
	}
}

// unanswered is the decision that the caller's own settings made in place of the gate.
func unanswered(effect, why string) ops.Decision {
	return ops.Decision{Decision: effect, At: ops.At(time.Now()), Reasons: []ops.Reason{{
		Rule: "unavailable", Effect: effect, Message: "the gate did not answer: " + why,
	}}}
}

// note keeps on this machine that the gate did not answer and what was done, until the gate can be told.
func (a *asking) note(effect, why, decision string, cause error) *ops.GateAbsence {
	away := a.absence(effect, why, cause)
	away.DecisionID = decision
	untold, err := a.untold()
	if err == nil && len(untold) >= maxUntold {
		err = fmt.Errorf("%d are kept already", maxUntold)
	}
	if err == nil {
		id := make([]byte, 8)
		rand.Read(id)
		path := strings.TrimSuffix(a.memory.path("untold", ""), ".json") + "-" + hex.EncodeToString(id) + ".json"
		err = a.memory.write(path, away)
	}
	if err != nil {
		fmt.Fprintf(a.s.err, "this cannot be noted down for the audit: %v\n", err)
	}
	return &away
}

// absence says what happened in the API's words.
func (a *asking) absence(effect, why string, cause error) ops.GateAbsence {
	field := func(name string) string { text, _ := a.body[name].(string); return clip(text, ops.MaxNameLength) }
	away := ops.GateAbsence{
		At: ops.At(time.Now()), Decision: effect, Why: clip(why, 500), Cause: clip(oneLine(cause.Error()), 500), ChangeID: clip(a.Change, ops.MaxNameLength),
		Stage: a.Stage, Rollback: a.Rollback, Kind: ops.ChangeKind(field("kind")), Title: field("title"), Service: field("service"),
		Version: field("version"), Environment: field("environment"), Job: clip(job(), 500),
	}
	if away.ChangeID == "" {
		away.ChangeID = field("id")
	}
	return away
}

// job says where this runs: the URL of a CI job, or the host.
func job() string {
	env := os.Getenv
	switch {
	case env("GITHUB_RUN_ID") != "":
		return env("GITHUB_SERVER_URL") + "/" + env("GITHUB_REPOSITORY") + "/actions/runs/" + env("GITHUB_RUN_ID")
	case env("CI_JOB_URL") != "":
		return env("CI_JOB_URL")
	case env("BUILD_URL") != "":
		return env("BUILD_URL")
	}
	host, _ := os.Hostname()
	return host
}

// untold are the files of what the gate is still to be told, oldest first.
func (a *asking) untold() ([]string, error) {
	files, err := filepath.Glob(strings.TrimSuffix(a.memory.path("untold", ""), ".json") + "-*.json")
	at := func(path string) time.Time {
		info, err := os.Lstat(path)
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	slices.SortStableFunc(files, func(x, y string) int { return at(x).Compare(at(y)) })
	return files, err
}

// backfill tells a gate that is back what was done without it. Each is told under a key of its own, so that two jobs that
// tell at once tell it once.
func (a *asking) backfill(ctx context.Context) {
	files, err := a.untold()
	if err != nil {
		return
	}
	told := 0
	for _, path := range files[:min(len(files), tellAtOnce)] {
		var away ops.GateAbsence
		if err := a.memory.read(path, &away); err != nil {
			if !errors.Is(err, os.ErrNotExist) { // another job told it
				fmt.Fprintf(a.s.err, "the gate is not told of %s: %v\n", filepath.Base(path), err)
			}
			continue
		}
		err := a.c.doOnce(ctx, filepath.Base(path), "/api/v1/gate/unavailable", away)
		if beyondRepair(err) {
			fmt.Fprintf(a.s.err, "the gate does not take the record of an outage: %v\n  %s\n", err, asText(away))
		} else if err != nil {
			return // the next answer is soon enough
		} else {
			told++
		}
		os.Remove(path)
	}
	if told > 0 {
		fmt.Fprintf(a.s.err, "the gate was told of %d questions that it had not answered\n", told)
	}
}

// beyondRepair says whether a record was refused for what it says, so that it would be for ever.
func beyondRepair(err error) bool {
	var p problem
	return errors.As(err, &p) && (p.Status == http.StatusBadRequest || p.Status == http.StatusUnprocessableEntity)
}

// doOnce posts something under an idempotency key; the answer is not wanted.
func (c *client) doOnce(ctx context.Context, key, path string, body any) error {
	keyed := *c
	keyed.once, keyed.flags = key, nil
	return keyed.do(ctx, http.MethodPost, path, body, nil)
}

// clip keeps a text within n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

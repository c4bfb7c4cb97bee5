package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"goc/ops"
)

// publish gives a decision to the CI that runs this: GitHub's outputs and step summary where their variables are set, and
// a dotenv file for GitLab. away says that the gate did not answer. What cannot be written is said; the exit code stands.
func (a *asking) publish(d ops.Decision, away *ops.GateAbsence) {
	for _, target := range []struct {
		path, text string
		truncate   bool
	}{
		{os.Getenv("GITHUB_OUTPUT"), githubOutput(d, away), false},
		{os.Getenv("GITHUB_STEP_SUMMARY"), a.summary(d, away), false},
		{a.Dotenv, dotenv(d, away), true},
	} {
		if target.path == "" {
			continue
		}
		if err := put(target.path, target.text, target.truncate); err != nil {
			fmt.Fprintf(a.s.err, "the decision cannot be handed to the CI: %v\n", err)
		}
	}
}

func put(path, text string, truncate bool) error {
	mode := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if truncate {
		mode = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, mode, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// fields are a decision as CI systems take it, in order.
func fields(d ops.Decision, away *ops.GateAbsence) [][2]string {
	return [][2]string{
		{"decision", oneLine(d.Decision)},
		{"decision_id", oneLine(d.DecisionID)},
		{"change_id", oneLine(d.ChangeID)},
		{"retry_after_s", strconv.Itoa(d.RetryAfterS)},
		{"unavailable", strconv.FormatBool(away != nil)},
		{"decision_token", oneLine(d.Token)},
	}
}

// githubOutput is in the format of $GITHUB_OUTPUT. The delimiter is random: a reason must not be able to end it.
func githubOutput(d ops.Decision, away *ops.GateAbsence) string {
	var text strings.Builder
	for _, f := range fields(d, away) {
		fmt.Fprintf(&text, "%s=%s\n", f[0], f[1])
	}
	word := rand.Text()
	fmt.Fprintf(&text, "reasons<<%s\n", word)
	for _, r := range d.Reasons {
		fmt.Fprintf(&text, "%s %s: %s\n", r.Effect, r.Rule, oneLine(r.Message))
	}
	fmt.Fprintf(&text, "%s\n", word)
	return text.String()
}

// maxDotenv is what GitLab takes of a dotenv report, with room to spare.
const maxDotenv = 4 << 10

// dotenv is in the format of GitLab's dotenv reports: one line each, no quotes, at most 5 KiB.
func dotenv(d ops.Decision, away *ops.GateAbsence) string {
	var text strings.Builder
	for _, f := range fields(d, away) {
		fmt.Fprintf(&text, "GOC_%s=%s\n", strings.ToUpper(f[0]), f[1])
	}
	var said []string
	for _, r := range d.Reasons {
		said = append(said, r.Rule+": "+oneLine(r.Message))
	}
	fmt.Fprintf(&text, "GOC_REASONS=%s\n", clip(strings.Join(said, "; "), max(maxDotenv-text.Len(), 0)))
	return text.String()
}

var markdown = strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", ">", "&gt;", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "#", "\\#", "@", "@\u200b")

// summary is the page that GitHub shows of a job.
func (a *asking) summary(d ops.Decision, away *ops.GateAbsence) string {
	var text strings.Builder
	sign := map[string]string{ops.EffectAllow: "✅ allowed", ops.EffectDeny: "⛔ denied", ops.EffectWait: "⏳ told to wait"}[d.Decision]
	fmt.Fprintf(&text, "### Change gate: %s\n\n", sign)
	if away != nil {
		fmt.Fprintf(&text, "> **The gate did not answer.** This was decided without it: %s.\n\n", markdown.Replace(oneLine(away.Why)))
	}
	fmt.Fprintf(&text, "| | |\n|---|---|\n| what | %s |\n", markdown.Replace(oneLine(a.subject(d))))
	if d.DecisionID != "" {
		fmt.Fprintf(&text, "| decision | %s, valid until %s |\n", markdown.Replace(oneLine(d.DecisionID)), d.ValidUntil)
	}
	if d.RetryAfterS > 0 {
		fmt.Fprintf(&text, "| ask again in | %d s |\n", d.RetryAfterS)
	}
	if len(d.Reasons) > 0 {
		text.WriteString("\n| effect | rule | why | who may override |\n|---|---|---|---|\n")
	}
	for _, r := range d.Reasons {
		who := ""
		if r.Override != nil && r.Effect != ops.EffectAllow {
			who = string(*r.Override)
		}
		why := markdown.Replace(oneLine(r.Message))
		if r.Evidence != "" {
			why += " [more](" + strings.NewReplacer(")", "%29", " ", "%20", "\n", "", "<", "%3C", "|", "%7C").Replace(a.c.link(r.Evidence)) + ")"
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s |\n", r.Effect, markdown.Replace(oneLine(r.Rule)), why, who)
	}
	return text.String() + "\n"
}

// subject says what was asked about.
func (a *asking) subject(d ops.Decision) string {
	away := a.absence("", "", fmt.Errorf(""))
	parts := []string{away.ChangeID, away.Service, away.Version}
	if away.ChangeID == "" && away.Service == "" {
		parts = append(parts, away.Title)
	}
	if a.Stage > 0 {
		parts = append(parts, fmt.Sprintf("stage %d", a.Stage))
	}
	if away.Environment != "" {
		parts = append(parts, "in "+away.Environment)
	}
	if a.Rollback {
		parts = append([]string{"rollback of"}, parts...)
	}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " ")
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"goc/alertrules"
	"goc/incidents/engine"
	"goc/ops"
)

// backtest replays a file twice, as it was and otherwise, and says what differs. Rows are those of the second replay.
func (k *replayCmd) backtest(ctx context.Context, file string, c *client, s streams, emit func(any) error) error {
	is, err := k.setup()
	if err != nil {
		return exit(exitUsage, err)
	}
	was := setup{bake: is.bake} // how long bakes last is not recorded
	if k.Against != "" {
		if was, err = setupOf(k.Against); err != nil {
			return exit(exitUsage, err)
		}
	}
	before := newCourse()
	r := newReplay(was, before.row)
	r.course = before
	if err := r.file(ctx, file); err != nil {
		return exit(exitUsage, fmt.Errorf("%s: %w", file, err))
	}
	after := newCourse()
	show := emit
	if k.Diff {
		show = func(any) error { return nil }
	}
	r = newReplay(is, func(row any) error { return errors.Join(after.row(row), show(row)) })
	r.course = after
	if err := k.withRules(r, is); err != nil {
		return exit(exitUsage, err)
	}
	defer r.close()
	if err := r.file(ctx, file); err != nil {
		return exit(exitUsage, fmt.Errorf("%s: %w", file, err))
	}
	tellPlayed(s.err, file, r)
	r.tellRules(s.err)
	found := differences(before, after)
	if !c.JSON && !k.Diff {
		if err := emit(heading("\nwhat would have come out differently:")); err != nil {
			return err
		}
	}
	for _, d := range found {
		if err := emit(d); err != nil {
			return err
		}
	}
	if !c.JSON {
		return emit(summary{file, before, after, found})
	}
	return nil
}

// heading stands above a part of the text.
type heading string

// row notes the verdicts among the rows of a replay.
func (c *course) row(row any) error {
	if v, ok := row.(verdictRow); ok {
		c.verdict(v)
	}
	return nil
}

// summary is the last line of a backtest in words.
type summary struct {
	file       string
	was, is    *course
	difference []difference
}

func (s summary) write(w io.Writer) error {
	if len(s.difference) == 0 {
		_, err := fmt.Fprintf(w, "%s: nothing would have come out differently (%s, %s)\n", s.file, counted(len(s.is.incidents), "incident"), counted(len(s.is.verdicts), "verdict"))
		return err
	}
	n := map[string]int{}
	for _, d := range s.difference {
		n[d.About]++
	}
	_, err := fmt.Fprintf(w, "%s: %s would have come out differently (incidents %d, suspects %d, verdicts %d, alerts %d); %s instead of %d\n",
		s.file, counted(len(s.difference), "thing"), n["incident"], n["suspects"], n["verdict"], n["alert"], counted(len(s.is.incidents), "incident"), len(s.was.incidents))
	return err
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// configRules stands for the rules of the configuration where --rules takes files.
const configRules = "config"

// withRules evaluates rule files over the recorded indicators, in place of the recorded alerts of rules.
func (k *replayCmd) withRules(r *replay, s setup) error {
	if len(k.Rules) == 0 {
		return nil
	}
	o := alertrules.BacktestOptions{EvaluationInterval: s.rules.interval, ExternalLabels: s.rules.labels}
	for _, f := range k.Rules {
		if f != configRules {
			o.Files = append(o.Files, f)
			continue
		}
		if k.Config == "" {
			return errors.New("--rules config needs --config")
		}
		o.Files, o.Builtin = append(o.Files, s.rules.files...), s.rules.builtin
	}
	var err error
	r.rules, err = alertrules.NewBacktest(o)
	return err
}

// ruleSetup is what a configuration says of rules.
type ruleSetup struct {
	files    []string
	builtin  bool
	interval time.Duration
	labels   map[string]string
}

func ruleSetupOf(cfg *config) ruleSetup {
	out := ruleSetup{files: cfg.AlertRules.Files, builtin: cfg.AlertRules.Shipped(), interval: time.Duration(cfg.AlertRules.Interval), labels: cfg.Metrics.Global.ExternalLabels}
	if out.interval == 0 {
		out.interval = cfg.Metrics.EvaluationInterval()
	}
	return out
}

// close lets go of the rules.
func (r *replay) close() {
	if r.rules != nil {
		_ = r.rules.Close() // a temporary folder
	}
}

// replaced says whether a recorded alert gives way to what the rules say now.
func (r *replay) replaced(a ops.Alert) bool {
	if r.rules == nil || a.Source != "rules" || !r.rules.Evaluates(a.Name()) {
		return false
	}
	r.dropped++
	return true
}

// evaluate evaluates the rules that are due, and hands on what they say.
func (r *replay) evaluate(now time.Time) error {
	if r.rules == nil {
		return nil
	}
	for alerts := range slices.Chunk(r.rules.Eval(now), ops.MaxAlertsBatch) {
		if err := r.player.Inject(engine.Alerts{Source: "rules", Alerts: alerts}); err != nil {
			return err
		}
	}
	return nil
}

// tellRules says which rules were not evaluated.
func (r *replay) tellRules(w io.Writer) {
	if r.rules == nil {
		return
	}
	for _, s := range r.rules.Skipped() {
		what := "rule"
		if s.Alert {
			what = "rule (its recorded alerts stay)"
		}
		fmt.Fprintf(w, "NOT EVALUATED: %s %s: %s\n", what, s.Rule, s.Why)
	}
	fmt.Fprintf(w, "%s of rules gave way to what the rules say now\n", counted(r.dropped, "recorded alert"))
}

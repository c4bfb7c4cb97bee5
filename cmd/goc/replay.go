package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"goc/alertrules"
	"goc/changes/bake"
	"goc/incidents"
	"goc/incidents/engine"
	"goc/incidents/history"
	"goc/ops"
)

type replayCmd struct {
	Files   []string `arg:"" help:"Recorded histories: JSON lines, or gzip of them, in time order."`
	Config  string   `help:"A configuration whose settings apply, and its catalog where it has one; what comes out differently is told at the end." placeholder:"goc.yaml"`
	Against string   `help:"The configuration to compare with. Default: what the recording says, its catalog included, else the defaults; how long bakes last is not recorded and taken from --config." placeholder:"old.yaml"`
	Rules   []string `help:"Rule files to evaluate over the recorded indicators, in place of the recorded alerts of rules; config: those of --config." placeholder:"FILE"`
	Diff    bool     `help:"Only what comes out differently."`
}

// Run replays each file by itself through the same deciders as the live service.
func (k *replayCmd) Run(ctx context.Context, c *client, s streams) error {
	is, err := k.setup()
	if err != nil {
		return exit(exitUsage, err)
	}
	c.shown = true // its answer is lines of JSON, not one document
	out := bufio.NewWriter(s.out)
	for _, file := range k.Files {
		if k.Config != "" || k.Against != "" || len(k.Rules) > 0 || k.Diff {
			err = k.backtest(ctx, file, c, s, writeRows(out, c.JSON))
		} else {
			r := newReplay(is, writeRows(out, c.JSON))
			if err = r.file(ctx, file); err != nil {
				err = exit(exitUsage, fmt.Errorf("%s: %w", file, err))
			}
			tellPlayed(s.err, file, r)
		}
		if err != nil {
			return errors.Join(err, out.Flush())
		}
	}
	return out.Flush()
}

// setup is what a history is replayed with. What is nil is taken from the recording, or the default.
type setup struct {
	settings *engine.Config
	catalog  *ops.Catalog
	bake     time.Duration
	rules    ruleSetup
}

func (k *replayCmd) setup() (setup, error) {
	if k.Config == "" {
		return setup{}, nil
	}
	return setupOf(k.Config)
}

// setupOf reads a configuration. Its catalog counts when it names anything.
func setupOf(file string) (setup, error) {
	cfg, err := loadConfig(file)
	if err != nil {
		return setup{}, err
	}
	settings := incidents.EngineConfig(cfg.Incidents)
	out := setup{settings: &settings, bake: time.Duration(cfg.Gate.Bake), rules: ruleSetupOf(cfg)}
	if cat := &cfg.Catalog.Catalog; len(cat.Services)+len(cat.Stores) > 0 {
		out.catalog = cat
	}
	return out, nil
}

// replay is one history on virtual time.
type replay struct {
	player *history.Player
	bakes  *bake.Replay
	torn   bool // the file was cut off
	emit   func(row any) error
	course *course // notes what comes out; nil does not

	rules   *alertrules.Backtest // in place of the recorded alerts of rules; nil leaves them
	dropped int                  // recorded alerts that gave way
	err     error                // of what cannot answer with one
}

func newReplay(s setup, emit func(any) error) *replay {
	cat := s.catalog
	if cat == nil {
		cat = new(ops.Catalog)
		_ = cat.Index() // an empty catalog has no doubles
	}
	r := &replay{bakes: bake.NewReplay(cat, s.bake), emit: emit}
	r.player = history.NewPlayer(history.PlayerOptions{Settings: s.settings, Catalog: s.catalog, Drop: r.replaced, Began: r.began, Moved: r.moved, Input: r.observe, Out: r.rows})
	return r
}

// file replays one file, line by line.
func (r *replay) file(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var lines engine.Parser
	r.torn, err = history.Read(f, func(n int, raw []byte) error {
		if n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		l, err := lines.Parse(raw)
		if err != nil {
			return err
		}
		return r.player.Line(l)
	})
	if err == nil {
		err = errors.Join(r.player.Flush(), r.err)
	}
	if err != nil {
		return err
	}
	// Some histories end before their last bake does.
	for next := r.bakes.Next(); !next.IsZero(); next = r.bakes.Next() {
		if err := r.verdicts(next); err != nil {
			return err
		}
	}
	return nil
}

// began takes the catalog of a recording, and what bakes as it begins.
func (r *replay) began(cat *ops.Catalog, changes []ops.Change) {
	r.bakes.Reload(cat)
	for _, c := range changes {
		r.bakes.Recorded(c)
	}
}

// observe tells the bakes what the engine is about to be told.
func (r *replay) observe(now time.Time, in engine.Input, recorded bool) {
	switch in := in.(type) {
	case engine.Samples:
		r.bakes.Observe(in.Samples)
		if r.rules != nil && r.err == nil {
			r.err = r.rules.Append(in.Samples)
		}
	case engine.Change:
		if recorded {
			r.bakes.Recorded(in.Change)
		} else {
			r.bakes.Change(now, in.Change)
		}
	case engine.Stage:
		r.bakes.Stage(now, in.ChangeID, in.Stage, in.State == "finished", in.Units, in.Replaces, in.Stores)
	}
}

// moved does what is due at now before its step.
func (r *replay) moved(now time.Time) error {
	return errors.Join(r.verdicts(now), r.evaluate(now))
}

func (r *replay) rows(out engine.Outputs) error {
	if r.course != nil {
		r.course.take(out)
	}
	for _, row := range out.Rows() {
		if err := r.emit(row); err != nil {
			return err
		}
	}
	return nil
}

// verdictRow is a verdict as `goc replay --json` prints it.
type verdictRow struct {
	At       ops.Time     `json:"at"`
	Kind     string       `json:"kind"`
	ChangeID string       `json:"change_id"`
	Stage    int          `json:"stage"`
	Verdict  ops.Verdict  `json:"verdict"`
	Score    float64      `json:"score"`
	Reasons  []ops.Reason `json:"reasons"`
}

// verdicts gives those of the bakes that are over at now.
func (r *replay) verdicts(now time.Time) error {
	for _, o := range r.bakes.Step(now) {
		if err := r.emit(verdictRow{ops.At(o.At), "verdict", o.ChangeID, o.Stage, o.Verdict, o.Score, o.Reasons}); err != nil {
			return err
		}
	}
	return nil
}

// writeRows prints rows as JSON lines, or in words.
func writeRows(w io.Writer, asJSON bool) func(any) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode
	}
	return func(row any) error {
		var err error
		switch v := row.(type) {
		case engine.IncidentRow:
			_, err = fmt.Fprintf(w, "%s  %-7s %s %s: %s\n", v.At, v.Incident, v.Severity, v.State, v.Text)
		case engine.Ranked:
			_, err = fmt.Fprintf(w, "%s  %-7s suspects:%s, no change %.0f%%\n", v.At, v.Incident, suspectWords(v.Suspects), v.NoChange*100)
		case difference:
			_, err = fmt.Fprintln(w, v.Text)
		case heading:
			_, err = fmt.Fprintln(w, v)
		case summary:
			err = v.write(w)
		case verdictRow:
			_, err = fmt.Fprintf(w, "%s  %-7s stage %d is %s%s\n", v.At, v.ChangeID, v.Stage, v.Verdict, firstReason(v.Reasons))
		}
		return err
	}
}

func suspectWords(list []ops.Suspect) string {
	var sb strings.Builder
	for _, s := range list {
		if s.Verdict != "rejected" {
			fmt.Fprintf(&sb, " %s %.0f%%", s.ChangeID, s.Probability*100)
		}
	}
	return sb.String()
}

func firstReason(reasons []ops.Reason) string {
	if len(reasons) == 0 {
		return ""
	}
	return ": " + reasons[0].Message
}

// tellPlayed says what of a file was not as it should be.
func tellPlayed(w io.Writer, file string, r *replay) {
	p := r.player.Played()
	for _, g := range p.Gaps {
		fmt.Fprintf(w, "%s: %s\n", file, g)
	}
	if r.torn {
		fmt.Fprintf(w, "%s is cut off: its last line ends in the middle, and what came after is missing\n", file)
	}
	if p.Refused > 0 {
		fmt.Fprintf(w, "%s: %d recorded inputs were refused, as most of them were when they were made\n", file, p.Refused)
	}
	if p.Unasked > 0 {
		fmt.Fprintf(w, "%s: %d questions to the fleet, the voices, the drills or the plans have no recorded answer and count as nothing\n", file, p.Unasked)
	}
}

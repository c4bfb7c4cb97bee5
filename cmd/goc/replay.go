package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"goc/changes/bake"
	"goc/incidents"
	"goc/incidents/engine"
	"goc/ops"
)

type replayCmd struct {
	Files  []string `arg:"" help:"Recorded histories: JSON lines, or gzip of them, in time order."`
	Config string   `help:"A configuration whose catalog and settings apply." placeholder:"goc.yaml"`
}

// Bounds of a replay file.
const (
	maxReplayLine = 4 << 20
	maxTicks      = 10_000 // between two lines, so that a jump of years ends
	tickEvery     = 30 * time.Second
)

// Run replays each file by itself through the same deciders as the live service.
func (k *replayCmd) Run(ctx context.Context, c *client, s streams) error {
	cfg := &config{}
	if err := cfg.Catalog.Index(); err != nil {
		return err
	}
	if k.Config != "" {
		var err error
		if cfg, err = loadConfig(k.Config); err != nil {
			return exit(exitUsage, err)
		}
	}
	c.shown = true // its answer is lines of JSON, not one document
	out := bufio.NewWriter(s.out)
	for _, file := range k.Files {
		r := newReplay(cfg, writeRows(out, c.JSON))
		if err := r.file(ctx, file); err != nil {
			return errors.Join(exit(exitUsage, fmt.Errorf("%s: %w", file, err)), out.Flush())
		}
	}
	return out.Flush()
}

// replay is one history on virtual time.
type replay struct {
	engine  *engine.Engine
	bakes   *bake.Replay
	pending []ops.Sample // of the same time
	now     time.Time
	emit    func(row any) error
}

func newReplay(cfg *config, emit func(any) error) *replay {
	return &replay{
		engine: engine.New(incidents.EngineConfig(cfg.Incidents), &cfg.Catalog.Catalog, engine.Hooks{}),
		bakes:  bake.NewReplay(&cfg.Catalog.Catalog, time.Duration(cfg.Gate.Bake)), emit: emit,
	}
}

// file replays one file, line by line.
func (r *replay) file(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var rd io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if rd, err = gzip.NewReader(f); err != nil {
			return err
		}
	}
	lines := bufio.NewScanner(rd)
	lines.Buffer(make([]byte, 64<<10), maxReplayLine)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := r.line(lines.Bytes()); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if err := r.flush(); err != nil {
		return err
	}
	// Some histories end before their last bake does.
	for next := r.bakes.Next(); !next.IsZero(); next = r.bakes.Next() {
		r.now = next
		if err := r.verdicts(); err != nil {
			return err
		}
	}
	return nil
}

// line takes one line in. Samples of one time are taken together, like a scrape's.
func (r *replay) line(raw []byte) error {
	l, err := engine.ParseLine(raw)
	if err != nil {
		return err
	}
	if l.At.Before(r.now) {
		return fmt.Errorf("at %s is before the line above; a replay file is in time order", l.At)
	}
	if l.At.After(r.now) {
		if err := r.advance(l.At.Time); err != nil {
			return err
		}
	}
	return r.take(l)
}

// advance moves virtual time on, with ticks where nothing was recorded for a while.
func (r *replay) advance(at time.Time) error {
	if err := r.flush(); err != nil {
		return err
	}
	if !r.now.IsZero() {
		for n := 0; at.Sub(r.now) > tickEvery && n < maxTicks; n++ {
			r.now = r.now.Add(tickEvery)
			if err := r.step(engine.Tick{}); err != nil {
				return err
			}
		}
	}
	r.now = at
	return r.verdicts()
}

// take hands one line to the deciders.
func (r *replay) take(l engine.Line) error {
	switch l.Kind {
	case "indicator":
		if in, ok := l.Input().(engine.Samples); ok { // a gap is no sample
			r.pending = append(r.pending, in.Samples...)
		}
		return nil
	case "change":
		if l.Change.Status == "" && l.Change.StartedAt.IsZero() { // a history tells of changes when they begin
			l.Change.StartedAt, l.Change.Status = l.At, ops.ChangeStarted
		}
		r.bakes.Change(l.At.Time, *l.Change)
	case "stage":
		if l.Stage < 1 || l.Stage > 10_000 {
			return fmt.Errorf("a stage counts from 1 to 10000")
		}
		r.bakes.Stage(l.At.Time, l.ChangeID, l.Stage, l.State == "finished", l.Units, l.Replaces, l.Stores)
	case "topology", "alert", "tick":
	case "heartbeat", "voice": // the fleet and the voices do not decide on suspects or verdicts yet
	default:
		return fmt.Errorf("unknown kind; there are topology, change, stage, indicator, alert, heartbeat, voice and tick")
	}
	return r.step(l.Input())
}

// flush hands the samples of one time over.
func (r *replay) flush() error {
	if len(r.pending) == 0 {
		return nil
	}
	samples := r.pending
	r.pending = nil
	r.bakes.Observe(samples)
	return r.step(engine.Samples{Samples: samples})
}

func (r *replay) step(in engine.Input) error {
	out := r.engine.Step(in, r.now)
	switch {
	case out.Err != nil:
		return out.Err
	case len(out.Rejected) > 0:
		return fmt.Errorf("the alert was refused: %s", out.Rejected[0].Reason)
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

func (r *replay) verdicts() error {
	for _, o := range r.bakes.Step(r.now) {
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
		case verdictRow:
			_, err = fmt.Fprintf(w, "%s  %-7s stage %d is %s%s\n", v.At, v.ChangeID, v.Stage, v.Verdict, firstReason(v.Reasons))
		}
		return err
	}
}

func suspectWords(list []ops.Suspect) string {
	var sb strings.Builder
	for _, s := range list {
		fmt.Fprintf(&sb, " %s %.0f%%", s.ChangeID, s.Probability*100)
	}
	return sb.String()
}

func firstReason(reasons []ops.Reason) string {
	if len(reasons) == 0 {
		return ""
	}
	return ": " + reasons[0].Message
}

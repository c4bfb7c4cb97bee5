package incidents

import (
	"context"
	"io"
	"path/filepath"
	"time"

	"goc/incidents/engine"
	"goc/incidents/history"
	"goc/ops"
)

// tell is the time of the step that is to run: in whole milliseconds, as a recording has it, and never before the last
// step's. The engine's mutex is held.
func (s *Service) tell() time.Time {
	if now := s.now().UTC().Truncate(time.Millisecond); now.After(s.latest) {
		s.latest = now
	}
	return s.latest
}

// openHistory begins to record, unless that is switched off.
func (s *Service) openHistory(o Options) {
	if o.History == "" || o.Config.History.Off {
		return
	}
	s.history = history.Start(history.Options{Dir: filepath.Clean(o.History), Config: o.Config.History, Version: o.Version, Registerer: o.Registerer, Logger: s.log})
	s.begin("start")
}

// record records the step that has just run. The engine's mutex is held.
func (s *Service) record(in engine.Input, unsound error) {
	answers := s.asked.Fresh() // recorded or not: the next step asks again
	if s.history == nil {
		return
	}
	switch need := s.history.Needs(); {
	case unsound != nil:
		s.log.Error("an input cannot be recorded", "err", unsound)
		s.begin("gap") // it stands in the state from here on
	case need == "segment":
		s.history.Step(s.latest, in, answers)
		s.begin(need)
	case need != "":
		s.begin(need)
	default:
		s.history.Step(s.latest, in, answers)
	}
}

// abandon notes that a step did not run to its end: what other rooms answered in it is forgotten, and the recording, which
// cannot tell what the step has changed, begins anew. The engine's mutex is held.
func (s *Service) abandon() {
	s.asked.Fresh()
	if s.history != nil {
		s.history.Lost(s.latest)
	}
}

// begin records the state as it is now.
func (s *Service) begin(why history.Need) {
	s.asked.Forget()
	saved, next := s.engine.Save(s.latest)
	s.history.Begin(why, s.latest, EngineConfig(s.cfg), s.catalog.Load(), saved, next)
}

// Close ends the recording. It must be called after the last step, and may be called when there is no recording.
func (s *Service) Close() error {
	if s.history == nil {
		return nil
	}
	return s.history.Close()
}

// How much of the history belongs to an incident: what its suspects are weighed by, and that its recovery held.
const (
	historyBefore = time.Hour
	historyAfter  = 5 * time.Minute
)

// noHistory says that nothing is recorded.
func noHistory() error {
	return ops.Errorf(ops.NotFound, "no history is recorded").WithHint("incidents.history.off is set, or there is no data folder")
}

// History opens what was recorded in a span of time as a replay file; a zero time leaves its end open.
func (s *Service) History(ctx context.Context, from, to time.Time) (io.WriterTo, error) {
	if s.history == nil {
		return nil, noHistory()
	}
	e, err := s.history.Export(ctx, from, to)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// IncidentHistory opens what was recorded around an incident as a replay file: from enough before its onset to some
// minutes after its resolution, or to now.
func (s *Service) IncidentHistory(ctx context.Context, id string) (io.WriterTo, error) {
	inc, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	to := time.Time{}
	if !inc.ResolvedAt.IsZero() {
		to = inc.ResolvedAt.Add(historyAfter)
	}
	return s.History(ctx, inc.OnsetAt.Add(-historyBefore), to)
}

package intake

import (
	"context"
	"sync"
	"time"

	"goc/ops"
)

// Journal is where refused hooks are written down, and effects with what caused them.
type Journal interface {
	Append(m ops.Mutation) *ops.Receipt
	Load(ctx context.Context, kind string, each func(ops.Record) error) error
}

// forgeries bounds the audit lines about refused hooks: one per format and minute, which says how many were left out.
type forgeries struct {
	mu   sync.Mutex
	last map[string]time.Time
	left map[string]int
}

// due says whether a line may be written now, and how many were not since the last one.
func (f *forgeries) due(format string, now time.Time) (left int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil {
		f.last, f.left = map[string]time.Time{}, map[string]int{}
	}
	if at, seen := f.last[format]; seen && now.Sub(at) < time.Minute {
		f.left[format]++
		return 0, false
	}
	left, f.last[format], f.left[format] = f.left[format], now, 0
	return left, true
}

// forged writes down that a hook was forged or replayed, and returns err. Nobody waits for the line: a refusal must not
// cost a commit's time.
func (s *Service) forged(format string, err *ops.Error) error {
	if s.journal == nil {
		return err
	}
	if left, ok := s.forgeries.due(format, s.now()); ok {
		s.journal.Append(ops.Mutation{Events: []ops.Event{ops.NewEvent(ops.At(s.now()), "hook.refused", "auth", format, "", map[string]any{
			"text": "a hook of " + format + " was refused: " + err.Message, "reason": err.Message, "more_before": left,
		})}})
	}
	return err
}

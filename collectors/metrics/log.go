package metrics

import (
	"context"
	"log/slog"
)

// quiet lets only warnings and errors of Prometheus' parts through: what they say at level info (segments, blocks,
// garbage) is nobody's business here.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(a)} }
func (q quiet) WithGroup(n string) slog.Handler      { return quiet{q.Handler.WithGroup(n)} }

func quietLogger(l *slog.Logger, part string) *slog.Logger {
	return slog.New(quiet{l.Handler()}).With("part", part)
}

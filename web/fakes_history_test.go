package web_test

import (
	"context"
	"io"
	"strings"
	"time"

	"goc/ops"
)

// fakeHistory is a replay file of one line.
type fakeHistory struct{ *strings.Reader }

func (incidentRoom) History(_ context.Context, from, to time.Time) (io.WriterTo, error) {
	if !to.IsZero() && to.Before(from) {
		return nil, ops.Errorf(ops.Invalid, "a span must not end before it starts").At("query.to")
	}
	return fakeHistory{strings.NewReader("gzip of lines")}, nil
}

func (r incidentRoom) IncidentHistory(ctx context.Context, id string) (io.WriterTo, error) {
	if _, err := r.Get(ctx, id); err != nil {
		return nil, err
	}
	return fakeHistory{strings.NewReader("gzip of lines")}, nil
}

package web

import (
	"context"
	"sort"
	"strconv"

	"goc/ops"
)

type eventList struct {
	Since   string `query:"since" maxLength:"64" doc:"those after this sequence number"`
	Topic   string `query:"topic" maxLength:"64"`
	Subject string `query:"subject" maxLength:"256"`
	Paging
}

// listEvents answers events in order after since; next is the since of the page that follows.
func (s *Server) listEvents(ctx context.Context, in *eventList) (ops.List[ops.Event], error) {
	since, err := sequence(in.Since, "query.since")
	if err != nil {
		return ops.List[ops.Event]{}, err
	}
	return s.eventPage(ctx, in, since)
}

// listAudit is listEvents that also starts at a time.
func (s *Server) listAudit(ctx context.Context, in *eventList) (ops.List[ops.Event], error) {
	since, err := sequence(in.Since, "query.since")
	if err != nil {
		at, timeErr := queryTime(in.Since, "query.since")
		if timeErr != nil {
			return ops.List[ops.Event]{}, ops.Errorf(ops.Invalid, "must be a sequence number or a time like 2026-11-20T08:00:00Z").At("query.since")
		}
		if since, err = s.before(ctx, ops.At(at)); err != nil {
			return ops.List[ops.Event]{}, err
		}
	}
	return s.eventPage(ctx, in, since)
}

func (s *Server) eventPage(ctx context.Context, in *eventList, since int64) (ops.List[ops.Event], error) {
	if in.Cursor != "" {
		var err error
		if since, err = sequence(in.Cursor, "query.cursor"); err != nil {
			return ops.List[ops.Event]{}, err
		}
	}
	size := in.page().Size()
	got, err := s.o.Journal.Events(ctx, ops.EventQuery{Since: since, Limit: size, Topic: in.Topic, Subject: in.Subject})
	if err != nil {
		return ops.List[ops.Event]{}, err
	}
	out := filled(ops.List[ops.Event]{Items: got})
	if len(got) == size {
		out.Next = strconv.FormatInt(got[size-1].Seq, 10)
	}
	return out, nil
}

// sequence reads a sequence number; "" is 0.
func sequence(text, location string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, ops.Errorf(ops.Invalid, "must be a sequence number").At(location)
	}
	return n, nil
}

// before finds the last sequence number before a time. Events are in order of time, so a search by halves finds it in
// some twenty reads.
func (s *Server) before(ctx context.Context, at ops.Time) (int64, error) {
	var failed error
	n := sort.Search(int(s.o.Journal.LastSeq()), func(i int) bool {
		got, err := s.o.Journal.Events(ctx, ops.EventQuery{Since: int64(i), Limit: 1})
		if err != nil {
			failed = err
		}
		return err != nil || len(got) == 0 || !got[0].At.Before(at.Time)
	})
	return int64(n), failed
}

func (s *Server) verifyAudit(ctx context.Context, _ *struct{}) (ops.ChainReport, error) {
	return s.o.Journal.Verify(ctx)
}

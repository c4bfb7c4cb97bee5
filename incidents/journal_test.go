package incidents_test

import (
	"context"
	"slices"
	"sort"
	"sync"

	"goc/ops"
)

// journal is a journal in memory. Nothing it is given is on disk, but a second room on it finds what the first left.
type journal struct {
	mu        sync.Mutex
	rows      map[[2]string][]byte
	events    []ops.Event
	mutations int
	broken    error
	hold      chan struct{} // while it is open nothing is settled; nil settles at once
}

func newJournal() *journal { return &journal{rows: map[[2]string][]byte{}} }

func (j *journal) Append(m ops.Mutation) *ops.Receipt {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mutations++
	for _, r := range m.Delete {
		delete(j.rows, [2]string{r.Kind, r.ID})
	}
	for _, r := range m.Put {
		j.rows[[2]string{r.Kind, r.ID}] = r.Body
	}
	events := slices.Clone(m.Events)
	for i := range events {
		events[i].Seq = int64(len(j.events) + i + 1)
	}
	j.events = append(j.events, events...)
	r := ops.NewReceipt()
	hold, err := j.hold, j.broken
	go func() {
		if hold != nil {
			<-hold
		}
		r.Settle(events, err)
	}()
	return r
}

func (j *journal) Load(_ context.Context, kind string, each func(ops.Record) error) error {
	j.mu.Lock()
	var list []ops.Record
	for k, body := range j.rows {
		if k[0] == kind {
			list = append(list, ops.Record{Kind: kind, ID: k[1], Body: body})
		}
	}
	j.mu.Unlock()
	sort.Slice(list, func(a, b int) bool { return list[a].ID < list[b].ID })
	for _, r := range list {
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) Events(_ context.Context, q ops.EventQuery) ([]ops.Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []ops.Event
	for _, e := range j.events {
		if e.Seq > q.Since && (q.Subject == "" || e.Subject == q.Subject) && (q.Topic == "" || e.Topic == q.Topic) && (q.Limit == 0 || len(out) < q.Limit) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (j *journal) count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mutations
}

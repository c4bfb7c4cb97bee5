package changes_test

import (
	"context"
	"slices"
	"sort"
	"sync"

	"goc/ops"
)

// journal is a journal in memory. Nothing it is given is on disk, but a second room on it finds what the first left.
type journal struct {
	mu      sync.Mutex
	rows    map[[2]string][]byte
	events  []ops.Event
	effects []ops.Effect
	refuse  bool // the next mutation, and only that
}

func newJournal() *journal { return &journal{rows: map[[2]string][]byte{}} }

func (j *journal) Append(m ops.Mutation) *ops.Receipt {
	j.mu.Lock()
	if j.refuse {
		j.refuse = false
		j.mu.Unlock()
		r := ops.NewReceipt()
		r.Settle(nil, ops.Errorf(ops.TooLarge, "refused"))
		return r
	}
	for _, r := range m.Put {
		j.rows[[2]string{r.Kind, r.ID}] = r.Body
	}
	for _, r := range m.Delete {
		delete(j.rows, [2]string{r.Kind, r.ID})
	}
	events := slices.Clone(m.Events)
	for i := range events {
		events[i].Seq = int64(len(j.events) + i + 1)
	}
	j.events = append(j.events, events...)
	j.effects = append(j.effects, m.Effects...)
	j.mu.Unlock()
	r := ops.NewReceipt()
	r.Settle(events, nil)
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

// names are the names of the events so far.
func (j *journal) names() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []string
	for _, e := range j.events {
		out = append(out, e.Name)
	}
	return out
}

func (j *journal) last() ops.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.events[len(j.events)-1]
}

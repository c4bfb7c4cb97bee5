package incidents

import (
	"context"
	"sync"

	"goc/incidents/engine"
	"goc/ops"
)

// alertsPerStep bounds one mutation of a batch of alerts.
const alertsPerStep = 2_500

// arrivals are the batches of alerts that wait for the engine. Those that come in while a step runs are one step together:
// what a step costs per incident is then paid once for all of them, so that a storm is not held up by its own size.
type arrivals struct {
	mu      sync.Mutex
	waiting []*arrival
}

// arrival is one batch, or a part of one, and what became of it.
type arrival struct {
	alerts   []ops.Alert
	done     bool
	rejected []ops.Rejected
	receipts []*ops.Receipt
}

func (a *arrivals) add(one *arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, one)
}

// next takes the oldest that wait, as many as fit into one step.
func (a *arrivals) next() []*arrival {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, size := 0, 0
	for n < len(a.waiting) && (n == 0 || size+len(a.waiting[n].alerts) <= alertsPerStep) {
		size += len(a.waiting[n].alerts)
		n++
	}
	out := a.waiting[:n:n]
	a.waiting = a.waiting[n:]
	return out
}

// ReceiveAlerts takes alerts from anywhere, at most ops.MaxAlertsBatch at once: those that are good are on disk when it
// returns, the others are listed with their reasons.
func (s *Service) ReceiveAlerts(ctx context.Context, source string, alerts []ops.Alert) ([]ops.Rejected, error) {
	if len(alerts) > ops.MaxAlertsBatch {
		return nil, ops.Errorf(ops.TooLarge, "a batch may hold at most %d alerts", ops.MaxAlertsBatch)
	}
	s.counts.received(source, len(alerts))
	rejected := []ops.Rejected{}
	var receipts []*ops.Receipt
	for from := 0; from < len(alerts); from += alertsPerStep {
		a := arrive(source, alerts[from:min(len(alerts), from+alertsPerStep)])
		s.arrivals.add(a)
		s.takeArrivals(a)
		receipts = append(receipts, a.receipts...)
		for _, no := range a.rejected {
			rejected = append(rejected, ops.Rejected{Index: from + no.Index, Reason: no.Reason})
		}
	}
	s.counts.refused(source, len(rejected))
	return rejected, wait(ctx, receipts)
}

// arrive makes an arrival of alerts: each with its source, as the engine takes it.
func arrive(source string, alerts []ops.Alert) *arrival {
	in, _ := engine.Whole(engine.Alerts{Alerts: alerts}) // alerts always are recorded
	a := &arrival{alerts: in.(engine.Alerts).Alerts}
	for i := range a.alerts {
		if source != "" {
			a.alerts[i].Source = source
		}
	}
	return a
}

// takeArrivals runs steps until a has been taken: by this call, or by another one while this waited.
func (s *Service) takeArrivals(a *arrival) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !a.done {
		batch := s.arrivals.next()
		var in engine.Alerts
		for _, one := range batch {
			in.Alerts = append(in.Alerts, one.alerts...)
		}
		out, receipts := s.run(in, nil)
		from := 0
		for _, one := range batch {
			one.done, one.receipts = true, receipts
			for _, no := range out.Rejected {
				if i := no.Index - from; i >= 0 && i < len(one.alerts) {
					one.rejected = append(one.rejected, ops.Rejected{Index: i, Reason: no.Reason})
				}
			}
			from += len(one.alerts)
		}
	}
}

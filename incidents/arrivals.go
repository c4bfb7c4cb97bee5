package incidents

import (
	"context"
	"runtime/debug"
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
	taking  bool // somebody takes them
}

// arrival is one batch, or a part of one, and what became of it.
type arrival struct {
	alerts   []ops.Alert
	done     chan struct{} // closed once rejected and receipts are there
	rejected []ops.Rejected
	receipts []*ops.Receipt
	err      error
}

// add says whether somebody must begin to take what waits.
func (a *arrivals) add(one *arrival) (begin bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, one)
	begin, a.taking = !a.taking, true
	return begin
}

// next takes the oldest that wait, as many as fit into one step. When it returns none, nobody takes them any more.
func (a *arrivals) next() []*arrival {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) == 0 {
		a.taking = false
		return nil
	}
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
		if s.arrivals.add(a) {
			go s.takeArrivals()
		}
		<-a.done // a step takes milliseconds, and nothing in it waits
		if a.err != nil {
			return nil, a.err
		}
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
	a := &arrival{alerts: in.(engine.Alerts).Alerts, done: make(chan struct{})}
	for i := range a.alerts {
		if source != "" {
			a.alerts[i].Source = source
		}
	}
	return a
}

// takeArrivals runs a step for all that waits, until nothing does. Only one runs at a time: those who wait for their
// batch do not crowd at the engine's mutex.
func (s *Service) takeArrivals() {
	for batch := s.arrivals.next(); batch != nil; batch = s.arrivals.next() {
		s.takeBatch(batch)
	}
}

// takeBatch runs one step for several arrivals and tells each what became of it.
func (s *Service) takeBatch(batch []*arrival) {
	var in engine.Alerts
	for _, one := range batch {
		in.Alerts = append(in.Alerts, one.alerts...)
	}
	out, receipts, err := s.runSafely(in)
	from := 0
	for _, one := range batch {
		one.receipts, one.err = receipts, err
		for _, no := range out.Rejected {
			if i := no.Index - from; i >= 0 && i < len(one.alerts) {
				one.rejected = append(one.rejected, ops.Rejected{Index: i, Reason: no.Reason})
			}
		}
		from += len(one.alerts)
		close(one.done)
	}
}

// runSafely is run for a goroutine of our own: a mistake of ours in it is an error to those who sent the alerts, as it is
// to those who send anything else, and not the end of the program.
func (s *Service) runSafely(in engine.Input) (out engine.Outputs, receipts []*ops.Receipt, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("a step failed", "err", p, "stack", string(debug.Stack()))
			err = ops.Errorf(ops.Internal, "the alerts could not be taken")
		}
	}()
	out, receipts = s.run(in, nil)
	return out, receipts, nil
}

package simulate

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"goc/ops"
)

// Progress is how a run stands.
type Progress struct {
	Seconds  float64        `json:"seconds"`
	Sent     int64          `json:"sent"` // beats, those that were put off and sent again included
	Accepted int64          `json:"accepted"`
	Rejected int64          `json:"rejected"`
	Requests int64          `json:"requests"`
	PutOff   int64          `json:"put_off"`         // requests answered 429, 502, 503 or 504
	Broken   int64          `json:"broken"`          // connections that broke or could not be opened
	Behind   int64          `json:"behind"`          // times that a connection was more than an interval late
	P50      float64        `json:"p50_ms"`          // of the answers: in a Progress those of the last second, in a Summary all
	P99      float64        `json:"p99_ms"`          //
	States   map[string]int `json:"states,omitzero"` // as the server counts its whole fleet; absent where it does not tell
}

// Summary is how a run went.
type Summary struct {
	Devices   int               `json:"devices"`
	Stores    int               `json:"stores"`
	Scenarios map[string]string `json:"scenarios"` // what each does
	Seed      uint64            `json:"seed"`
	Progress
	PerSecond float64          `json:"accepted_per_s"`
	Worst     float64          `json:"worst_ms"`
	Reasons   map[string]int64 `json:"reasons"` // why beats were rejected
}

// tell calls Progress once a second until done.
func (r *run) tell(ctx context.Context, done <-chan struct{}) {
	if r.o.Progress == nil {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for before := r.took.Counts(); ; {
		select {
		case <-done:
			return
		case <-tick.C:
			now := r.took.Counts()
			r.o.Progress(r.progress(ctx, now.Since(before)))
			before = now
		}
	}
}

func (r *run) progress(ctx context.Context, took *Counts) Progress {
	return Progress{
		Seconds: time.Since(r.start).Seconds(), Sent: r.sent.Load(), Accepted: r.accepted.Load(), Rejected: r.rejected.Load(),
		Requests: r.requests.Load(), PutOff: r.putOff.Load(), Broken: r.broken.Load(), Behind: r.behind.Load(),
		P50: ms(took.At(0.5)), P99: ms(took.At(0.99)), States: r.states(ctx),
	}
}

func (r *run) summary(ctx context.Context) Summary {
	s := Summary{
		Devices: r.fleet.devices, Stores: r.fleet.stores, Scenarios: map[string]string{}, Seed: r.o.Seed,
		Progress: r.progress(context.WithoutCancel(ctx), r.took.Counts()), Worst: ms(r.took.Worst()), Reasons: r.reasons,
	}
	s.PerSecond = float64(s.Accepted) / max(s.Seconds, 1e-9)
	for _, t := range r.trouble {
		s.Scenarios[t.Name] = t.Text
	}
	return s
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// states asks the server how many devices are in which state; nil where it does not say, as to an agent's token.
func (r *run) states(ctx context.Context) map[string]int {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.path("fleet").String()+"?group_by=state", nil)
	if err != nil {
		return nil
	}
	if r.o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+r.o.Token)
	}
	resp, err := r.people.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	var l ops.List[ops.FleetGroup]
	if resp.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&l) != nil {
		return nil
	}
	out := map[string]int{}
	for _, g := range l.Items {
		out[g.Group["state"]] = g.Total
	}
	return out
}

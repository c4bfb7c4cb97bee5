package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"goc/ops"
	"goc/world/simulate"
)

type fleetSimulateCmd struct {
	Devices     int           `help:"How many devices." default:"1000"`
	PerStore    int           `help:"Devices of a store." default:"50"`
	Scenario    []string      `help:"steady, power-cut, firmware, flapping, clock-skew, herd; several at once with commas." default:"steady"`
	Share       float64       `help:"Of the fleet that a scenario falls on." default:"0.1"`
	For         time.Duration `help:"How long, 24h at most." default:"5m"`
	Interval    time.Duration `help:"From one beat of a device to the next." default:"30s"`
	Rate        int           `help:"Beats a second at most." default:"100000"`
	Batch       int           `help:"Beats of a request: 20 is a store's gateway, 1 a device by itself." default:"20"`
	Connections int           `help:"Connections." default:"4"`
	Pipeline    int           `help:"Requests under way on a connection." default:"1"`
	NDJSON      bool          `name:"ndjson" help:"Objects a line each, in place of a JSON array."`
	Encoding    string        `help:"gzip or zstd." enum:",gzip,zstd" default:""`
	MQTT        string        `name:"mqtt" help:"Send each beat as a message to this server or broker." placeholder:"mqtt://HOST:1883"`
	Seed        uint64        `help:"The same seed makes the same fleet and the same trouble." default:"1"`
	YesReally   bool          `help:"Send to a server that is not on this machine."`
}

// Run drives a fleet that does not exist.
func (k *fleetSimulateCmd) Run(ctx context.Context, c *client, s streams) error {
	server, err := url.Parse(c.base())
	if err != nil {
		return exit(exitUsage, errors.New("--server should read like http://127.0.0.1:8420"))
	}
	to, mqtt := server, (*url.URL)(nil)
	if k.MQTT != "" {
		if mqtt, err = url.Parse(k.MQTT); err != nil {
			return exit(exitUsage, errors.New("--mqtt should read like mqtt://127.0.0.1:1883"))
		}
		to = mqtt
	}
	if !simulate.Loopback(to) && !k.YesReally {
		return exit(exitUsage, fmt.Errorf("%s is not this machine: this would enrol %d devices that do not exist there, send up to %d heartbeats a second for %s, and then let all of them go offline; --yes-really does it",
			to.Host, k.Devices, k.Rate, k.For))
	}
	o := simulate.Options{
		Server: server, MQTT: mqtt, Token: strings.TrimSpace(c.Token), Devices: k.Devices, PerStore: k.PerStore, Scenarios: k.Scenario, Share: k.Share, For: k.For,
		Interval: k.Interval, Rate: k.Rate, Batch: k.Batch, Lines: k.Connections, Pipeline: k.Pipeline, NDJSON: k.NDJSON,
		Encoding: k.Encoding, Seed: k.Seed, Progress: func(p simulate.Progress) { tellProgress(s.err, p) },
	}
	if need := float64(k.Devices) / k.Interval.Seconds(); need > float64(k.Rate) {
		fmt.Fprintf(s.err, "%d devices every %s are %.0f beats a second, more than --rate %d: each beats less often, and may count as late\n", k.Devices, k.Interval, need, k.Rate)
	}
	sum, err := simulate.Run(ctx, o)
	if err != nil && sum.Sent == 0 {
		return k.failed(err)
	}
	if shown := c.show(s, sum, func(w io.Writer) { tellSummary(w, &sum) }); shown != nil {
		return shown
	}
	if err != nil {
		return k.failed(err)
	}
	return nil
}

// failed gives an error its exit code, and its place the name of the flag.
func (k *fleetSimulateCmd) failed(err error) error {
	p := problem{Detail: err.Error()}
	var e *ops.Error
	if errors.As(err, &e) {
		p.Hint = e.Hint
		if e.Location != "" {
			p.Detail = "--" + e.Location + ": " + e.Message
		}
	}
	code := exitFailed
	switch ops.KindOf(err) {
	case ops.Unavailable:
		code = exitUnavailable
	case ops.Invalid:
		code = exitUsage
	}
	p.Title = exitTitles[code]
	return exit(code, p)
}

func tellProgress(w io.Writer, p simulate.Progress) {
	fmt.Fprintf(w, "%5.0f s  sent %d  accepted %d  rejected %d  p50 %.1f ms  p99 %.1f ms%s%s\n",
		p.Seconds, p.Sent, p.Accepted, p.Rejected, p.P50, p.P99, troubles(&p), statesText(p.States))
}

// troubles says what went wrong on the way, where anything did.
func troubles(p *simulate.Progress) (text string) {
	for _, t := range []struct {
		n    int64
		what string
	}{{p.PutOff, "put off"}, {p.Broken, "broken connections"}, {p.Behind, "behind"}} {
		if t.n > 0 {
			text += fmt.Sprintf("  %d %s", t.n, t.what)
		}
	}
	return text
}

// statesText lists the states that devices are in, in their order.
func statesText(states map[string]int) (text string) {
	for _, name := range ops.DeviceStates() {
		if n := states[name]; n > 0 {
			text += fmt.Sprintf("  %s %d", name, n)
		}
	}
	return text
}

func tellSummary(w io.Writer, s *simulate.Summary) {
	fmt.Fprintf(w, "%d devices of %d stores for %.1f s\n", s.Devices, s.Stores, s.Seconds)
	for _, name := range slices.Sorted(maps.Keys(s.Scenarios)) {
		fmt.Fprintf(w, "  %s: %s\n", name, s.Scenarios[name])
	}
	fmt.Fprintf(w, "%d beats accepted in %d requests, %.0f/s; %d rejected%s\n", s.Accepted, s.Requests, s.PerSecond, s.Rejected, troubles(&s.Progress))
	for _, reason := range slices.Sorted(maps.Keys(s.Reasons)) {
		fmt.Fprintf(w, "  %d × %s\n", s.Reasons[reason], oneLine(reason))
	}
	fmt.Fprintf(w, "answers: p50 %.1f ms, p99 %.1f ms, worst %.1f ms\n", s.P50, s.P99, s.Worst)
	if text := statesText(s.States); text != "" {
		fmt.Fprintln(w, "the server's whole fleet:"+text)
	}
}

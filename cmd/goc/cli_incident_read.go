package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"goc/ops"
)

type incidentSimilarCmd struct {
	ID string `arg:"" help:"The incident." placeholder:"INC-N"`
}

// Run lists past incidents that resemble one.
func (k *incidentSimilarCmd) Run(ctx context.Context, c *client, s streams) error {
	var l ops.List[ops.Similar]
	if err := c.do(ctx, http.MethodGet, api("incidents", k.ID, "similar"), nil, &l); err != nil {
		return err
	}
	return c.show(s, l, func(w io.Writer) {
		if len(l.Items) == 0 {
			fmt.Fprintln(w, "no past incident resembles it")
		}
		for _, p := range l.Items {
			fmt.Fprintf(w, "%3.0f%%  %s  %s  %s  %s\n", p.Score*100, p.Incident, p.Severity, date(p.OnsetAt), oneLine(p.Title))
			for _, r := range p.Reasons {
				fmt.Fprintf(w, "      %s\n", oneLine(r))
			}
			if p.Cause != nil {
				fmt.Fprintf(w, "      cause: %s\n", oneLine(p.Cause.Text))
			}
			for _, h := range p.Helped {
				fmt.Fprintf(w, "      helped: %s\n", oneLine(h))
			}
		}
	})
}

type incidentReportCmd struct {
	ID string `arg:"" help:"The incident." placeholder:"INC-N"`
}

// Run prints the post-incident report: Markdown, or its parts with --json.
func (k *incidentReportCmd) Run(ctx context.Context, c *client, s streams) error {
	var r ops.IncidentReport
	if err := c.do(ctx, http.MethodGet, api("incidents", k.ID, "report"), nil, &r); err != nil {
		return err
	}
	return c.show(s, r, func(w io.Writer) { fmt.Fprintln(w, strings.TrimRight(printable(r.Markdown), "\n")) })
}

type incidentHandoverCmd struct {
	ID   string `arg:"" optional:"" help:"One incident; everything that is open when left out." placeholder:"INC-N"`
	Lang string `help:"The language." enum:"en,zh" default:"en"`
}

// Run prints how things stand for the next shift.
func (k *incidentHandoverCmd) Run(ctx context.Context, c *client, s streams) error {
	path := "/api/v1/handover"
	if k.ID != "" {
		path = api("incidents", k.ID, "handover")
	}
	var h struct {
		Markdown string `json:"markdown"`
	}
	if err := c.do(ctx, http.MethodGet, path+"?lang="+k.Lang, nil, &h); err != nil {
		return err
	}
	return c.show(s, h, func(w io.Writer) { fmt.Fprintln(w, strings.TrimRight(printable(h.Markdown), "\n")) })
}

type incidentClocksCmd struct {
	By   string `help:"What the groups are." enum:"week,team,fault,severity" default:"week"`
	From string `help:"Incidents detected since then: RFC 3339, or a duration such as 28d; twelve weeks by default." placeholder:"TIME"`
	To   string `help:"Until then; now by default." placeholder:"TIME"`
}

// Run prints how the 1-5-10 clock went.
func (k *incidentClocksCmd) Run(ctx context.Context, c *client, s streams) error {
	q := url.Values{"by": {k.By}}
	now := time.Now()
	for name, v := range map[string]string{"from": when(k.From, now), "to": when(k.To, now)} {
		if v != "" {
			q.Set(name, v)
		}
	}
	var r ops.ClockReport
	if err := c.do(ctx, http.MethodGet, "/api/v1/review/clocks?"+q.Encode(), nil, &r); err != nil {
		return err
	}
	return c.show(s, r, func(w io.Writer) {
		fmt.Fprintf(w, "%s to %s\n", date(r.From), date(r.To))
		if !r.CompleteFrom.IsZero() {
			fmt.Fprintf(w, "of before %s some incidents are no longer in memory and are not counted\n", date(r.CompleteFrom))
		}
		rows := append(append([]ops.ClockGroup{}, r.Groups...), named("all", r.Total), named("drills", r.Drills))
		table(w, strings.ToUpper(r.By)+"\tINCIDENTS\tDETECT\tLOCATE\tRECOVER\tFIRST SUSPECT RIGHT", len(rows), func(i int) string {
			g := rows[i]
			return fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t%s", orDash(g.Key), g.Incidents, legStats(g, g.Detect), legStats(g, g.Locate), legStats(g, g.Recover), firstRight(g))
		})
	})
}

func named(key string, g ops.ClockGroup) ops.ClockGroup { g.Key = key; return g }

// legStats is a leg over several incidents: median, ninetieth percentile, and how many were in time.
func legStats(g ops.ClockGroup, l ops.LegStats) string {
	if g.Incidents == 0 {
		return "-"
	}
	met := fmt.Sprintf("met %d of %d", l.Met, g.Incidents)
	if l.Measured == 0 {
		return met
	}
	return fmt.Sprintf("%s (p90 %s), %s", ops.Since(seconds(l.MedianS)), ops.Since(seconds(l.P90S)), met)
}

func firstRight(g ops.ClockGroup) string {
	if g.Judged == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d", g.FirstHit, g.Judged)
}

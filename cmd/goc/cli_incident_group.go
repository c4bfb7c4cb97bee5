package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"goc/ops"
)

type incidentMergeCmd struct {
	noted
	Into string `arg:"" help:"The incident that stays." placeholder:"INC-N"`
}

// Run merges.
func (k *incidentMergeCmd) Run(ctx context.Context, c *client, s streams) error {
	return k.post(ctx, c, s, "merge", map[string]any{"into": k.Into})
}

// ofAlerts is an incident and some of its alerts.
type ofAlerts struct {
	ID     string   `arg:"" help:"The incident." placeholder:"INC-N"`
	Alerts []string `arg:"" help:"Fingerprints of the alerts, as goc incident alerts lists them."`
	Note   string   `help:"A note for the timeline." placeholder:"TEXT"`
}

type incidentSplitCmd struct {
	ofAlerts
	Title string `help:"Of the new incident; the summary of its first alert when left out." placeholder:"TEXT"`
}

// Run makes an incident of its own of some alerts, and shows the new one.
func (k *incidentSplitCmd) Run(ctx context.Context, c *client, s streams) error {
	body := map[string]any{"alerts": k.Alerts}
	for name, v := range map[string]string{"title": k.Title, "note": k.Note} {
		if v != "" {
			body[name] = v
		}
	}
	var in ops.Incident
	if err := c.do(ctx, http.MethodPost, api("incidents", k.ID, "split"), body, &in); err != nil {
		return err
	}
	return c.show(s, in, func(w io.Writer) { fmt.Fprintf(w, "%s  %s  %s  %s\n", in.ID, in.Severity, in.State, oneLine(in.Title)) })
}

type incidentUnlinkCmd struct{ ofAlerts }

// Run takes alerts out of an incident.
func (k *incidentUnlinkCmd) Run(ctx context.Context, c *client, s streams) error {
	return noted{ID: k.ID, Note: k.Note}.post(ctx, c, s, "unlink", map[string]any{"alerts": k.Alerts})
}

type incidentAlertsCmd struct {
	ID string `arg:"" help:"The incident." placeholder:"INC-N"`
}

// Run lists the alerts of an incident, each with why it belongs there.
func (k *incidentAlertsCmd) Run(ctx context.Context, c *client, s streams) error {
	var in ops.Incident
	if err := c.do(ctx, http.MethodGet, api("incidents", k.ID), nil, &in); err != nil {
		return err
	}
	if in.Alerts == nil {
		in.Alerts = []ops.IncidentAlert{}
	}
	return c.show(s, in.Alerts, func(w io.Writer) {
		table(w, "FINGERPRINT\tSTATUS\tSINCE\tALERT\tBECAUSE", len(in.Alerts), func(i int) string {
			a := in.Alerts[i]
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", a.Fingerprint, a.Status, clock(a.StartsAt), a.Summary(), a.Reason)
		})
		if more := in.AlertsTotal - len(in.Alerts); more > 0 {
			fmt.Fprintf(w, "and %d more, no longer listed\n", more)
		}
	})
}

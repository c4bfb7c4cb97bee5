package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"goc/ops"
)

type gateReviewCmd struct {
	ID   string `arg:"" help:"The override." placeholder:"OVR-N"`
	Note string `help:"What was found, and what follows from it." required:"" placeholder:"TEXT"`
}

// Run closes an override's follow-up.
func (g *gateReviewCmd) Run(ctx context.Context, c *client, s streams) error {
	c.about = g.ID
	var o ops.Override
	if err := c.do(ctx, http.MethodPost, api("gate", "overrides", g.ID, "review"), ops.OverrideReview{Note: g.Note}, &o); err != nil {
		return err
	}
	return c.show(s, o, func(w io.Writer) {
		fmt.Fprintf(w, "%s of %s was looked at by %s\n", o.ID, o.ChangeID, oneLine(o.FollowUp.ClosedBy))
	})
}

type gateHygieneCmd struct{}

// Run lists what is worth to tidy up.
func (g *gateHygieneCmd) Run(ctx context.Context, c *client, s streams) error {
	var h ops.GateHygiene
	if err := c.do(ctx, http.MethodGet, "/api/v1/gate/hygiene", nil, &h); err != nil {
		return err
	}
	return c.show(s, h, func(w io.Writer) {
		if len(h.Items) == 0 {
			fmt.Fprintf(w, "nothing to tidy up since %s\n", date(h.Since))
		}
		for _, i := range h.Items {
			fmt.Fprintf(w, "%s  %s\n  %s\n  → %s\n", i.Kind, oneLine(i.Subject), oneLine(i.Text), oneLine(i.Advice))
		}
		for _, kind := range slices.Sorted(maps.Keys(h.Omitted)) {
			fmt.Fprintf(w, "and %d more of %s\n", h.Omitted[kind], kind)
		}
	})
}

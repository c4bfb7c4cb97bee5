package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"goc/ops"
)

type fleetCmd struct {
	List fleetListCmd `cmd:"" help:"Count devices by state."`
}

type fleetListCmd struct {
	GroupBy []string `help:"city, region, store, kind, model, firmware, network, state." default:"city"`
	State   string   `help:"Only devices in this state."`
}

// Run counts the fleet.
func (k *fleetListCmd) Run(ctx context.Context, c *client, s streams) error {
	q := url.Values{"group_by": {strings.Join(k.GroupBy, ",")}}
	if k.State != "" {
		q.Set("state", k.State)
	}
	var l ops.List[ops.FleetGroup]
	if err := c.do(ctx, http.MethodGet, "/api/v1/fleet?"+q.Encode(), nil, &l); err != nil {
		return err
	}
	return c.show(s, l, func(w io.Writer) {
		head := strings.ToUpper(strings.Join(k.GroupBy, "\t")) + "\tTOTAL\tONLINE\tDEGRADED\tLATE\tOFFLINE"
		table(w, head, len(l.Items), func(i int) string {
			g := l.Items[i]
			var cells []string
			for _, key := range k.GroupBy {
				cells = append(cells, g.Group[key])
			}
			n := g.States
			return fmt.Sprintf("%s\t%d\t%d\t%d\t%d\t%d", strings.Join(cells, "\t"), g.Total, n["online"], n["degraded"], n["late"], n["offline"])
		})
	})
}

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a token. It is shown once."`
	List   tokenListCmd   `cmd:"" help:"List tokens."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke a token."`
}

// tokenView is a token as the API shows it; the secret only when it is made.
type tokenView struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Role      string   `json:"role"`
	CreatedAt ops.Time `json:"created_at"`
	ExpiresAt ops.Time `json:"expires_at"`
	Token     string   `json:"token,omitempty"`
}

type tokenCreateCmd struct {
	Name string `arg:"" help:"Whose it is."`
	Role string `help:"viewer, responder, commander, admin, ci, agent, sender." required:""`
}

// Run makes a token.
func (k *tokenCreateCmd) Run(ctx context.Context, c *client, s streams) error {
	var t tokenView
	if err := c.do(ctx, http.MethodPost, "/api/v1/tokens", map[string]any{"name": k.Name, "role": k.Role}, &t); err != nil {
		return err
	}
	return c.show(s, t, func(w io.Writer) { fmt.Fprintln(w, t.Token) })
}

type tokenListCmd struct{}

// Run lists tokens.
func (k *tokenListCmd) Run(ctx context.Context, c *client, s streams) error {
	var l ops.List[tokenView]
	if err := c.do(ctx, http.MethodGet, "/api/v1/tokens", nil, &l); err != nil {
		return err
	}
	return c.show(s, l, func(w io.Writer) {
		table(w, "ID\tNAME\tROLE\tSINCE", len(l.Items), func(i int) string {
			t := l.Items[i]
			return fmt.Sprintf("%s\t%s\t%s\t%s", t.ID, t.Name, t.Role, clock(t.CreatedAt))
		})
	})
}

type tokenRevokeCmd struct {
	ID string `arg:"" help:"The token's id."`
}

// Run revokes a token.
func (k *tokenRevokeCmd) Run(ctx context.Context, c *client, s streams) error {
	if err := c.do(ctx, http.MethodDelete, api("tokens", k.ID), nil, nil); err != nil {
		return err
	}
	return c.show(s, map[string]string{"revoked": k.ID}, func(w io.Writer) { fmt.Fprintf(w, "%s revoked\n", k.ID) })
}

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"goc/ops"
)

type fleetCmd struct {
	List     fleetListCmd     `cmd:"" help:"Count devices by state."`
	Explain  fleetExplainCmd  `cmd:"" help:"Say what the affected of a CSV file have in common."`
	Enrol    fleetEnrolCmd    `cmd:"" help:"Give a device its own secret, by an enrolment token."`
	Login    fleetLoginCmd    `cmd:"" help:"Give a device a new secret, or take it back."`
	Simulate fleetSimulateCmd `cmd:"" help:"Drive devices that do not exist against a server."`
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
		states := statesIn(l.Items)
		head := strings.ToUpper(strings.Join(append(append(slices.Clone(k.GroupBy), "total"), states...), "\t"))
		table(w, head, len(l.Items), func(i int) string {
			g := l.Items[i]
			var cells []string
			for _, key := range k.GroupBy {
				cells = append(cells, g.Group[key])
			}
			cells = append(cells, fmt.Sprint(g.Total))
			for _, state := range states {
				cells = append(cells, fmt.Sprint(g.States[state]))
			}
			return strings.Join(cells, "\t")
		})
	})
}

// statesIn lists the states worth a column: the four that matter, and others that occur.
func statesIn(groups []ops.FleetGroup) []string {
	out := []string{"online", "degraded", "late", "offline"}
	for _, state := range []string{"closed", "retired", "never_seen"} {
		if slices.ContainsFunc(groups, func(g ops.FleetGroup) bool { return g.States[state] > 0 }) {
			out = append(out, state)
		}
	}
	return out
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
	Role string `help:"viewer, responder, commander, admin, ci, agent, sender." enum:"viewer,responder,commander,admin,ci,agent,sender" required:""`
	For  string `help:"How long it is good: 90d, 12h; for ever, when left out." placeholder:"90d"`
	Uses int    `help:"Of a token named enrol:STORE: how many devices it may enrol." placeholder:"20"`
}

// Run makes a token.
func (k *tokenCreateCmd) Run(ctx context.Context, c *client, s streams) error {
	body := map[string]any{"name": k.Name, "role": k.Role}
	if k.For != "" {
		body["expires_in"] = k.For
	}
	if k.Uses != 0 {
		body["uses"] = k.Uses
	}
	var t tokenView
	if err := c.do(ctx, http.MethodPost, "/api/v1/tokens", body, &t); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "token %s of role %s for %s; it is not shown again\n", t.ID, t.Role, t.Name)
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
		table(w, "ID\tNAME\tROLE\tSINCE\tUNTIL", len(l.Items), func(i int) string {
			t := l.Items[i]
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", t.ID, t.Name, t.Role, date(t.CreatedAt), date(t.ExpiresAt))
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

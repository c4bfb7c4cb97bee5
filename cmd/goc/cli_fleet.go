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
	Import   fleetImportCmd   `cmd:"" help:"Make devices known from a CSV file."`
	Retire   fleetRetireCmd   `cmd:"" help:"Take devices out of service."`
	Move     fleetMoveCmd     `cmd:"" help:"Take a device to another store, with its state."`
	Rename   fleetRenameCmd   `cmd:"" help:"Give a device another name."`
	Simulate fleetSimulateCmd `cmd:"" help:"Drive devices that do not exist against a server."`
}

type fleetListCmd struct {
	GroupBy []string `help:"city, region, store, kind, model, firmware, network, state." default:"city"`
	State   string   `help:"Only devices in this state."`

	Devices  bool     `help:"List devices one by one, not counts."`
	Store    []string `help:"Only of these stores."`
	City     []string `help:"Only of these cities."`
	Region   []string `help:"Only of these regions."`
	Kind     []string `help:"Only of these kinds."`
	Model    []string `help:"Only of these models."`
	Firmware []string `help:"Only with these firmwares."`
	Limit    int      `help:"Devices of a page, 1000 at most." default:"100"`
	Cursor   string   `help:"Where the page begins, as the page before said."`
}

// Run counts the fleet.
func (k *fleetListCmd) Run(ctx context.Context, c *client, s streams) error {
	if k.Devices {
		return k.listDevices(ctx, c, s)
	}
	q := k.filter()
	q.Set("group_by", strings.Join(k.GroupBy, ","))
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

// filter is what narrows the list, as the API asks for it.
func (k *fleetListCmd) filter() url.Values {
	q := url.Values{}
	for name, v := range map[string][]string{
		"store": k.Store, "city": k.City, "region": k.Region, "kind": k.Kind, "model": k.Model, "firmware": k.Firmware, "state": {k.State},
	} {
		if text := strings.Join(v, ","); text != "" {
			q.Set(name, text)
		}
	}
	return q
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

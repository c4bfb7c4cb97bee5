package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"goc/changes/calendar"
	"goc/ops"
)

type gatePolicyCmd struct {
	DryRun gatePolicyDryRunCmd `cmd:"" help:"Say what a policy would have done to the changes that went out."`
}

type gatePolicyDryRunCmd struct {
	File  string `arg:"" optional:"" help:"The policy in YAML, as it would stand in the configuration." placeholder:"FILE"`
	Expr  string `help:"Its condition in CEL, in place of a file." placeholder:"CEL"`
	Since string `help:"From when on: RFC 3339, or 30d (ago)." default:"30d" placeholder:"TIME"`
}

// Run tries a policy on the past.
func (k *gatePolicyDryRunCmd) Run(ctx context.Context, c *client, s streams) error {
	if (k.File == "") == (k.Expr == "") {
		return exit(exitUsage, errors.New("give the policy as FILE, or its condition as --expr"))
	}
	p := ops.GatePolicy{Name: "dry-run", Expr: k.Expr}
	if k.File != "" {
		c.flags = nil // what the server finds wrong is a place in the file
		if err := readYAML(k.File, &p); err != nil {
			return exit(exitUsage, err)
		}
	}
	var d ops.PolicyDryRun
	body := map[string]any{"policy": p, "since": when(k.Since, time.Now())}
	if err := c.do(ctx, http.MethodPost, "/api/v1/gate/policies/dry-run", body, &d); err != nil {
		return err
	}
	return c.show(s, d, func(w io.Writer) { tellDryRun(w, d) })
}

func tellDryRun(w io.Writer, d ops.PolicyDryRun) {
	fmt.Fprintf(w, "%s %s\n", oneLine(d.Policy), oneLine(d.Text))
	if len(d.Items) == 0 {
		return
	}
	table(w, "CHANGE\tWHEN\tSTAGE\tEFFECT\tCAUSED\tTITLE", len(d.Items), func(i int) string {
		x := d.Items[i]
		stage := "-"
		if x.Stage > 0 {
			stage = fmt.Sprint(x.Stage)
		}
		effect := x.Effect
		if x.Error != "" {
			effect += " (" + x.Error + ")"
		}
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", x.ChangeID, date(x.At), stage, effect, strings.Join(x.Incidents, " "), x.Title)
	})
	if more := d.Stopped - len(d.Items); more > 0 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
}

type gateMaintenanceCmd struct {
	Mode   string `arg:"" optional:"" help:"allow (hold back only what nobody may override), deny (let nothing out) or end; without it, what is in force is shown." enum:",allow,deny,end" default:""`
	Until  string `help:"When it ends by itself: RFC 3339, or +1h (from now); at most a day ahead." default:"+1h" placeholder:"TIME"`
	Reason string `help:"Why; every decision says it meanwhile." placeholder:"TEXT"`
}

// Run shows the gate's maintenance, begins it or ends it.
func (k *gateMaintenanceCmd) Run(ctx context.Context, c *client, s streams) error {
	var m ops.GateMaintenance
	var err error
	switch k.Mode {
	case "":
		err = c.do(ctx, http.MethodGet, "/api/v1/gate/maintenance", nil, &m)
	case "end":
		err = c.do(ctx, http.MethodPost, "/api/v1/gate/maintenance", map[string]any{"mode": ""}, &m)
	default:
		err = c.do(ctx, http.MethodPost, "/api/v1/gate/maintenance", map[string]any{"mode": k.Mode, "until": when(k.Until, time.Now()), "reason": k.Reason}, &m)
	}
	if err != nil {
		return err
	}
	return c.show(s, m, func(w io.Writer) {
		if m.Mode == "" {
			fmt.Fprintln(w, "the gate is not under maintenance")
			return
		}
		what := map[string]string{ops.EffectAllow: "holds back only what nobody may override", ops.EffectDeny: "lets nothing out"}[m.Mode]
		fmt.Fprintf(w, "the gate is under maintenance until %s and %s: %s (%s)\n", date(m.Until), what, oneLine(m.Reason), oneLine(m.By))
	})
}

type changeReviewCmd struct {
	onRecord
	Evidence map[string]string `help:"A link for each: prd, design, test_case, code, test, gray, operation." required:"" placeholder:"NAME=URL"`
}

// Run gives evidence of reviews.
func (k *changeReviewCmd) Run(ctx context.Context, c *client, s streams) error {
	id, err := k.id()
	if err != nil {
		return err
	}
	c.about = id
	var ch ops.Change
	if err := c.do(ctx, http.MethodPost, api("changes", id, "reviews"), ops.ReviewEvidence{Reviews: k.Evidence}, &ch); err != nil {
		return err
	}
	return showChange(c, s, ch)
}

type freezeImportCmd struct {
	File     string   `arg:"" help:"A calendar (iCalendar, .ics); - is stdin."`
	Service  []string `help:"Only these services." placeholder:"NAME"`
	Timezone string   `help:"IANA name of the zone of days and times without one of their own." default:"UTC"`
	InFlight string   `help:"What a rollout under way does: finish, pause, rollback." enum:"finish,pause,rollback" default:"finish"`
	Exempt   []string `help:"Kinds of change that they do not hold back." placeholder:"KIND"`
	scopeFlags
}

// Run makes freezes of a calendar's events.
func (k *freezeImportCmd) Run(ctx context.Context, c *client, s streams) error {
	scope, err := k.scope()
	if err != nil {
		return err
	}
	scope.Service = append(scope.Service, k.Service...)
	text, err := readText(k.File, calendar.MaxBytes)
	if err != nil {
		return exit(exitUsage, err)
	}
	body := ops.FreezeImport{Calendar: text, Scope: scope, InFlight: k.InFlight, Timezone: k.Timezone}
	for _, e := range k.Exempt {
		body.Exempt.Kinds = append(body.Exempt.Kinds, ops.ChangeKind(e))
	}
	var out ops.FreezeImported
	if err := c.do(ctx, http.MethodPost, "/api/v1/freezes/import", body, &out); err != nil {
		return err
	}
	return c.show(s, out, func(w io.Writer) {
		fmt.Fprintf(w, "%d added, %d moved, %d as they were, %d lifted, %d in the past\n", out.Added, out.Replaced, out.Unchanged, out.Lifted, out.Over)
		for _, f := range out.Freezes {
			fmt.Fprintf(w, "  %s  %s, %s\n", f.ID, oneLine(f.Name), oneLine(window(f)))
		}
		for _, r := range out.Rejected {
			fmt.Fprintf(w, "  event %d was not taken: %s\n", r.Index+1, oneLine(r.Reason))
		}
	})
}

// readText reads a file of at most limit bytes; - is stdin.
func readText(path string, limit int64) (string, error) {
	in := io.Reader(os.Stdin)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s is over %d bytes", path, limit)
	}
	return string(text), err
}

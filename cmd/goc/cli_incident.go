package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os/user"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

type incidentCmd struct {
	Declare  incidentDeclareCmd `cmd:"" help:"Declare an incident by hand."`
	List     incidentListCmd    `cmd:"" help:"List incidents, newest first."`
	Show     incidentShowCmd    `cmd:"" help:"Show one with its suspects and timeline."`
	Ack      incidentAckCmd     `cmd:"" help:"Say that you are on it."`
	Mitigate incidentMitCmd     `cmd:"" help:"Say that customers no longer suffer."`
	Resolve  incidentResCmd     `cmd:"" help:"Say that it is done."`
	Note     incidentNoteCmd    `cmd:"" help:"Add a note."`
	Role     incidentRoleCmd    `cmd:"" help:"Give somebody a role."`
	Reopen   incidentReopenCmd  `cmd:"" help:"Say that it is not done after all."`
	Severity incidentSevCmd     `cmd:"" help:"Overrule the severity."`
	Confirm  incidentConfirmCmd `cmd:"" help:"Say that a suspect did it: the locate clock stops."`
	Reject   incidentRejectCmd  `cmd:"" help:"Say that a suspect did not do it."`

	Alerts   incidentAlertsCmd   `cmd:"" help:"List its alerts, each with why it belongs there."`
	Merge    incidentMergeCmd    `cmd:"" help:"Say that it is the same trouble as another: everything of it goes there."`
	Split    incidentSplitCmd    `cmd:"" help:"Say that some of its alerts are another trouble: they become an incident of their own."`
	Unlink   incidentUnlinkCmd   `cmd:"" help:"Say that some of its alerts do not belong to it: they are placed anew."`
	Task     incidentTaskCmd     `cmd:"" help:"What somebody is to do, now or after it."`
	Update   incidentUpdateCmd   `cmd:"" help:"Tell stakeholders how it stands, or have that drafted."`
	Link     incidentLinkCmd     `cmd:"" help:"Attach a link, take one away, or list them."`
	Cause    incidentCauseCmd    `cmd:"" help:"Name the cause in words: the locate clock stops."`
	Similar  incidentSimilarCmd  `cmd:"" help:"Past incidents that resemble it, and what helped then."`
	Report   incidentReportCmd   `cmd:"" help:"The post-incident report, as Markdown."`
	Handover incidentHandoverCmd `cmd:"" help:"How things stand, for the next shift, as Markdown."`
	Actions  incidentActionsCmd  `cmd:"" help:"Action items of all incidents, overdue first."`
	Clocks   incidentClocksCmd   `cmd:"" help:"How the 1-5-10 clock went over a span of time."`
	Export   incidentExportCmd   `cmd:"" help:"Write what was recorded around an incident into a replay file."`
}

type incidentDeclareCmd struct {
	Title    string   `arg:"" help:"What is wrong, in a line."`
	Severity string   `help:"P1 to P4; empty lets the impact decide." enum:",P1,P2,P3,P4" default:""`
	Service  []string `help:"The services that suffer." placeholder:"NAME"`
	Onset    string   `help:"Since when: RFC 3339, or a duration such as 10m." placeholder:"TIME"`
	Note     string   `help:"What you know." placeholder:"TEXT"`
	scopeFlags
}

// Run declares an incident.
func (k *incidentDeclareCmd) Run(ctx context.Context, c *client, s streams) error {
	scope, err := k.scope()
	if err != nil {
		return err
	}
	scope.Service = append(scope.Service, k.Service...)
	body := map[string]any{"title": k.Title, "scope": scope}
	for name, v := range map[string]string{"severity": k.Severity, "onset_at": when(k.Onset, time.Now()), "note": k.Note} {
		if v != "" {
			body[name] = v
		}
	}
	var in ops.Incident
	if err := c.do(ctx, http.MethodPost, "/api/v1/incidents", body, &in); err != nil {
		return err
	}
	return showIncident(c, s, in, nil)
}

type incidentListCmd struct {
	State string `help:"open, acknowledged, mitigated, resolved, active (all but resolved) or all." enum:"open,acknowledged,mitigated,resolved,active,all" default:"active"`
	Limit int    `help:"At most so many." default:"50"`
}

// Run lists incidents.
func (k *incidentListCmd) Run(ctx context.Context, c *client, s streams) error {
	q := url.Values{"limit": {fmt.Sprint(k.Limit)}}
	if k.State != "all" {
		q.Set("state", k.State)
	}
	var l ops.List[ops.Incident]
	if err := c.do(ctx, http.MethodGet, "/api/v1/incidents?"+q.Encode(), nil, &l); err != nil {
		return err
	}
	return c.show(s, l, func(w io.Writer) {
		if len(l.Items) == 0 {
			fmt.Fprintf(w, "no incident (%s)\n", k.State)
			return
		}
		table(w, "ID\tSEV\tSTATE\tSINCE\tFIRST SUSPECT\tTITLE", len(l.Items), func(i int) string {
			in := l.Items[i]
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", in.ID, in.Severity, in.State, clock(in.OnsetAt), firstSuspect(in), in.Title)
		})
	})
}

func firstSuspect(in ops.Incident) string {
	if len(in.Suspects) == 0 || in.Suspects[0].Verdict == "rejected" || in.Suspects[0].Probability < in.NoChange {
		return fmt.Sprintf("no change %.0f%%", in.NoChange*100)
	}
	return fmt.Sprintf("%s %.0f%%", in.Suspects[0].ChangeID, in.Suspects[0].Probability*100)
}

type incidentShowCmd struct {
	ID string `arg:"" help:"The incident." placeholder:"INC-N"`
}

// Run shows one incident.
func (k *incidentShowCmd) Run(ctx context.Context, c *client, s streams) error {
	var in ops.Incident
	if err := c.do(ctx, http.MethodGet, api("incidents", k.ID), nil, &in); err != nil {
		return err
	}
	var l ops.List[ops.Entry]
	if err := c.do(ctx, http.MethodGet, api("incidents", k.ID, "timeline"), nil, &l); err != nil {
		return err
	}
	return showIncident(c, s, in, l.Items)
}

func showIncident(c *client, s streams, in ops.Incident, timeline []ops.Entry) error {
	return c.show(s, in, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %s  %s  %s\n", in.ID, in.Severity, in.State, in.Title)
		fmt.Fprintf(w, "  where    %s\n  see      %s\n", in.Scope, c.link("/incidents/"+in.ID))
		for _, role := range slices.Sorted(maps.Keys(in.Roles)) {
			fmt.Fprintf(w, "  %-8s %s\n", role, in.Roles[role])
		}
		fmt.Fprintf(w, "  detect   %s\n  locate   %s\n  recover  %s\n", leg(in.Clock.Detect), leg(in.Clock.Locate), leg(in.Clock.Recover))
		for _, su := range in.Suspects {
			fmt.Fprintf(w, "  %3.0f%%  %s %s (%s)\n", su.Probability*100, su.ChangeID, su.Title, su.Verdict)
			for _, e := range su.Reasons[:min(3, len(su.Reasons))] {
				fmt.Fprintf(w, "        %+.1f %s\n", e.Weight, e.Text)
			}
		}
		fmt.Fprintf(w, "  %3.0f%%  no change did it\n", in.NoChange*100)
		for _, e := range timeline {
			fmt.Fprintf(w, "  %s  %s\n", clock(e.At), e.Text)
		}
	})
}

func leg(l ops.Leg) string {
	text := fmt.Sprintf("%s of %s", ops.Since(seconds(l.ElapsedS)), ops.Since(seconds(l.TargetS)))
	switch {
	case l.Running:
		return text + ", running"
	case l.Met != nil && !*l.Met:
		return text + ", missed: " + l.StoppedBy
	case l.Met != nil:
		return text + ", met: " + l.StoppedBy
	}
	return text
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// noted is an incident and a note, as most of people's actions take them.
type noted struct {
	ID   string `arg:"" help:"The incident." placeholder:"INC-N"`
	Note string `help:"A note for the timeline." placeholder:"TEXT"`
}

func (n noted) post(ctx context.Context, c *client, s streams, action string, body map[string]any, deeper ...string) error {
	if n.Note != "" {
		body["note"] = n.Note
	}
	var in ops.Incident
	if err := c.do(ctx, http.MethodPost, api(append([]string{"incidents", n.ID, action}, deeper...)...), body, &in); err != nil {
		return err
	}
	return c.show(s, in, func(w io.Writer) { fmt.Fprintf(w, "%s  %s  %s  %s\n", in.ID, in.Severity, in.State, in.Title) })
}

type (
	incidentAckCmd    struct{ noted }
	incidentMitCmd    struct{ noted }
	incidentResCmd    struct{ noted }
	incidentReopenCmd struct{ noted }
)

// Run acknowledges.
func (k *incidentAckCmd) Run(ctx context.Context, c *client, s streams) error {
	return k.post(ctx, c, s, "acknowledge", map[string]any{})
}

// Run mitigates.
func (k *incidentMitCmd) Run(ctx context.Context, c *client, s streams) error {
	return k.post(ctx, c, s, "mitigate", map[string]any{})
}

// Run resolves.
func (k *incidentResCmd) Run(ctx context.Context, c *client, s streams) error {
	return k.post(ctx, c, s, "resolve", map[string]any{})
}

// Run reopens.
func (k *incidentReopenCmd) Run(ctx context.Context, c *client, s streams) error {
	return k.post(ctx, c, s, "reopen", map[string]any{})
}

type incidentSevCmd struct {
	noted
	Severity string `arg:"" help:"P1 to P4."`
}

// Run overrules the severity.
func (k *incidentSevCmd) Run(ctx context.Context, c *client, s streams) error {
	return k.post(ctx, c, s, "severity", map[string]any{"severity": strings.ToUpper(k.Severity)})
}

// suspected is a person's verdict on one suspect.
type suspected struct {
	noted
	Suspect string `arg:"" help:"The change." placeholder:"CHG-N"`
}

type (
	incidentConfirmCmd struct{ suspected }
	incidentRejectCmd  struct{ suspected }
)

// Run confirms.
func (k *incidentConfirmCmd) Run(ctx context.Context, c *client, s streams) error {
	return k.post(ctx, c, s, "suspects", map[string]any{}, k.Suspect, "confirm")
}

// Run rejects.
func (k *incidentRejectCmd) Run(ctx context.Context, c *client, s streams) error {
	return k.post(ctx, c, s, "suspects", map[string]any{}, k.Suspect, "reject")
}

type incidentNoteCmd struct {
	ID   string `arg:"" help:"The incident." placeholder:"INC-N"`
	Text string `arg:"" help:"The note."`
}

// Run adds a note.
func (k *incidentNoteCmd) Run(ctx context.Context, c *client, s streams) error {
	return noted{ID: k.ID}.post(ctx, c, s, "notes", map[string]any{"text": k.Text})
}

type incidentRoleCmd struct {
	ID     string `arg:"" help:"The incident." placeholder:"INC-N"`
	Role   string `arg:"" help:"commander, liaison, scribe."`
	Person string `arg:"" optional:"" help:"Who; you, when left out."`
}

// Run gives a role.
func (k *incidentRoleCmd) Run(ctx context.Context, c *client, s streams) error {
	if k.Person == "" {
		k.Person = osUser()
	}
	return noted{ID: k.ID}.post(ctx, c, s, "roles", map[string]any{"role": k.Role, "person": k.Person})
}

func osUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

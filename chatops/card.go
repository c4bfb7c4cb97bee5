package chatops

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"goc/ops"
)

// What Slack bounds, in characters, with room to spare.
const (
	maxSection  = 2900
	maxHeader   = 150
	maxFallback = 3000
	maxField    = 300  // of what we quote: titles, reasons
	maxTold     = 2000 // of what group robots say of one event: an update to stakeholders is long
)

// The buttons' action ids.
const (
	actionAcknowledge = "goc_acknowledge"
	actionResolve     = "goc_resolve"
	actionOpen        = "goc_open"
)

// shapes say how bad it is without colour.
var shapes = map[ops.Severity]string{ops.P1: "■", ops.P2: "▲", ops.P3: "◆", ops.P4: "–"}

// mrkdwn escapes text for Slack and bounds it to n characters, never cutting an entity. Line ends become spaces.
func mrkdwn(s string, n int) string {
	var out strings.Builder
	size := 0
	for _, r := range s {
		piece := string(r)
		switch r {
		case '&':
			piece = "&amp;"
		case '<':
			piece = "&lt;"
		case '>':
			piece = "&gt;"
		case '\n', '\r', '\t':
			piece = " "
		}
		if size += utf8.RuneCountInString(piece); size > n-1 {
			out.WriteString("…")
			break
		}
		out.WriteString(piece)
	}
	return out.String()
}

// plain bounds text that Slack shows as it is.
func plain(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// fallback is the card in one line, for notifications and old clients.
func fallback(inc ops.Incident) string {
	return mrkdwn(fmt.Sprintf("%s %s %s %s: %s", shapes[inc.Severity], inc.Severity, inc.ID, inc.State, inc.Title), maxFallback)
}

// card is an incident as one Block Kit message. link is its war room, "" for none. It is pure.
func card(inc ops.Incident, link string, now time.Time) []slack.Block {
	head := fmt.Sprintf("%s %s  %s  %s", shapes[inc.Severity], inc.Severity, inc.ID, inc.State)
	if inc.Drill != nil {
		head += "  (drill)"
	}
	if inc.Merged != "" {
		head += "  → " + inc.Merged
	}
	blocks := []slack.Block{
		slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, plain(head, maxHeader), false, false)),
		section("*" + mrkdwn(inc.Title, maxField) + "*\n" + impact(inc)),
		section(clock(inc, now)),
	}
	if inc.State.Active() {
		blocks = append(blocks, section(suspects(inc)))
	}
	if told := updates(inc, now); told != "" {
		blocks = append(blocks, section(told))
	}
	if len(inc.Plans) > 0 && inc.State.Active() {
		blocks = append(blocks, section("*Plans that fit* "+mrkdwn(strings.Join(inc.Plans, ", "), maxField)))
	}
	if buttons := actions(inc, link); len(buttons) > 0 {
		blocks = append(blocks, slack.NewActionBlock("goc_actions", buttons...))
	}
	return blocks
}

func section(text string) slack.Block {
	return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, plain(text, maxSection), false, false), nil, nil)
}

// impact says how much is touched, and where.
func impact(inc ops.Incident) string {
	i := inc.Impact
	parts := []string{fmt.Sprintf("%d stores", i.Stores), fmt.Sprintf("%d devices", i.Devices)}
	if i.OrdersPerMin != 0 {
		parts = append(parts, fmt.Sprintf("%+.0f orders/min", i.OrdersPerMin))
	}
	if i.Voice > 0 {
		parts = append(parts, fmt.Sprintf("%d complaints", i.Voice))
	}
	text := strings.Join(parts, " · ") + "\n" + mrkdwn(inc.Scope.String(), maxField)
	if inc.SeverityEvidence != "" {
		text += "\n_" + mrkdwn(inc.SeverityEvidence, maxField) + "_"
	}
	return text
}

// clock is the three legs of 1-5-10. A leg that runs shows the time at which it is due, which stays true while the
// message stands still.
func clock(inc ops.Incident, now time.Time) string {
	lines := []string{"*1-5-10* since " + when(inc.OnsetAt.Time)}
	for _, l := range []struct {
		name string
		leg  ops.Leg
	}{{"detect", inc.Clock.Detect}, {"locate", inc.Clock.Locate}, {"recover", inc.Clock.Recover}} {
		due := inc.OnsetAt.Add(time.Duration(l.leg.TargetS * float64(time.Second)))
		target := ops.Since(time.Duration(l.leg.TargetS * float64(time.Second)))
		text := ""
		switch {
		case !l.leg.Running && l.leg.Met != nil && *l.leg.Met:
			text = fmt.Sprintf("✓ %s %s", l.name, ops.Since(time.Duration(l.leg.ElapsedS*float64(time.Second))))
		case !l.leg.Running && l.leg.Met != nil:
			text = fmt.Sprintf("✗ %s %s, target %s", l.name, ops.Since(time.Duration(l.leg.ElapsedS*float64(time.Second))), target)
		case l.leg.Running && now.Before(due):
			text = fmt.Sprintf("… %s due %s", l.name, when(due))
		case l.leg.Running:
			text = fmt.Sprintf("✗ %s overdue since %s", l.name, when(due))
		default:
			continue
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, "\n")
}

// when is a time in the reader's own zone.
func when(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{time_secs}|%s UTC>", t.Unix(), t.UTC().Format("15:04:05"))
}

// updates is what stakeholders were told last, and when they are to be told next; "" when neither is known.
func updates(inc ops.Incident, now time.Time) string {
	var lines []string
	if n := len(inc.Updates); n > 0 {
		u := inc.Updates[n-1]
		lines = append(lines, fmt.Sprintf("*Last update* %s %s: %s", when(u.At.Time), mrkdwn(u.By, 64), mrkdwn(u.Text, maxField)))
	}
	switch due := inc.UpdateDueAt; {
	case due.IsZero() || !inc.State.Active():
	case now.Before(due.Time):
		lines = append(lines, "… next update due "+when(due.Time))
	default:
		lines = append(lines, "✗ an update has been due since "+when(due.Time))
	}
	return strings.Join(lines, "\n")
}

// suspects are the first three that nobody has rejected, with their best reason, and how likely it was no change.
func suspects(inc ops.Incident) string {
	lines := []string{"*Suspects*"}
	for _, s := range inc.Suspects {
		if s.Verdict == "rejected" || len(lines) > 3 {
			continue
		}
		line := fmt.Sprintf("%d. %.0f %% %s %s", len(lines), s.Probability*100, mrkdwn(s.ChangeID, 64), mrkdwn(s.Title, maxField))
		if s.Verdict == "confirmed" {
			line += " (confirmed)"
		}
		if len(s.Reasons) > 0 {
			line += "\n      " + mrkdwn(s.Reasons[0].Text, maxField)
		}
		lines = append(lines, line)
	}
	if len(lines) == 1 && inc.NoChange == 0 {
		return "*Suspects* not ranked yet"
	}
	return strings.Join(append(lines, fmt.Sprintf("no change: %.0f %%", inc.NoChange*100)), "\n")
}

// actions are the buttons that make sense in the incident's state.
func actions(inc ops.Incident, link string) []slack.BlockElement {
	label := func(s string) *slack.TextBlockObject {
		return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
	}
	var out []slack.BlockElement
	if inc.State == ops.IncidentOpen {
		out = append(out, slack.NewButtonBlockElement(actionAcknowledge, inc.ID, label("Acknowledge")).WithStyle(slack.StylePrimary))
	}
	if inc.State.Active() {
		b := slack.NewButtonBlockElement(actionResolve, inc.ID, label("Resolve"))
		b.Confirm = slack.NewConfirmationBlockObject(label("Resolve "+inc.ID+"?"), label("It counts as done for everybody."), label("Resolve"), label("Cancel"))
		out = append(out, b)
	}
	if link != "" {
		out = append(out, slack.NewButtonBlockElement(actionOpen, inc.ID, label("Open war room")).WithURL(link))
	}
	return out
}

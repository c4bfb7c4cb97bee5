package chatops_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"goc/chatops"
	"goc/ops"
)

// texts lists every text of a card with its type and the buttons' action ids.
func texts(t *testing.T, card any) (texts, buttons []string) {
	t.Helper()
	b, err := json.Marshal(card)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []struct {
		Type     string
		Text     *struct{ Text string }
		Elements []struct {
			ActionID string `json:"action_id"`
			URL      string
			Value    string
		}
	}
	if err := json.Unmarshal(b, &blocks); err != nil {
		t.Fatal(err)
	}
	if len(blocks) > 50 {
		t.Errorf("%d blocks: Slack takes 50", len(blocks))
	}
	for _, bl := range blocks {
		if bl.Text != nil {
			limit := 3000
			if bl.Type == "header" {
				limit = 150
			}
			if n := utf8.RuneCountInString(bl.Text.Text); n > limit || n == 0 {
				t.Errorf("a %s of %d characters: Slack takes 1 to %d", bl.Type, n, limit)
			}
			texts = append(texts, bl.Text.Text)
		}
		for _, e := range bl.Elements {
			buttons = append(buttons, strings.Trim(e.ActionID+" "+e.Value+" "+e.URL, " "))
		}
	}
	return texts, buttons
}

func TestTheCardSaysItAll(t *testing.T) {
	r := newRoom(t)
	got, buttons := texts(t, chatops.Card(r.d.inc, "https://goc.example/i/INC-1", at))
	all := strings.Join(got, "\n")
	for _, want := range []string{
		"■ P1  INC-1  open", "*cart fails &lt;!channel&gt; &amp; more*", "10 stores · 500 devices · -12 orders/min", "service=cart",
		"✓ detect 38s", "… locate due <!date^1795161862^{time_secs}|08:04:22 UTC>", "1. 81 % CHG-7 cart 1.2.3\n      started 40 s before the onset", "no change: 5 %",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the card lacks %q:\n%s", want, all)
		}
	}
	if got, want := strings.Join(buttons, "\n"), "goc_acknowledge INC-1\ngoc_resolve INC-1\ngoc_open INC-1 https://goc.example/i/INC-1"; got != want {
		t.Errorf("buttons\n%s\nwant\n%s", got, want)
	}
}

func TestTheCardSaysWhatWasToldLastAndWhenMoreIsDue(t *testing.T) {
	r := newRoom(t)
	said := func(edit func(*ops.Incident)) string {
		edit(&r.d.inc)
		got, _ := texts(t, chatops.Card(r.d.inc, "", at))
		return strings.Join(got, "\n")
	}
	for _, c := range []struct {
		name string
		edit func(*ops.Incident)
		want string
		not  string
	}{
		{"nothing was told and nothing is owed", func(*ops.Incident) {}, "*1-5-10*", "update"},
		{"the first is due", func(i *ops.Incident) { i.UpdateDueAt = ops.At(at.Add(time.Minute)) }, "… next update due <!date^1795161660^", "Last update"},
		{"one was told", func(i *ops.Incident) {
			i.Updates = []ops.Update{{ID: 1, At: ops.At(at), By: "bob", Text: "cards <fail>\nin ten stores"}}
		}, "*Last update* <!date^1795161600^{time_secs}|08:00:00 UTC> bob: cards &lt;fail&gt; in ten stores", "has been due"},
		{"the next is late", func(i *ops.Incident) { i.UpdateDueAt = ops.At(at.Add(-time.Minute)) }, "✗ an update has been due since <!date^1795161540^", "next update due"},
		{"it is over", func(i *ops.Incident) { i.State = ops.IncidentResolved }, "*Last update*", "due since"},
	} {
		if got := said(c.edit); !strings.Contains(got, c.want) || strings.Contains(got, c.not) {
			t.Errorf("when %s the card says\n%s\nwant %q and no %q", c.name, got, c.want, c.not)
		}
	}
}

func TestButtonsFitTheState(t *testing.T) {
	r := newRoom(t)
	for state, want := range map[ops.IncidentState]string{
		ops.IncidentOpen: "goc_acknowledge INC-1,goc_resolve INC-1", ops.IncidentAcknowledged: "goc_resolve INC-1",
		ops.IncidentMitigated: "goc_resolve INC-1", ops.IncidentResolved: "",
	} {
		r.d.inc.State = state
		if _, buttons := texts(t, chatops.Card(r.d.inc, "", at)); strings.Join(buttons, ",") != want {
			t.Errorf("%s: %q, want %q", state, buttons, want)
		}
	}
}

func TestTheCardKeepsSlacksBoundsWhateverIsInIt(t *testing.T) {
	long := strings.Repeat("<&>é", 5000)
	met := false
	inc := ops.Incident{
		ID: "INC-1", Title: long, Severity: ops.P2, State: ops.IncidentOpen, SeverityEvidence: long, OnsetAt: ops.At(at),
		Scope: ops.Scope{Store: strings.Split(strings.Repeat("SH-001 ", 9000), " ")}, Plans: strings.Split(strings.Repeat("plan ", 900), " "),
	}
	inc.Clock.Detect = ops.Leg{TargetS: 60, ElapsedS: 9999, Met: &met}
	inc.Clock.Locate = ops.Leg{TargetS: 300, Running: true}
	for range 20 {
		inc.Suspects = append(inc.Suspects, ops.Suspect{ChangeID: long, Title: long, Reasons: []ops.Evidence{{Text: long}}})
	}
	got, _ := texts(t, chatops.Card(inc, "", at.Add(time.Hour)))
	for _, text := range got {
		if strings.Contains(strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(text, "&lt;", ""), "&gt;", ""), "&amp;", ""), "&") {
			t.Errorf("an entity was cut: %q", text)
		}
	}
	all := strings.Join(got, "\n")
	if !strings.Contains(all, "✗ detect 2h46m, target 1m00s") || !strings.Contains(all, "✗ locate overdue since") {
		t.Errorf("the missed legs are not shown:\n%s", got[2])
	}
}

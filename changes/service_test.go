package changes_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"goc/changes"
	"goc/ops"
)

var (
	ci        = ops.Principal{Name: "ci-1", Role: ops.CI}
	otherCI   = ops.Principal{Name: "ci-2", Role: ops.CI}
	sender    = ops.Principal{Name: "argo", Role: ops.Sender}
	commander = ops.Principal{Name: "Li", Role: ops.Commander}
	admin     = ops.Principal{Name: "root", Role: ops.Admin}
	monday    = time.Date(2026, 11, 16, 8, 0, 0, 0, time.UTC)
)

func catalog(t testing.TB) *ops.Catalog {
	c := &ops.Catalog{
		Services: []ops.Service{{Name: "pay", Tier: "T0", Core: true}, {Name: "cart", Tier: "T1", Calls: []string{"pay"}}},
		Stores: []ops.Store{
			{ID: "SH-1", City: "Shanghai", Region: "east"},
			{ID: "SH-2", City: "Shanghai", Region: "east"},
			{ID: "BJ-1", City: "Beijing", Region: "north"},
		},
	}
	if err := c.Index(); err != nil {
		t.Fatal(err)
	}
	return c
}

// room is a service on a journal in memory, with a clock that the test moves.
type room struct {
	*changes.Service
	t         testing.TB
	journal   *journal
	at        time.Time
	incidents []ops.Incident
	config    changes.Config
	plans     map[string]time.Time
	dark      int         // of 3 stores
	paged     []ops.Alert // that red lines sent
}

func open(t testing.TB, config changes.Config) *room {
	r := &room{t: t, journal: newJournal(), at: monday, config: config}
	r.reopen()
	return r
}

// reopen starts a new service on the same journal.
func (r *room) reopen() {
	r.t.Helper()
	s, err := changes.New(r.t.Context(), changes.Options{
		Config: r.config, Catalog: catalog(r.t), Journal: r.journal,
		Now: func() time.Time { return r.at }, Incidents: func() []ops.Incident { return r.incidents }, Past: func() []ops.Incident { return r.incidents },
		Plans: func() map[string]time.Time { return r.plans }, Dark: func(ops.Scope) (int, int) { return r.dark, 3 },
		Notify: func(_ context.Context, alerts []ops.Alert) { r.paged = append(r.paged, alerts...) },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.Service = s
}

func (r *room) record(who ops.Principal, c ops.Change) ops.Change {
	r.t.Helper()
	out, err := r.Record(context.Background(), who, c)
	if err != nil {
		r.t.Fatalf("record: %v", err)
	}
	return out
}

func (r *room) event(who ops.Principal, id string, e ops.ChangeEvent) ops.Change {
	r.t.Helper()
	out, err := r.Event(context.Background(), who, id, e)
	if err != nil {
		r.t.Fatalf("%s: %v", e.Event, err)
	}
	return out
}

func (r *room) check(who ops.Principal, q ops.GateRequest) ops.Decision {
	r.t.Helper()
	d, err := r.Check(context.Background(), who, q)
	if err != nil {
		r.t.Fatalf("check: %v", err)
	}
	return d
}

// refused fails unless err has the kind and says something of the words.
func refused(t *testing.T, err error, kind ops.Kind, words ...string) {
	t.Helper()
	var e *ops.Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Fatalf("got %v, want an error of kind %s", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(e.Error()+" "+e.Hint, w) {
			t.Errorf("%q (hint %q) does not say %q", e.Error(), e.Hint, w)
		}
	}
}

func staged() ops.Change {
	return ops.Change{
		Kind: ops.KindRelease, Title: "pay 1.2.3", Service: "pay", Version: "1.2.3", Author: "Wang", Environment: "production",
		Stages: []ops.Stage{
			{Name: "ring 1", Scope: ops.Scope{Store: []string{"SH-1"}}, Bake: ops.Duration(10 * time.Minute)},
			{Name: "ring 2", Scope: ops.Scope{Store: []string{"SH-2"}}},
			{Name: "ring 3"},
		},
	}
}

func reasonOf(d ops.Decision, rule string) (ops.Reason, bool) {
	for _, r := range d.Reasons {
		if r.Rule == rule {
			return r, true
		}
	}
	return ops.Reason{}, false
}

func TestARolloutGoesFromStageToStage(t *testing.T) {
	r := open(t, changes.Config{})
	c := r.record(ci, staged())
	if c.ID != "CHG-1" || c.Status != ops.ChangePlanned || c.Source != "api" {
		t.Fatalf("recorded as %+v", c)
	}
	if d := r.check(ci, ops.GateRequest{ChangeID: c.ID, Stage: 1}); d.Decision != ops.EffectAllow || d.Token == "" {
		t.Fatalf("stage 1: %+v", d)
	}
	if d := r.check(ci, ops.GateRequest{ChangeID: c.ID, Stage: 3}); d.Decision != ops.EffectDeny {
		t.Fatalf("stage 3 would skip stage 1, but: %+v", d)
	}
	c = r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: 1, Units: []string{"pay-1"}})
	if c.Status != ops.ChangeStarted || c.Unapproved || c.Stages[0].Units[0] != "pay-1" {
		t.Fatalf("stage 1 started: %+v", c)
	}
	_, err := r.Event(context.Background(), otherCI, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: 1})
	refused(t, err, ops.Conflict, "ci-1")
	if d := r.check(otherCI, ops.GateRequest{ChangeID: c.ID, Stage: 1}); d.Decision != ops.EffectDeny || !strings.Contains(d.Reasons[0].Message, "ci-1") {
		t.Fatalf("a stage that someone else started: %+v", d)
	}
	_, err = r.Event(context.Background(), ci, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: 2})
	refused(t, err, ops.Conflict, "stage 1")
	if d := r.check(ci, ops.GateRequest{ChangeID: c.ID, Stage: 2}); d.Decision != ops.EffectWait || d.RetryAfterS != 60 {
		t.Fatalf("stage 1 has not finished, but: %+v", d)
	}
	c = r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_finished", Stage: 1})
	if c.Stages[0].Verdict != ops.Baking {
		t.Fatalf("a stage with a bake finished: %+v", c.Stages[0])
	}
	r.at = r.at.Add(4 * time.Minute)
	d := r.check(ci, ops.GateRequest{ChangeID: c.ID, Stage: 2})
	if reason, _ := reasonOf(d, "stage"); d.Decision != ops.EffectWait || d.RetryAfterS != 360 || !strings.Contains(reason.Message, "6m00s more") {
		t.Fatalf("stage 1 bakes for 6 more minutes, but: %+v", d)
	}
}

func TestAChangeThatStartsWithoutLeaveIsUnapproved(t *testing.T) {
	tests := []struct {
		name       string
		change     ops.Change
		ask        bool
		after      time.Duration
		unapproved bool
	}{
		{"nobody asked", ops.Change{Kind: ops.KindConfig, Service: "pay"}, false, 0, true},
		{"the gate allowed it", ops.Change{Kind: ops.KindConfig, Service: "pay"}, true, time.Minute, false},
		{"the leave was over", ops.Change{Kind: ops.KindConfig, Service: "pay"}, true, 6 * time.Minute, true},
		{"staging need not ask", ops.Change{Kind: ops.KindConfig, Service: "pay", Environment: "staging"}, false, 0, false},
		{"a drill need not ask", ops.Change{Kind: ops.KindDrill, Service: "pay"}, false, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, changes.Config{})
			c := r.record(ci, tt.change)
			if tt.ask {
				r.check(ci, ops.GateRequest{ChangeID: c.ID})
			}
			r.reopen() // a leave survives a restart
			r.at = r.at.Add(tt.after)
			if c = r.event(ci, c.ID, ops.ChangeEvent{Event: "start"}); c.Unapproved != tt.unapproved {
				t.Errorf("unapproved %v, want %v", c.Unapproved, tt.unapproved)
			}
		})
	}
}

func TestAnInlineLeaveCountsForTheChangeRecordedAfterIt(t *testing.T) {
	r := open(t, changes.Config{})
	c := ops.Change{Kind: ops.KindRelease, Service: "pay", Version: "2"}
	if d := r.check(ci, ops.GateRequest{Change: &c}); d.Decision != ops.EffectAllow {
		t.Fatal(d)
	}
	got := r.record(ci, c)
	if got = r.event(ci, got.ID, ops.ChangeEvent{Event: "start"}); got.Unapproved {
		t.Error("it asked, and is flagged all the same")
	}
	c.Version = "3"
	got = r.record(ci, c)
	if got = r.event(ci, got.ID, ops.ChangeEvent{Event: "start"}); !got.Unapproved {
		t.Error("another version went out on the same leave")
	}
}

func TestWhatAnotherSystemTellsOfIsHeldAgainstWhatTheGateSaid(t *testing.T) {
	hook := func(version, sha string) ops.Change {
		return ops.Change{Kind: ops.KindRelease, Title: "Deploy pay", Service: "pay", Version: version, Source: "github", Labels: map[string]string{"external_id": "1", "sha": sha}}
	}
	asked := ops.Change{Kind: ops.KindRelease, Service: "pay", Version: "2"}
	tests := []struct {
		name    string
		ask     *ops.Change
		frozen  bool
		after   time.Duration
		told    ops.Change
		because string // "" is approved
	}{
		{"the gate allowed that version", &asked, false, time.Minute, hook("2", ""), ""},
		{"the gate allowed that commit", &asked, false, time.Minute, hook("main", "2"), ""},
		{"it is told of by a back-fill days later", &asked, false, -time.Minute, hook("2", ""), ""},
		{"nobody asked", nil, false, 0, hook("2", ""), "nobody asked the gate"},
		{"the gate allowed another version", &asked, false, time.Minute, hook("3", ""), "nobody asked the gate"},
		{"the leave was over", &asked, false, 6 * time.Minute, hook("2", ""), "was over at"},
		{"the gate said no", &asked, true, time.Minute, hook("2", ""), "the gate said no (DEC-"},
		{"undoing needs no leave", nil, false, 0, ops.Change{Kind: "rollback", Service: "pay", Source: "cloudevents"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, changes.Config{})
			if tt.frozen {
				if _, err := r.AddFreeze(t.Context(), commander, ops.Freeze{Name: "11.11", From: ops.At(monday), To: ops.At(monday.Add(time.Hour))}); err != nil {
					t.Fatal(err)
				}
			}
			if tt.ask != nil {
				r.check(ci, ops.GateRequest{Change: tt.ask})
			}
			r.reopen()
			at := monday.Add(tt.after)
			if r.at = at; tt.after < 0 {
				at, r.at = monday.Add(-tt.after), monday.Add(70*time.Hour)
			}
			c := r.record(sender, tt.told)
			c = r.event(sender, c.ID, ops.ChangeEvent{Event: "start", At: ops.At(at)})
			if c.Unapproved != (tt.because != "") || !strings.Contains(c.UnapprovedBecause, tt.because) {
				t.Errorf("unapproved %v because %q, want %q", c.Unapproved, c.UnapprovedBecause, tt.because)
			}
			list, err := r.List(t.Context(), ops.ChangeQuery{Unapproved: true})
			if err != nil || len(list.Items) == 1 != c.Unapproved {
				t.Errorf("listed: %+v, %v", list, err)
			}
		})
	}
}

func TestPlacesThatNobodyPlannedArePartOfTheWhole(t *testing.T) {
	r := open(t, changes.Config{})
	told := ops.Change{Kind: ops.KindRelease, Service: "pay", Version: "2", Source: "cloudevents"}
	r.check(ci, ops.GateRequest{Change: &ops.Change{Kind: ops.KindRelease, Service: "pay", Version: "2"}})
	c := r.record(sender, told)
	for n, store := range []string{"SH-1", "SH-2"} {
		c = r.event(sender, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: n + 1, Stores: []string{store}})
		r.at = r.at.Add(time.Hour)
	}
	if c.Unapproved {
		t.Errorf("two stores at the same time, of a release that was allowed, but: %s", c.UnapprovedBecause)
	}
}

func TestAServiceThatNobodyKnowsIsRecordedAndFlagged(t *testing.T) {
	r := open(t, changes.Config{})
	if c := r.record(sender, ops.Change{Kind: "moon", Service: "nobody", Source: "github"}); c.Kind != ops.KindOther || c.Labels["kind"] != "moon" || c.Labels["unknown"] != "service" {
		t.Errorf("%+v", c)
	}
	if c := r.record(sender, ops.Change{Kind: ops.KindRelease, Service: "pay", Source: "github"}); c.Labels["unknown"] != "" {
		t.Errorf("%+v", c)
	}
}

func TestEveryReasonIsListed(t *testing.T) {
	r := open(t, changes.Config{Approvals: map[string]changes.ApprovalRule{"high": {Need: 1}}})
	r.incidents = []ops.Incident{
		{ID: "INC-1", Title: "payments fail", Severity: ops.P1, State: ops.IncidentOpen, Scope: ops.Scope{Service: []string{"pay"}}},
		{ID: "INC-2", Title: "carts are slow", Severity: ops.P3, State: ops.IncidentAcknowledged, Scope: ops.Scope{City: []string{"Shanghai"}}},
		{ID: "INC-3", Title: "done", Severity: ops.P1, State: ops.IncidentResolved},
		{ID: "INC-4", Title: "elsewhere", Severity: ops.P1, State: ops.IncidentOpen, Scope: ops.Scope{City: []string{"Beijing"}}},
	}
	f, err := r.AddFreeze(context.Background(), commander, ops.Freeze{
		Name: "11.11", From: ops.At(monday), To: ops.At(monday.Add(time.Hour)),
		Scope: ops.Scope{Tier: []string{"T0"}},
	})
	if err != nil || f.ID != "FRZ-1" {
		t.Fatal(f, err)
	}
	c := staged()
	c.Risk, c.Scope = "high", ops.Scope{Store: []string{"SH-1"}}
	c.Stages = nil
	c = r.record(ci, c)
	d := r.check(ci, ops.GateRequest{ChangeID: c.ID})
	var rules []string
	for _, reason := range d.Reasons {
		rules = append(rules, reason.Rule+" "+reason.Effect)
	}
	if got := strings.Join(rules, ", "); d.Decision != ops.EffectDeny || got != "freeze deny, incident deny, incident wait, approval wait" {
		t.Fatalf("%s because of %s", d.Decision, got)
	}
	if d.RetryAfterS != 3600 {
		t.Errorf("retry after %d s, want when the freeze ends", d.RetryAfterS)
	}
	if d := r.check(ci, ops.GateRequest{ChangeID: c.ID, Rollback: true}); d.Decision != ops.EffectAllow || len(d.Reasons) != 5 {
		t.Errorf("a rollback must pass and say what would have held: %+v", d)
	}
	if _, err := r.Override(context.Background(), commander, ops.Override{ChangeID: c.ID, Reason: "customers cannot pay"}); err != nil {
		t.Fatal(err)
	}
	d = r.check(ci, ops.GateRequest{ChangeID: c.ID})
	if reason, ok := reasonOf(d, "break_glass"); d.Decision != ops.EffectAllow || !ok || reason.Effect != ops.EffectAllow || len(d.Reasons) != 5 {
		t.Errorf("the glass is broken, but: %+v", d)
	}
	if c = r.event(ci, c.ID, ops.ChangeEvent{Event: "start"}); !c.Overridden || c.Unapproved {
		t.Errorf("it went out by break-glass, but: %+v", c)
	}
}

func TestADecisionIsOnRecordWithItsInputs(t *testing.T) {
	r := open(t, changes.Config{})
	c := r.record(ci, staged())
	d := r.check(ci, ops.GateRequest{ChangeID: c.ID, Stage: 2})
	e := r.journal.last()
	var data struct {
		Text       string
		DecisionID string `json:"decision_id"`
		Inputs     changes.Inputs
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatal(err)
	}
	if e.Name != "gate.decided" || e.Subject != c.ID || data.DecisionID != d.DecisionID || data.Text == "" {
		t.Fatalf("%s %s %+v", e.Name, e.Subject, data)
	}
	again := changes.Judge(data.Inputs)
	if again.Decision != d.Decision || len(again.Reasons) != len(d.Reasons) || again.Reasons[0].Message != d.Reasons[0].Message {
		t.Errorf("made again it is %+v, was %+v", again, d)
	}
	claims, err := changes.VerifyToken(r.PublicKey(), d.Token, monday)
	if err != nil || claims.Decision != d.Decision || claims.Change != c.ID || claims.Stage != 2 {
		t.Errorf("token: %+v, %v", claims, err)
	}
	_, err = changes.VerifyToken(r.PublicKey(), d.Token, monday.Add(time.Hour))
	refused(t, err, ops.Denied, "no longer valid")
	_, err = changes.VerifyToken(r.PublicKey(), forged(d.Token), monday)
	refused(t, err, ops.Denied, "signature")
}

// forged is a token with one character of its signature changed.
func forged(token string) string {
	b := []byte(token)
	i := len(b) - 20
	b[i] = map[bool]byte{true: 'B', false: 'A'}[b[i] == 'A']
	return string(b)
}

func TestARestartBringsEverythingBack(t *testing.T) {
	r := open(t, changes.Config{})
	c := r.record(ci, staged())
	r.check(ci, ops.GateRequest{ChangeID: c.ID, Stage: 1})
	r.event(ci, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: 1})
	if _, err := r.AddFreeze(context.Background(), commander, ops.Freeze{
		Name:     "noon",
		Schedule: &ops.FreezeSchedule{Cron: "0 11 * * *", Duration: ops.Duration(2 * time.Hour), Timezone: "Asia/Shanghai"},
	}); err != nil {
		t.Fatal(err)
	}
	key := r.PublicKey()
	r.reopen()
	got, err := r.Get(context.Background(), c.ID)
	if err != nil || got.Status != ops.ChangeStarted || got.Stages[0].StartedAt.IsZero() {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err = r.Event(context.Background(), otherCI, c.ID, ops.ChangeEvent{Event: "stage_started", Stage: 1})
	refused(t, err, ops.Conflict, "ci-1")
	if !key.Equal(r.PublicKey()) {
		t.Error("the signing key changed")
	}
	if list, _ := r.Freezes(context.Background()); len(list) != 1 {
		t.Errorf("freezes: %+v", list)
	}
	if next := r.record(ci, staged()); next.ID != "CHG-2" {
		t.Errorf("the next change is %s", next.ID)
	}
}

func TestARollbackThatIsNotOnRecordPassesAFreezeToo(t *testing.T) {
	r := open(t, changes.Config{})
	if _, err := r.AddFreeze(t.Context(), commander, ops.Freeze{Name: "11.11", Reason: "sale", From: ops.At(monday.Add(-time.Hour)), To: ops.At(monday.Add(time.Hour))}); err != nil {
		t.Fatal(err)
	}
	held := ops.Change{Kind: ops.KindRelease, Service: "pay"}
	if d := r.check(ci, ops.GateRequest{Change: &held}); d.Decision != ops.EffectDeny {
		t.Fatalf("a release in the freeze: %s, want deny", d.Decision)
	}
	undo := ops.Change{Kind: "rollback", Service: "pay"}
	if d := r.check(ci, ops.GateRequest{Change: &undo}); d.Decision != ops.EffectAllow {
		t.Errorf("a rollback in the freeze: %s %v, want allow", d.Decision, d.Reasons)
	}
}

func TestARollbackNamesTheVersionThatItGoesBackToAndPasses(t *testing.T) {
	r := open(t, changes.Config{})
	if _, err := r.AddFreeze(t.Context(), commander, ops.Freeze{Name: "11.11", Reason: "sale", From: ops.At(monday.Add(-time.Hour)), To: ops.At(monday.Add(time.Hour))}); err != nil {
		t.Fatal(err)
	}
	c := r.record(ci, staged())
	back := &ops.Change{Kind: ops.KindRelease, Service: "pay", Version: "1.2.2"}
	_, err := r.Check(t.Context(), ci, ops.GateRequest{ChangeID: c.ID, Change: back})
	refused(t, err, ops.Conflict, "another version")
	if d := r.check(ci, ops.GateRequest{ChangeID: c.ID, Change: back, Rollback: true}); d.Decision != ops.EffectAllow || d.ChangeID != c.ID {
		t.Errorf("a rollback of %s to 1.2.2: %s %v, want allow", d.ChangeID, d.Decision, d.Reasons)
	}
	unsettled := ops.Change{Kind: "rollback", Service: "pay", Stages: []ops.Stage{{Share: 0.1, Scope: ops.Scope{City: []string{"Atlantis"}}}}}
	if d := r.check(ci, ops.GateRequest{Change: &unsettled}); d.Decision != ops.EffectAllow {
		t.Errorf("a rollback whose rings name no stores: %s %v, want allow", d.Decision, d.Reasons)
	}
}

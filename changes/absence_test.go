package changes_test

import (
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"goc/changes"
	"goc/ops"
)

func TestAnAbsenceOfTheGateIsInTheAuditWithWhoWhenAndWhatWasDone(t *testing.T) {
	r := open(t, changes.Config{})
	told := ops.GateAbsence{
		At: ops.At(monday.Add(-10 * time.Minute)), Decision: ops.EffectAllow, Why: "--on-unavailable allow", Cause: "connection refused",
		Service: "pay", Version: "1.2", Environment: "staging", By: "somebody else",
	}
	got, err := r.Absent(t.Context(), ci, told)
	if err != nil || got.By != ci.Name || !got.ToldAt.Equal(monday) {
		t.Fatalf("%+v, %v", got, err)
	}
	e := r.journal.last()
	var data struct {
		Text    string
		Absence ops.GateAbsence
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatal(err)
	}
	want := "the gate did not answer at " + told.At.String() + "; pay 1.2 was allowed without it: --on-unavailable allow"
	if e.Name != "gate.unavailable" || e.Actor != ci.Name || data.Text != want || data.Absence.Cause != "connection refused" {
		t.Errorf("%s %+v", e.Actor, data)
	}
}

// TestWhatWentOnWithoutAnAnswerIsOneWithItsChange tells of an absence before and after the change that went out meanwhile.
func TestWhatWentOnWithoutAnAnswerIsOneWithItsChange(t *testing.T) {
	away := ops.GateAbsence{At: ops.At(monday), Decision: ops.EffectAllow, Why: "--on-unavailable allow", Kind: ops.KindRelease, Service: "pay", Version: "1.2"}
	hook := ops.Change{Kind: ops.KindRelease, Title: "Deploy pay main", Service: "pay", Version: "main", Source: "github", Labels: map[string]string{"sha": "1.2"}}
	explained := "the gate did not answer at " + away.At.String() + ", as " + ci.Name + " told, and it went on without: --on-unavailable allow"
	type set = func(a *ops.GateAbsence)
	for _, c := range []struct {
		name string
		set  set
		at   time.Duration // of the change's start, after the absence
		want string
	}{
		{"the same version, by its commit", func(*ops.GateAbsence) {}, time.Minute, explained},
		{"the change on record, by its id", func(a *ops.GateAbsence) { a.ChangeID, a.Service, a.Version = "CHG-1", "", "" }, time.Minute, explained},
		{"another version", func(a *ops.GateAbsence) { a.Version = "1.3" }, time.Minute, "nobody asked the gate"},
		{"another environment", func(a *ops.GateAbsence) { a.Environment = "staging" }, time.Minute, "nobody asked the gate"},
		{"another stage", func(a *ops.GateAbsence) { a.Stage = 3 }, time.Minute, "nobody asked the gate"},
		{"it was held back without an answer", func(a *ops.GateAbsence) { a.Decision = ops.EffectDeny }, time.Minute, "nobody asked the gate"},
		{"of a rollback", func(a *ops.GateAbsence) { a.Rollback = true }, time.Minute, "nobody asked the gate"},
		{"days later", func(*ops.GateAbsence) {}, 25 * time.Hour, "nobody asked the gate"},
		{"before it was asked", func(*ops.GateAbsence) {}, -time.Minute, "nobody asked the gate"},
	} {
		for _, order := range []string{"told before the change", "told after the change"} {
			t.Run(c.name+", "+order, func(t *testing.T) {
				r := open(t, changes.Config{})
				a := away
				c.set(&a)
				tell := func() {
					t.Helper()
					if _, err := r.Absent(t.Context(), ci, a); err != nil {
						t.Fatal(err)
					}
					r.reopen()
				}
				r.at = monday.Add(26 * time.Hour)
				if order == "told before the change" {
					tell()
				}
				id := r.record(sender, hook).ID
				r.event(sender, id, ops.ChangeEvent{Event: "start", At: ops.At(monday.Add(c.at))})
				if order == "told after the change" {
					tell()
					if e := r.journal.last(); e.Name != "gate.unavailable" || (e.Subject == id) != (c.want == explained || a.ChangeID == id) {
						t.Errorf("the event is %s of %s", e.Name, e.Subject)
					}
				}
				got, err := r.Get(t.Context(), id)
				if err != nil || !got.Unapproved || got.UnapprovedBecause != c.want {
					t.Errorf("unapproved %v because %q, want %q; %v", got.Unapproved, got.UnapprovedBecause, c.want, err)
				}
			})
		}
	}
}

func TestOneAbsenceExplainsOneChange(t *testing.T) {
	r := open(t, changes.Config{})
	r.at = monday.Add(time.Hour)
	hook := ops.Change{Kind: ops.KindRelease, Title: "Deploy pay", Service: "pay", Version: "1.2", Source: "github"}
	var ids []string
	for i := range 2 {
		id := r.record(sender, hook).ID
		r.event(sender, id, ops.ChangeEvent{Event: "start", At: ops.At(monday.Add(time.Duration(10-i) * time.Minute))})
		ids = append(ids, id)
	}
	a, err := r.Absent(t.Context(), ci, ops.GateAbsence{At: ops.At(monday), Decision: ops.EffectAllow, Why: "x", Kind: ops.KindRelease, Service: "pay", Version: "1.2"})
	if err != nil || a.ChangeID != ids[1] {
		t.Errorf("the absence is of %q, want %s, which began first; %v", a.ChangeID, ids[1], err)
	}
	if other, _ := r.Get(t.Context(), ids[0]); other.UnapprovedBecause != "nobody asked the gate" {
		t.Errorf("the other one: %q", other.UnapprovedBecause)
	}
}

func TestAnAbsenceThatCannotBeIsRefusedWithThePlace(t *testing.T) {
	r := open(t, changes.Config{})
	good := ops.GateAbsence{At: ops.At(monday), Decision: ops.EffectDeny, Why: "the default for production"}
	for place, change := range map[string]func(*ops.GateAbsence){
		"body.at":       func(a *ops.GateAbsence) { a.At = ops.At(monday.Add(2 * time.Minute)) },
		"body.decision": func(a *ops.GateAbsence) { a.Decision = "maybe" },
		"body.why":      func(a *ops.GateAbsence) { a.Why = " " },
		"body.stage":    func(a *ops.GateAbsence) { a.Stage = -1 },
		"body.service":  func(a *ops.GateAbsence) { a.Service = strings.Repeat("x", 10_000) },
	} {
		a := good
		change(&a)
		_, err := r.Absent(t.Context(), ci, a)
		refused(t, err, ops.Invalid, place)
	}
	old := good
	old.At = ops.At(monday.Add(-31 * 24 * time.Hour))
	_, err := r.Absent(t.Context(), ci, old)
	refused(t, err, ops.Invalid, "the last")
}

func TestATokenSaysWhatItIsFor(t *testing.T) {
	r := open(t, changes.Config{})
	asked := ops.Change{Kind: ops.KindRelease, Service: "pay", Version: "1.2", Environment: "staging", Scope: ops.Scope{City: []string{"上海"}}}
	d := r.check(ci, ops.GateRequest{Change: &asked})
	key, err := r.Key(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(jwk), key.X, key.X + "=\n"} {
		public, err := changes.ReadKey(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		c, err := changes.VerifyToken(public, d.Token, monday)
		if err != nil || c.Environment != "staging" || c.Version != "1.2" || c.Asked != changes.Asked(asked) {
			t.Fatalf("%+v, %v", c, err)
		}
		refused(t, c.ValidAt(monday.Add(-2*time.Minute)), ops.Denied, "future")
	}
	for name, other := range map[string]ops.Change{
		"another version": {Kind: asked.Kind, Service: "pay", Version: "1.3", Environment: "staging", Scope: asked.Scope},
		"production":      {Kind: asked.Kind, Service: "pay", Version: "1.2", Scope: asked.Scope},
		"another place":   {Kind: asked.Kind, Service: "pay", Version: "1.2", Environment: "staging"},
		"another kind":    {Kind: ops.KindConfig, Service: "pay", Version: "1.2", Environment: "staging", Scope: asked.Scope},
	} {
		if changes.Asked(other) == changes.Asked(asked) {
			t.Errorf("leave for this change would count for %s", name)
		}
	}
	for _, text := range []string{"", "AAAA", `{"kty":"OKP"}`, `{"kty":"RSA","crv":"Ed25519","x":"` + key.X + `"}`, "{"} {
		if _, err := changes.ReadKey(text); ops.KindOf(err) != ops.Invalid {
			t.Errorf("%q is taken for a key: %v", text, err)
		}
	}
}

func FuzzATokenThatTheGateDidNotSignIsNeverTaken(f *testing.F) {
	public := ed25519.NewKeyFromSeed([]byte("a seed of thirty-two bytes, for.")).Public().(ed25519.PublicKey)
	f.Add("eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.e30.AAAA")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := changes.ReadToken(public, token); ops.KindOf(err) != ops.Invalid && ops.KindOf(err) != ops.Denied {
			t.Errorf("%q: %v", token, err)
		}
	})
}

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

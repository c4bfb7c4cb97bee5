package intake

import (
	"net/http"
	"testing"
	"time"

	"goc/ops"
)

func FuzzAlerts(f *testing.F) {
	f.Add([]byte(`[{"labels":{"a":"b"},"startsAt":"2026-11-20T07:00:00Z"},{"labels":5},null]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		alerts, of, rejected, err := parseAlerts(body, start, time.Minute)
		if err != nil && len(alerts)+len(rejected) > 0 {
			t.Fatal("an error together with alerts")
		}
		if len(of) != len(alerts) {
			t.Fatal("alerts without an index")
		}
		for _, a := range alerts {
			if err := a.Validate("x"); err != nil || a.StartsAt.IsZero() || a.EndsAt.IsZero() || a.Fingerprint == "" {
				t.Fatalf("%+v was let through: %v", a, err)
			}
		}
	})
}

func FuzzMatchers(f *testing.F) {
	for _, s := range []string{`a="b"`, `{a=~"b.*",c!="d"}`, `a!~x`, `a="\"`, `"a b"="c"`, `=`, `{}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := parseMatchers(s)
		if err != nil {
			return
		}
		for _, m := range list {
			if m.Name == "" {
				t.Fatal("a matcher without a name")
			}
			if tt, err := compile(m); err == nil {
				tt.holds("x")
			}
		}
	})
}

func FuzzSilence(f *testing.F) {
	f.Add([]byte(`{"matchers":[{"name":"a","value":"b","isRegex":false}],"startsAt":"2026-11-20T08:00:00Z","endsAt":"2026-11-20T09:00:00Z"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := parseSilence(body, start)
		if err == nil && (len(s.Matchers) == 0 || !s.EndsAt.After(s.StartsAt.Time)) {
			t.Fatalf("%+v was let through", s)
		}
	})
}

// FuzzFormats reads a body in every alert format: none may panic, and what it makes must be an alert or be refused.
func FuzzFormats(f *testing.F) {
	for _, s := range []string{
		`{"alerts":[{"labels":{"a":"b"},"status":"resolved"}]}`, `{"title":"x","tags":"a:b,c","priority":4}`, `{"Message":"{\"AlarmName\":\"x\"}"}`,
		`{"id":1,"message":"m","project":{"slug":"s"},"event":{"tags":[["a","b"],[1]],"timestamp":1.5}}`, `[{"labels":{"a":1}}]`, `{"data":{"event":{"title":"t"}},"action":"resolved"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, fm := range formats {
			list, err := fm.parse(body)
			if err != nil && list != nil {
				t.Fatalf("%s: alerts together with an error", fm.name)
			}
			for _, a := range list {
				out := a.alert(nil, fm.name, start, time.Hour)
				if out.StartsAt.IsZero() || out.EndsAt.Before(out.StartsAt.Time) {
					t.Fatalf("%s made %+v", fm.name, out)
				}
			}
		}
	})
}

func FuzzPagerDuty(f *testing.F) {
	f.Add([]byte(`{"routing_key":"k","event_action":"trigger","payload":{"summary":"s","source":"s","severity":"info","custom_details":{"a":[1]}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if e, wrong := parsePD(body, false); len(wrong) == 0 {
			e.said()
		}
		if e, wrong := parsePD(body, true); len(wrong) == 0 && e.deed().change.Title == "" {
			t.Fatal("a change without a title")
		}
	})
}

func FuzzChanges(f *testing.F) {
	f.Add("deployment", []byte(`{"repository":{"name":"r"},"deployment":{"id":1,"payload":"x"}}`))
	f.Add("release", []byte(`{"action":"published","repository":{"name":"r"},"release":{"id":1}}`))
	f.Add("gitlab", []byte(`{"object_kind":"release","action":"create","project":{"name":"p"}}`))
	f.Add("argo", []byte(`{"app":"a","revision":"r","phase":"Running"}`))
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		check := func(d deed, why string, err error) {
			if err == nil && why == "" && (d.change.Kind == "" || d.change.Title == "" && d.change.Service == "") {
				t.Fatalf("%s made %+v", event, d)
			}
		}
		check(parseGitHub(event, body, Config{Branches: []string{"main"}}))
		check(parseGitLab(body, Config{Branches: []string{"main"}, Workflows: []string{"p"}}))
		check(parseArgo(body))
	})
}

func FuzzCloudEvents(f *testing.F) {
	f.Add("application/cloudevents+json", []byte(`{"specversion":"1.0","id":"1","source":"s","type":"dev.cdevents.service.deployed.0.3.0","data":{"subject":{"id":"x"}}}`))
	f.Add("application/cloudevents-batch+json", []byte(`[{}]`))
	f.Add("application/json", []byte(`{"context":{"id":"1","source":"s","type":"dev.cdevents.incident.resolved"}}`))
	f.Add("application/json", []byte(`{"context":{"id":"1","source":"s","type":"dev.cdevents.targetrollout.started"},"subject":{"id":"r","content":{"target":"x:SH-1","deploymentId":{"id":"d"}}}}`))
	f.Add("application/json", []byte(`{"context":{"id":"1","source":"s","type":"dev.cdevents.changewindow.created"},"subject":{"id":"w","content":{"target":{"id":"cart","type":"service"},"notBefore":1,"notAfter":"2026-11-21T00:00:00Z"}}}`))
	s := &Service{alerts: newRoom(time.Now), changes: newRoom(time.Now), freezes: newRoom(time.Now), now: time.Now, cfg: Config{}.filled()}
	if err := s.register(nil); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		events, err := parseCloudEvents(http.Header{"Content-Type": {kind}}, body)
		if err != nil {
			return
		}
		for _, e := range events {
			if e.check("x") == nil {
				_, _ = s.takeEvent(t.Context(), ops.System, e)
			}
		}
	})
}

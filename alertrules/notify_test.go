package alertrules_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"goc/alertrules"
	"goc/ops"
)

// put writes one sample now.
func put(t *testing.T, db *store, v float64, pairs ...string) {
	t.Helper()
	app := db.Appender(context.Background())
	if _, err := app.Append(0, labels.FromStrings(pairs...), time.Now().UnixMilli(), v); err != nil {
		t.Fatal(err)
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestAnAlertIsToldOnceAMinuteWhileItFiresAndOnceItIsOver(t *testing.T) {
	dir := t.TempDir()
	file := writeFile(t, `
groups:
- name: g
  interval: 5s
  rules:
  - {alert: Down, expr: up == 0, for: 10s, labels: {severity: critical}, annotations: {summary: '{{ $labels.job }} is down'}}`)
	synctest.Test(t, func(t *testing.T) {
		db := openStore(t, dir)
		var mu sync.Mutex
		var told []ops.Alert
		s, err := alertrules.New(t.Context(), alertrules.Options{
			Files: []string{file}, Engine: db, ExternalURL: "http://goc",
			Notify: func(_ context.Context, a []ops.Alert) { mu.Lock(); told = append(told, a...); mu.Unlock() },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		began := time.Now()
		put(t, db, 0, "__name__", "up", "job", "pay")
		time.Sleep(150 * time.Second)
		put(t, db, 1, "__name__", "up", "job", "pay")
		time.Sleep(20 * time.Second)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		var got []string
		for _, a := range told {
			if a.Source != "rules" || a.Labels["job"] != "pay" || a.Summary() != "pay is down" || a.Fingerprint != ops.Fingerprint(a.Labels) {
				t.Errorf("%+v", a)
			}
			if d := a.StartsAt.Sub(began); d > 5*time.Second {
				t.Errorf("it started %s after the condition held", d)
			}
			if !strings.HasPrefix(a.GeneratorURL, "http://goc/prometheus/") {
				t.Errorf("it links to %s", a.GeneratorURL)
			}
			if a.Status == ops.Firing && a.EndsAt.Sub(a.UpdatedAt.Time) != 4*time.Minute {
				t.Errorf("it counts as over %s after it was told", a.EndsAt.Sub(a.UpdatedAt.Time))
			}
			got = append(got, string(a.Status))
		}
		if want := "firing firing firing resolved"; strings.Join(got, " ") != want {
			t.Errorf("told were %v, want %s", got, want)
		}
	})
}

func TestRulesAndAlertsAreServedAsPrometheusDoes(t *testing.T) {
	dir := t.TempDir()
	file := writeFile(t, `
groups:
- name: g
  interval: 5s
  rules:
  - {record: a:b, expr: vector(2)}
  - {alert: Always, expr: a:b > 1, labels: {severity: info}}
  - {alert: Broken, expr: vector(1) * on (x) group_left vector(1) + a:b * on (y) up}`)
	synctest.Test(t, func(t *testing.T) {
		s := running(t, dir, alertrules.Options{Files: []string{file}})
		time.Sleep(20 * time.Second)
		var rules struct {
			Status string
			Data   struct {
				Groups []struct {
					Name, File string
					Interval   float64
					Rules      []map[string]any
				}
			}
		}
		serve(t, s.RulesHandler().ServeHTTP, "/rules", &rules)
		if len(rules.Data.Groups) != 1 || len(rules.Data.Groups[0].Rules) != 3 || rules.Data.Groups[0].Interval != 5 {
			t.Fatalf("%+v", rules)
		}
		always := rules.Data.Groups[0].Rules[1]
		if always["type"] != "alerting" || always["state"] != "firing" || always["health"] != "ok" || always["query"] != "a:b > 1" {
			t.Errorf("%v", always)
		}
		serve(t, s.RulesHandler().ServeHTTP, "/rules?type=record&rule_name[]=a:b", &rules)
		if len(rules.Data.Groups) != 1 || len(rules.Data.Groups[0].Rules) != 1 || rules.Data.Groups[0].Rules[0]["type"] != "recording" {
			t.Errorf("%+v", rules)
		}
		var alerts struct {
			Data struct {
				Alerts []struct {
					Labels       map[string]string
					State, Value string
				}
			}
		}
		serve(t, s.AlertsHandler().ServeHTTP, "/alerts", &alerts)
		if len(alerts.Data.Alerts) != 1 || alerts.Data.Alerts[0].State != "firing" || alerts.Data.Alerts[0].Value != "2e+00" {
			t.Errorf("%+v", alerts)
		}
	})
}

// serve asks a handler and reads its JSON.
func serve(t *testing.T, h http.HandlerFunc, path string, into any) {
	t.Helper()
	w := httptest.NewRecorder()
	h(w, httptest.NewRequest("GET", path, nil))
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
}

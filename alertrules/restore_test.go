package alertrules_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"goc/alertrules"
	"goc/ops"
)

// store is an Engine over a store on disk, as collectors/metrics is one.
type store struct {
	*tsdb.DB
	query rules.QueryFunc
}

func openStore(t testing.TB, dir string) *store {
	t.Helper()
	db, err := tsdb.Open(dir, nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{}),
		EnableAtModifier: true, EnableNegativeOffset: true,
	})
	return &store{DB: db, query: rules.EngineQueryFunc(engine, db)}
}

func (s *store) Vector(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
	return s.query(ctx, expr, at)
}

var (
	_ alertrules.Engine = (*store)(nil)
	_ storage.Queryable = (*store)(nil)
)

func writeFile(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// watch runs the rules in file over a store in dir for the duration, and returns what was notified, with its time.
func watch(t *testing.T, dir, file string, d time.Duration) (alerts []ops.Alert) {
	t.Helper()
	db := openStore(t, dir)
	s, err := alertrules.New(t.Context(), alertrules.Options{
		Files: []string{file}, Engine: db, EvaluationInterval: 5 * time.Second,
		Notify: func(_ context.Context, a []ops.Alert) { alerts = append(alerts, a...) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), d)
	defer stop()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	return alerts
}

func TestAPendingAlertGoesOnWhereItStoodAfterARestart(t *testing.T) {
	dir := t.TempDir()
	file := writeFile(t, `
groups:
- name: g
  rules:
  - {alert: Slow, expr: vector(1), for: 2m, labels: {severity: warning}}`)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if early := watch(t, dir, file, time.Minute); len(early) > 0 {
			t.Fatalf("fired after %s, its rule says 2m", early[0].UpdatedAt.Sub(began))
		}
		time.Sleep(30 * time.Second)
		restarted := time.Now()
		alerts := watch(t, dir, file, 90*time.Second)
		if len(alerts) == 0 {
			t.Fatal("did not fire within 90s of the restart: the minute before it is lost")
		}
		if after := alerts[0].UpdatedAt.Sub(restarted); after < 55*time.Second || after > 75*time.Second {
			t.Errorf("fired %s after the restart, one minute was left", after)
		}
	})
}

func TestAFiringAlertFiresAgainAtOnceAfterARestartWithItsOldStart(t *testing.T) {
	dir := t.TempDir()
	file := writeFile(t, `
groups:
- name: g
  rules:
  - {alert: Slow, expr: vector(1), for: 1m}`)
	synctest.Test(t, func(t *testing.T) {
		before := watch(t, dir, file, 2*time.Minute)
		time.Sleep(10 * time.Minute)
		restarted := time.Now()
		after := watch(t, dir, file, 30*time.Second)
		if len(before) == 0 || len(after) == 0 {
			t.Fatalf("notified %d times before the restart and %d after", len(before), len(after))
		}
		if d := after[0].UpdatedAt.Sub(restarted); d > 25*time.Second {
			t.Errorf("fired %s after the restart", d)
		}
		if d := after[0].StartsAt.Sub(before[0].StartsAt.Time).Abs(); d > time.Second {
			t.Errorf("its start moved by %s", d)
		}
	})
}

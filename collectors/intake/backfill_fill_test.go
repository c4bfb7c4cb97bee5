package intake

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"goc/ops"
)

// many are deliveries of as many deployments, newest first; their ids and times count from 1.
func many(n int) (out []map[string]any) {
	for i := n; i > 0; i-- {
		at := start.Add(time.Duration(i-n-60) * time.Minute).UTC().Format(time.RFC3339)
		out = append(out, delivered(i, fmt.Sprint("g", i), "deployment", at, 502, strings.Replace(depOne, `"id":1`, `"id":`+strconv.Itoa(i), 1)+"}"))
	}
	return out
}

func TestADeliveryThatIsGoneIsLeftOutAndHoldsNothingUp(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity} {
		h := &apis{deliveries: many(3), answers: map[string]int{"1": status}}
		f, feeders := backfilling(t, h, drawer{}, func() time.Time { return start })
		f.s.fill(t.Context(), feeders[0])
		if len(f.changes) != 2 || feeders[0].cursor.String() != "2026-11-20T07:00:00.000Z" {
			t.Errorf("%d: %d changes, it goes on at %s", status, len(f.changes), feeders[0].cursor)
		}
		if n := testutil.ToFloat64(f.s.backfilled.WithLabelValues("github", "skipped")); n != 1 {
			t.Errorf("%d: %g are counted as left out", status, n)
		}
		before := len(h.asked)
		f.s.fill(t.Context(), feeders[0])
		if slices.ContainsFunc(h.asked[before:], func(p string) bool { return strings.HasSuffix(p, "/1") }) {
			t.Errorf("%d: asked for it again", status)
		}
	}
}

func TestAFailureHoldsUpNothingButTheCursor(t *testing.T) {
	h := &apis{deliveries: many(30), answers: map[string]int{"29": 500}}
	for i := range 12 { // more than end a round
		h.answers[strconv.Itoa(i+1)] = 502
	}
	kept := drawer{}
	f, feeders := backfilling(t, h, kept, func() time.Time { return start })
	for range 3 {
		f.s.fill(t.Context(), feeders[0])
	}
	if len(f.changes) != 17 {
		t.Errorf("%d changes, want all that can be fetched", len(f.changes))
	}
	if want := h.deliveries[29]["delivered_at"].(string); !feeders[0].cursor.IsZero() && feeders[0].cursor.UTC().Format(time.RFC3339) > want {
		t.Errorf("it would go on at %s and miss what failed at %s", feeders[0].cursor, want)
	}
	h.answers = nil
	list := reopened(t, f, f.s.cfg, kept, func() time.Time { return start })
	f.s.fill(t.Context(), list[0])
	if len(f.changes) != 30 || list[0].cursor.String() != "2026-11-20T07:00:00.000Z" {
		t.Errorf("once they can be fetched: %d changes, it goes on at %s", len(f.changes), list[0].cursor)
	}
}

func TestASenderWithoutEndIsLookedAtInBounds(t *testing.T) {
	h := &apis{endless: true, deliveries: many(1)}
	for i := range 4 {
		h.deployments = append(h.deployments, map[string]any{"id": i + 1, "ref": "v", "status": "running", "updated_at": "2026-11-20T06:30:00Z"})
	}
	f, feeders := backfilling(t, h, drawer{}, func() time.Time { return start })
	f.s.fill(t.Context(), feeders[1])
	if len(h.asked) != backfillPages+1 {
		t.Errorf("asked %d times", len(h.asked))
	}
	if got := feeders[1].cursor.String(); got != "2026-11-20T06:30:00.000Z" {
		t.Errorf("it goes on at %s: a release is later than deployments that were not seen", got)
	}
	before := len(h.queries)
	f.s.fill(t.Context(), feeders[0])
	if got := h.queries[before]; got != "per_page=100" {
		t.Errorf("the first page is asked for with %s", got)
	}
}

func TestATokensFileIsReadAtTheStartAndAgainWhenTheTokenIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	cfg := Config{Backfill: Backfill{GitHub: []Sender{{Repository: "a/b", Hook: 1}, {Repository: "shop/cart", Hook: 7, TokenFile: file}}}}
	r := newRoom(time.Now)
	o := Options{Config: cfg, Alerts: r, Changes: r, Cursors: drawer{}, Who: func(*http.Request) ops.Principal { return ops.System }, Now: func() time.Time { return start }}
	if _, err := New(t.Context(), o); err == nil || !strings.HasPrefix(err.Error(), "hooks.backfill.github[1].token_file: ") {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(file, []byte("t0ken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := &apis{deliveries: many(2)}
	srv := httptest.NewServer(h)
	defer srv.Close()
	o.Config.Backfill.GitHub[1].URL = srv.URL
	s, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.client.CloseIdleConnections()
	h.token = "rotated"
	s.fill(t.Context(), s.feeds[1])
	if len(r.changes) != 0 {
		t.Error("a token that is no longer good was taken")
	}
	if err := os.WriteFile(file, []byte("rotated\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.fill(t.Context(), s.feeds[1])
	if len(r.changes) != 2 {
		t.Errorf("%d changes with the new token", len(r.changes))
	}
}

package world

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goc/ops"
)

// posted keeps what is posted, a line each; what is asked for is answered empty.
type posted chan string

func (p posted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.Method == http.MethodPost {
		p <- r.URL.Path + " " + string(body)
	}
	json.NewEncoder(w).Encode(map[string]any{"items": []any{}})
}

func quietly(string, string, ...any) {}

// fakeGOC is a server whose posts are kept, and a client of it.
func fakeGOC(t *testing.T) (posted, *gocClient) {
	t.Helper()
	p := make(posted, 10)
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	return p, newClient(srv.URL, "")
}

func TestTheReleaseManagerDoesOnceWhatTheGateAsksPeopleFor(t *testing.T) {
	for name, c := range map[string]struct {
		rule, effect, path, says string
	}{
		"approves what waits for it":                    {"approval", "wait", "/api/v1/gate/approvals", `"change_id":"CHG-1"`},
		"gives evidence that is missing":                {"review", "wait", "/api/v1/changes/CHG-1/reviews", "operation"},
		"breaks the glass for what can never fit":       {"share", "deny", "/api/v1/gate/overrides", "index"},
		"and for a firmware by day":                     {"policy:firmware-at-night", "deny", "/api/v1/gate/overrides", "night"},
		"but waits for room":                            {"share", "wait", "", ""},
		"leaves what only takes time":                   {"collision", "wait", "", ""},
		"leaves incidents to those who are on them":     {"incident", "deny", "", ""},
		"and what a policy denies to who asked for it":  {"policy:flag-has-owner", "deny", "", ""},
		"does nothing about what does not hold it back": {"approval", "allow", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, client := fakeGOC(t)
			m := newManager(client, quietly, time.Millisecond)
			d := ops.Decision{Decision: c.effect, Reasons: []ops.Reason{{Rule: c.rule, Effect: c.effect}}}
			helps, again := m.heldBy(t.Context(), "CHG-1", d), m.heldBy(t.Context(), "CHG-1", d)
			if helps != (c.path != "") || again != helps {
				t.Fatalf("helps: %v, then %v", helps, again)
			}
			if !helps {
				return
			}
			if got := <-p; !strings.HasPrefix(got, c.path+" ") || !strings.Contains(got, c.says) {
				t.Errorf("posted %s", got)
			}
			m.heldBy(t.Context(), "CHG-2", d)
			if got := <-p; !strings.Contains(got, "CHG-2") {
				t.Errorf("after the next change: %s", got)
			}
		})
	}
}

func TestTheWorldsFreezesAreSetOnce(t *testing.T) {
	p, client := fakeGOC(t)
	m := newManager(client, quietly, 0)
	if err := m.closes(t.Context(), time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	lunch, sale := <-p, <-p
	if !strings.Contains(lunch, "Asia/Shanghai") || !strings.Contains(sale, `"from":"2026-11-23T18:00:00+08:00"`) {
		t.Errorf("%s\n%s", lunch, sale)
	}
	kept := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			t.Error("a freeze that is there was set again")
		}
		json.NewEncoder(w).Encode(map[string]any{"items": []map[string]string{{"name": "午高峰 lunch rush"}, {"name": "会员日 members' day"}}})
	}))
	defer kept.Close()
	if err := newManager(newClient(kept.URL, ""), quietly, 0).closes(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
}

func TestHarmlessReleasesQueueBehindThoseThatWaitForTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		c := newCI(newClient("http://127.0.0.1:0", ""), seeded(1), quietly, time.Second)
		c.queue(1)
		go c.innocent(ctx, time.Minute)
		made := func() int {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.versions)
		}
		time.Sleep(30 * time.Minute)
		if n := made(); n != 0 {
			t.Errorf("releases of %d services went ahead of one that waits", n)
		}
		c.queue(-1)
		time.Sleep(5 * time.Minute)
		if made() == 0 {
			t.Error("nothing goes out though nothing waits")
		}
	})
}

func TestAReleaseThatAPolicyDeniesIsGivenUp(t *testing.T) {
	var events []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.HasSuffix(r.URL.Path, "/gate/check"):
			json.NewEncoder(w).Encode(ops.Decision{Decision: "deny", Reasons: []ops.Reason{{Rule: "policy:flag-has-owner", Effect: "deny", Message: "name the owner"}}})
		case strings.HasSuffix(r.URL.Path, "/events"):
			events = append(events, string(body))
		default:
			json.NewEncoder(w).Encode(ops.Change{ID: "CHG-1"})
		}
	}))
	defer srv.Close()
	c := newCI(newClient(srv.URL, ""), seeded(1), quietly, time.Second)
	c.held = newManager(c.client, quietly, 0).heldBy
	_, err := c.launch(t.Context(), release{kind: ops.KindFlag, title: "a flag", rings: rings(seeded(1))})
	if err == nil || !strings.Contains(err.Error(), "name the owner") {
		t.Errorf("launch: %v", err)
	}
	if len(events) != 1 || !strings.Contains(events[0], "abort") {
		t.Errorf("events: %v", events)
	}
}

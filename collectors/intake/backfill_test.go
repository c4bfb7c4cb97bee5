package intake

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"goc/ops"
)

// drawer keeps cursors over restarts.
type drawer map[string]ops.Record

func (d drawer) Append(m ops.Mutation) *ops.Receipt {
	for _, r := range m.Put {
		d[r.ID] = r
	}
	receipt := ops.NewReceipt()
	receipt.Settle(nil, nil)
	return receipt
}

func (d drawer) Load(_ context.Context, _ string, each func(ops.Record) error) error {
	for _, r := range d {
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

// apis answers as GitHub's and GitLab's APIs do: pages of deliveries, newest first, behind a cursor; pages of deployments,
// oldest first; a token; a limit on how often it may be asked.
type apis struct {
	deliveries  []map[string]any // newest first
	deployments []map[string]any // oldest first
	asked       []string
	limited     bool
	broken      string         // of this path
	answers     map[string]int // status, by the last part of the path
	endless     bool           // there is always a next page
	token       string         // that is good; t0ken when empty
	queries     []string
}

func (h *apis) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.asked, h.queries = append(h.asked, r.URL.Path), append(h.queries, r.URL.RawQuery)
	last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	switch {
	case r.Header.Get("Authorization") != "Bearer "+cmp.Or(h.token, "t0ken"):
		w.WriteHeader(http.StatusUnauthorized)
	case h.answers[last] != 0:
		w.WriteHeader(h.answers[last])
	case h.limited:
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(http.StatusTooManyRequests)
	case h.broken != "" && strings.HasSuffix(r.URL.Path, h.broken):
		w.WriteHeader(http.StatusBadGateway)
	case r.URL.Path == "/repos/shop/cart/hooks/7/deliveries":
		from, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Query().Get("cursor"), "v1_"))
		to := min(from+2, len(h.deliveries))
		if to < len(h.deliveries) {
			w.Header().Set("Link", fmt.Sprintf(`<https://evil.example/x?cursor=v1_%d>; rel="next"`, to))
		}
		var page []map[string]any
		for _, d := range h.deliveries[from:to] {
			short := map[string]any{}
			for k, v := range d {
				if k != "request" {
					short[k] = v
				}
			}
			page = append(page, short)
		}
		json.NewEncoder(w).Encode(page)
	case strings.HasPrefix(r.URL.Path, "/repos/shop/cart/hooks/7/deliveries/"):
		for _, d := range h.deliveries {
			if fmt.Sprint(d["id"]) == r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:] {
				json.NewEncoder(w).Encode(d)
			}
		}
	case r.URL.EscapedPath() == "/api/v4/projects/shop%2Fcart/deployments":
		after, _ := time.Parse(time.RFC3339, r.URL.Query().Get("updated_after"))
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		list := slices.DeleteFunc(slices.Clone(h.deployments), func(d map[string]any) bool {
			at, _ := time.Parse(time.RFC3339, d["updated_at"].(string))
			return at.Before(after)
		})
		size := max(1, len(list)/2)
		if page*size < len(list) || h.endless {
			w.Header().Set("X-Next-Page", strconv.Itoa(page+1))
		}
		json.NewEncoder(w).Encode(list[min((page-1)*size, len(list)):min(page*size, len(list))])
	case r.URL.EscapedPath() == "/api/v4/projects/shop%2Fcart/releases":
		fmt.Fprint(w, `[{"tag_name":"v9","released_at":"2026-12-24T00:00:00Z"},{"tag_name":"v1","name":"One","released_at":"2026-11-20T07:00:00Z","author":{"username":"li"}},{"tag_name":"v0","released_at":"2026-10-01T00:00:00Z"}]`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func delivered(id int, guid, event, at string, status int, payload string) map[string]any {
	return map[string]any{"id": id, "guid": guid, "event": event, "delivered_at": at, "status_code": status, "request": map[string]any{"payload": json.RawMessage(payload)}}
}

// backfilling is a service that looks at a apis.
func backfilling(t *testing.T, h *apis, d drawer, now func() time.Time) (*fixture, []*feeder) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	about := Sender{URL: srv.URL + "/", Repository: "shop/cart", Hook: 7, Token: "t0ken"}
	cfg := Config{Backfill: Backfill{GitHub: []Sender{about}, GitLab: []Sender{about}}}
	f := &fixture{room: newRoom(now), t: t}
	return f, reopened(t, f, cfg, d, now)
}

func reopened(t *testing.T, f *fixture, cfg Config, d drawer, now func() time.Time) []*feeder {
	t.Helper()
	var err error
	f.s, err = New(t.Context(), Options{
		Config: cfg, Alerts: f.room, Changes: f.room, Now: now, Cursors: d, Registerer: prometheus.NewPedanticRegistry(),
		Who: func(*http.Request) ops.Principal { return ops.System },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.s.client.CloseIdleConnections)
	list, err := f.s.feeders(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	return list
}

const depOne = `{"action":"created","repository":{"name":"cart","full_name":"shop/cart"},"deployment":{"id":1,"ref":"v1","environment":"production","created_at":"2026-11-20T06:00:00Z"}`

func TestWhatGitHubCouldNotDeliverIsFetchedOnce(t *testing.T) {
	now := start
	h := &apis{deliveries: []map[string]any{
		delivered(16, "g6", "deployment_status", "2026-11-20T06:30:00Z", 502, depOne+`,"deployment_status":{"state":"success","created_at":"2026-11-20T06:30:00Z"}}`),
		delivered(15, "g5", "issues", "2026-11-20T06:20:00Z", 502, `{}`),
		delivered(14, "g3", "deployment", "2026-11-20T06:10:00Z", 200, `{"again":"and taken"}`),
		delivered(13, "g3", "deployment", "2026-11-20T06:05:00Z", 504, `{"lost":"the first time"}`),
		delivered(12, "g2", "deployment", "2026-11-20T06:02:00Z", 502, `{"not":"a deployment"}`),
		delivered(11, "g1", "deployment", "2026-11-20T06:00:00Z", 502, depOne+`}`),
		delivered(10, "g0", "deployment", "2026-11-10T06:00:00Z", 502, `{"too":"old"}`),
	}}
	kept := drawer{}
	f, feeders := backfilling(t, h, kept, func() time.Time { return now })
	f.s.fill(t.Context(), feeders[0])
	if len(f.changes) != 1 || f.changes[0].Status != ops.ChangeFinished || f.changes[0].Version != "v1" {
		t.Fatalf("changes %+v", f.changes)
	}
	if got := fmt.Sprint(f.events); got != "[CHG-1 start 2026-11-20T06:00:00.000Z CHG-1 finish 2026-11-20T06:30:00.000Z]" {
		t.Errorf("events %s", got)
	}
	list := reopened(t, f, f.s.cfg, kept, func() time.Time { return now })
	if got := list[0].cursor.String(); got != "2026-11-20T06:30:00.000Z" {
		t.Errorf("after a restart it goes on at %s", got)
	}
	before := len(h.asked)
	f.s.fill(t.Context(), list[0])
	for _, path := range h.asked[before:] {
		if strings.HasSuffix(path, "/11") || strings.HasSuffix(path, "/12") {
			t.Errorf("asked again for %s", path)
		}
	}
	if len(f.changes) != 1 || len(f.events) != 2 {
		t.Errorf("recorded twice: %+v %v", f.changes, f.events)
	}
}

func TestWhatCannotBeFetchedNowIsFetchedLater(t *testing.T) {
	now := start
	h := &apis{broken: "/12", deliveries: []map[string]any{
		delivered(12, "g2", "deployment", "2026-11-20T07:00:00Z", 502, strings.Replace(depOne, `"id":1`, `"id":2`, 1)+`}`),
		delivered(11, "g1", "deployment", "2026-11-20T06:00:00Z", 502, depOne+`}`),
	}}
	f, feeders := backfilling(t, h, drawer{}, func() time.Time { return now })
	f.s.fill(t.Context(), feeders[0])
	if len(f.changes) != 1 {
		t.Fatalf("%d changes, want the one that could be fetched", len(f.changes))
	}
	h.broken, h.limited = "", true
	f.s.fill(t.Context(), feeders[0])
	asked := len(h.asked)
	now = now.Add(9 * time.Minute)
	f.s.fill(t.Context(), feeders[0])
	if len(h.asked) != asked {
		t.Error("it was asked to leave the sender alone for ten minutes and did not")
	}
	h.limited, now = false, now.Add(2*time.Minute)
	f.s.fill(t.Context(), feeders[0])
	if len(f.changes) != 2 {
		t.Errorf("%d changes, want both", len(f.changes))
	}
}

func TestDeploymentsAndReleasesOfGitLabAreFetchedOnce(t *testing.T) {
	dep := func(id int, status, at string) map[string]any {
		return map[string]any{
			"id": id, "ref": "v1", "sha": "279484c09fbe69ededfced8c1bb6e6d24616b468", "status": status, "created_at": "2026-11-20T07:10:00Z", "updated_at": at,
			"user": map[string]any{"username": "li"}, "environment": map[string]any{"name": "production"},
		}
	}
	h := &apis{deployments: []map[string]any{dep(3, "success", "2026-10-01T00:00:00Z"), dep(5, "success", "2026-11-20T07:20:00Z"), dep(6, "running", "2026-11-20T07:30:00Z")}}
	f, feeders := backfilling(t, h, drawer{}, func() time.Time { return start })
	f.send5(t)
	f.s.fill(t.Context(), feeders[1])
	f.s.fill(t.Context(), feeders[1])
	var got []string
	for _, c := range f.changes {
		got = append(got, c.Labels["external_id"]+" "+string(c.Status)+" "+c.Labels["sha"])
	}
	want := "shop/cart deployment 5 finished 279484c0, shop/cart release v1 finished , shop/cart deployment 6 started 279484c0"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
}

func TestACrowdOfDeliveriesIsTakenInRounds(t *testing.T) {
	h := &apis{}
	for i := 3; i > 0; i-- {
		for n := range backfillTaken / 2 {
			id := i*1000 - n
			h.deployments = append(h.deployments, map[string]any{"id": id, "ref": "v", "status": "running", "updated_at": "2026-11-20T07:30:00Z"})
		}
	}
	f, feeders := backfilling(t, h, drawer{}, func() time.Time { return start })
	for _, want := range []int{backfillTaken, 3 * backfillTaken / 2, 3 * backfillTaken / 2} {
		f.s.fill(t.Context(), feeders[1])
		if n := len(f.changes); n != want+1 && n != want {
			t.Errorf("%d changes after a round, want %d", n, want)
		}
	}
}

// send5 has the hook of deployment 5 say that it runs, and then the network fails.
func (f *fixture) send5(t *testing.T) {
	d, _, err := parseGitLab([]byte(`{"object_kind":"deployment","deployment_id":5,"status":"running","status_changed_at":"2026-11-20 07:11:00 UTC","ref":"v1","short_sha":"279484c0","environment":"production","project":{"name":"Cart","path_with_namespace":"shop/cart"}}`), Config{})
	if err == nil {
		_, err = f.s.perform(t.Context(), ops.System, d)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheBackfillLooksSoonAndThenInItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looked := 0
		s, err := New(t.Context(), Options{
			Config: Config{Backfill: Backfill{GitHub: []Sender{{URL: "http://hub.invalid", Repository: "shop/cart", Hook: 1}}}},
			Alerts: newRoom(time.Now), Changes: newRoom(time.Now), Cursors: drawer{}, Who: func(*http.Request) ops.Principal { return ops.System },
		})
		if err != nil {
			t.Fatal(err)
		}
		s.client.Transport = roundTrip(func(*http.Request) (*http.Response, error) { looked++; return nil, fmt.Errorf("no network") })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		time.Sleep(31 * time.Second)
		if looked != 1 {
			t.Errorf("looked %d times within half a minute", looked)
		}
		time.Sleep(time.Hour)
		if looked < 11 || looked > 15 {
			t.Errorf("looked %d times in an hour", looked)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestABackfillNamesTheFieldThatIsWrong(t *testing.T) {
	for place, b := range map[string]Backfill{
		"hooks.backfill.every":                {Every: ops.Duration(time.Second)},
		"hooks.backfill.github[0].url":        {GitHub: []Sender{{URL: "ftp://x", Repository: "a/b", Hook: 1}}},
		"hooks.backfill.gitlab[0].url":        {GitLab: []Sender{{URL: "https://me:secret@gitlab.com", Repository: "a/b"}}},
		"hooks.backfill.gitlab[1].url":        {GitLab: []Sender{{Repository: "a/b"}, {URL: "https://:443", Repository: "a/b"}}},
		"hooks.backfill.github[0].repository": {GitHub: []Sender{{Hook: 1}}},
		"hooks.backfill.github[0].hook":       {GitHub: []Sender{{Repository: "a/b"}}},
		"hooks.backfill.gitlab[0].repository": {GitLab: []Sender{{Repository: "b"}}},
		"hooks.backfill.gitlab":               {GitLab: make([]Sender, 101)},
	} {
		if err := (Config{Backfill: b}).Validate(); err == nil || !strings.HasPrefix(err.Error(), place+":") {
			t.Errorf("%s: %v", place, err)
		}
	}
}

func FuzzNextCursor(f *testing.F) {
	f.Add(`<https://api.github.com/x?cursor=v1_1>; rel="next", <y>; rel="prev"`)
	f.Fuzz(func(t *testing.T, link string) {
		if c := nextCursor(link); c != "" && !strings.Contains(link, "cursor") {
			t.Fatalf("%q of %q", c, link)
		}
	})
}

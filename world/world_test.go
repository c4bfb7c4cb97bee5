package world

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goc/ops"
)

func TestTheCatalogIsTheWorldThatTheReadmeDescribes(t *testing.T) {
	c := Catalog()
	if err := c.Index(); err != nil {
		t.Fatal(err)
	}
	core, cities := 0, map[string]bool{}
	for _, s := range c.Services {
		if s.Core {
			core++
		}
	}
	devices := 0
	for _, s := range c.Stores {
		cities[s.City] = true
		devices += s.Devices
	}
	if len(c.Services) != 24 || core != 20 || len(c.Stores) != 10 || len(cities) != 5 || devices != 500 {
		t.Fatalf("got %d services (%d core), %d stores in %d cities, %d devices", len(c.Services), core, len(c.Stores), len(cities), devices)
	}
	n := 0
	for _, k := range deviceKinds {
		n += k.n
	}
	if n != 50 {
		t.Fatalf("a store has %d devices of all kinds, want 50", n)
	}
}

func TestAFailingServiceFailsItsCallersOnlyInItsStores(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := newEffects()
	s, err := newShop(ctx, e)
	if err != nil {
		t.Fatal(err)
	}
	e.set("x", broken{service: "pricing", effect: effect{failing: 1}}.in([]string{"SH-001"}))
	if s.call(ctx, "customer", "shop-gateway", "SH-001") == nil {
		t.Error("an order in the broken store went through")
	}
	e.set("x", broken{service: "loyalty", effect: effect{failing: 1}}.in([]string{"SH-001"}))
	failed := 0
	for range 5 { // base failures are one in two thousand a service
		if s.call(ctx, "customer", "shop-gateway", "SH-001") != nil {
			failed++
		}
	}
	if failed > 1 {
		t.Errorf("%d of 5 orders failed though only loyalty does, which no order needs", failed)
	}
	resp, err := http.Get("http://" + s.instances["pricing"].addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.Contains(string(body), `shop_errors_total{caller="cart",service="pricing",store="SH-001"} 1`) {
		t.Errorf("pricing's /metrics does not count the failure:\n%s", body)
	}
}

func TestTheSameSeedBreaksTheSame(t *testing.T) {
	draw := func(seed uint64) string {
		f := newFaults(t.TempDir(), newEffects(), nil, nil, seeded(seed), func(string, string, ...any) {})
		var sb strings.Builder
		for range 5 {
			sb.WriteString(f.fault(f.linkDown("")).Scope.String() + ";")
		}
		return sb.String()
	}
	if first, again := draw(7), draw(7); first != again {
		t.Errorf("one seed gave two histories: %s and %s", first, again)
	}
	if draw(7) == draw(8) {
		t.Error("two seeds gave one history")
	}
}

func TestAnEndedFaultIsWrittenOnceWithItsEnd(t *testing.T) {
	dir := t.TempDir()
	f := newFaults(dir, newEffects(), nil, nil, seeded(1), func(string, string, ...any) {})
	key := f.linkDown("DRL-1")
	f.ended(key)
	f.ended(key)
	b, err := os.ReadFile(filepath.Join(dir, "faults.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(b), "\n"); got != 1 || !strings.Contains(string(b), `"guilty_change":null`) || strings.Contains(string(b), `"ended_at":null`) {
		t.Errorf("faults.jsonl holds %d lines: %s", got, b)
	}
}

func TestSilencedDevicesTellTheirFirmwareOnceAndThenFallSilent(t *testing.T) {
	e := newEffects()
	d := newDevices(newClient("", ""), e)
	if n := len(d.batch("SH-001")); n != 50 {
		t.Fatalf("a healthy store sends %d beats, want 50", n)
	}
	d.install("SH-001", "scanner", "2.8.0")
	e.set("x", broken{kind: "scanner", silent: 0.85}.in([]string{"SH-001"}))
	if n := len(d.batch("SH-001")); n != 50 {
		t.Errorf("right after the update %d beats, want 50: each says its new firmware once", n)
	}
	if n := len(d.batch("SH-001")); n >= 50 || n < 32 {
		t.Errorf("later %d beats, want 32 (no scanners) to 49", n)
	}
}

func TestTheChatKeepsMessagesEditsAndThreads(t *testing.T) {
	c := &chat{say: func(string, string, ...any) {}, client: http.DefaultClient}
	srv := httptest.NewServer(c.handler())
	defer srv.Close()
	post := func(path, form string) string {
		resp, err := http.Post(srv.URL+path, "application/x-www-form-urlencoded", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	post("/api/chat.postMessage", "channel=C1&text=INC-1+opened")
	ts := c.messages[0].TS
	post("/api/chat.postMessage", "channel=C1&text=detail&thread_ts="+ts)
	if got := post("/api/chat.update", "channel=C1&text=INC-1+acknowledged&ts="+ts); !strings.Contains(got, `"ok":true`) {
		t.Errorf("update answered %s", got)
	}
	if got := post("/api/chat.update", "channel=C1&text=x&ts=1.2"); !strings.Contains(got, "message_not_found") {
		t.Errorf("an update of no message answered %s", got)
	}
	resp, err := http.Get(srv.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, _ := io.ReadAll(resp.Body)
	for _, want := range []string{"INC-1 acknowledged", "↳ detail", "edited 1×"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestFaultKindsAreRefusedWithTheirNames(t *testing.T) {
	f := newFaults(t.TempDir(), newEffects(), nil, nil, seeded(1), func(string, string, ...any) {})
	if _, _, err := f.start(context.Background(), "meteor", ""); ops.KindOf(err) != ops.Invalid {
		t.Errorf("got %v, want an invalid-input error", err)
	}
}

func TestTheChatShowsWhatSlackWouldShow(t *testing.T) {
	got := string(mrkdwn("*cart &lt;fails&gt;* since <!date^1^{time_secs}|08:00:00 UTC>, success_ratio_low <https://x/y|here>\n_two stores_"))
	want := "<b>cart &lt;fails&gt;</b> since 08:00:00 UTC, success_ratio_low here\n<i>two stores</i>"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

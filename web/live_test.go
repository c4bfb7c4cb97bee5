package web_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"goc/ops"
	"goc/web"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// liveFrame is a text frame.
type liveFrame struct {
	Seq                               int64
	Topic, Type, Name, Subject, Actor string
	At                                ops.Time
	Data                              json.RawMessage
	binary                            []byte
}

// listener is a client of the live feed.
type listener struct {
	t  testing.TB
	ws *websocket.Conn
}

// live runs a world's live feed and returns how to stop it.
func (w *world) live() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.server.Run(ctx)
	}()
	stop = func() { cancel(); <-done }
	w.t.Cleanup(stop)
	return stop
}

// listen connects as a role and sends a first message.
func (w *world) listen(role ops.Role, message string) *listener {
	w.t.Helper()
	h := http.Header{"Authorization": {"Bearer " + w.tokens[role]}}
	ws, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(w.http.URL, "http")+"/api/v1/live", h)
	if err != nil {
		w.t.Fatalf("%v %v", err, res)
	}
	w.t.Cleanup(func() { ws.Close() })
	l := &listener{w.t, ws}
	if message != "" {
		l.send(message)
	}
	return l
}

func (l *listener) send(message string) {
	l.t.Helper()
	if err := l.ws.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		l.t.Fatal(err)
	}
}

// next reads one frame.
func (l *listener) next() liveFrame {
	l.t.Helper()
	_ = l.ws.SetReadDeadline(time.Now().Add(10 * time.Second))
	kind, b, err := l.ws.ReadMessage()
	if err != nil {
		l.t.Fatal(err)
	}
	if kind == websocket.BinaryMessage {
		return liveFrame{binary: b}
	}
	var f liveFrame
	if err := json.Unmarshal(b, &f); err != nil {
		l.t.Fatalf("%v: %s", err, b)
	}
	return f
}

// until reads frames until one is as wanted.
func (l *listener) until(what string, want func(liveFrame) bool) liveFrame {
	l.t.Helper()
	for range 100_000 {
		if f := l.next(); want(f) {
			return f
		}
	}
	l.t.Fatalf("never came: %s", what)
	return liveFrame{}
}

func (w *world) incident(id string) {
	w.put(ops.Incident{ID: id, Title: "tills", Severity: ops.P1, State: ops.IncidentOpen, OnsetAt: ops.At(start)})
}

func TestALiveClientHearsWhatIsAndThenWhatHappens(t *testing.T) {
	w := newWorld(t)
	w.live()
	w.incident("INC-1")
	l := w.listen(ops.Viewer, `{"subscribe":["incidents","incident:INC-1","changes"]}`)
	for _, topic := range []string{"incidents", "incident:INC-1", "changes"} {
		if f := l.next(); f.Type != "snapshot" || f.Topic != topic || f.Seq != w.j.LastSeq() || f.At.IsZero() {
			t.Errorf("a snapshot of %s: %+v", topic, f)
		}
	}
	w.must(200, w.do(ops.Responder, "POST", "/api/v1/incidents/INC-1/acknowledge", ""))
	for _, topic := range []string{"incident:INC-1", "incidents"} {
		f := l.next()
		if f.Type != "event" || f.Topic != topic || f.Name != "incident.acknowledged" || f.Seq != w.j.LastSeq() || f.Actor != "responder" || f.Subject != "INC-1" {
			t.Errorf("an event of %s: %+v", topic, f)
		}
		var d struct {
			Text     string
			Incident *ops.Incident
		}
		if err := json.Unmarshal(f.Data, &d); err != nil || d.Text != "acknowledged" {
			t.Errorf("data: %s %v", f.Data, err)
		}
		if whole := d.Incident != nil && d.Incident.State == ops.IncidentAcknowledged; whole != (topic == "incident:INC-1") {
			t.Errorf("data.incident under %s: %s", topic, f.Data)
		}
	}
	w.say("freeze.added", "gate", "FRZ-1", map[string]any{"text": "frozen"})
	if f := l.next(); f.Topic != "changes" || f.Name != "freeze.added" {
		t.Errorf("the gate is heard under changes: %+v", f)
	}
	l.send(`{"unsubscribe":["incidents","changes"]}`)
	l.send(`{"subscribe":["voice"]}`)
	l.until("the snapshot of voice", func(f liveFrame) bool { return f.Topic == "voice" })
	w.say("change.started", "changes", "CHG-1", nil)
	w.say("voice.said", "voice", "", map[string]any{"text": "no fish"})
	if f := l.next(); f.Name != "voice.said" {
		t.Errorf("after leaving changes: %+v", f)
	}
}

func TestAClientThatComesBackMissesNothing(t *testing.T) {
	w := newWorld(t)
	w.live()
	w.incident("INC-1")
	l := w.listen(ops.Viewer, `{"subscribe":["incidents"]}`)
	seen := l.next().Seq
	l.ws.Close()
	for range 5 {
		w.say("incident.note_added", "incidents", "INC-1", map[string]any{"text": "note"})
		w.say("change.started", "changes", "CHG-1", nil)
	}
	back := w.listen(ops.Viewer, "")
	since, _ := json.Marshal(map[string]any{"subscribe": []string{"incidents", "incident:INC-1"}, "since": seen})
	back.send(string(since))
	w.say("incident.mitigated", "incidents", "INC-1", nil)
	var got []int64
	for {
		f := back.next()
		if f.Topic != "incidents" {
			continue
		}
		if f.Type != "event" {
			t.Fatalf("a snapshot where events would do: %+v", f)
		}
		got = append(got, f.Seq)
		if f.Name == "incident.mitigated" {
			break
		}
	}
	want := []int64{seen + 1, seen + 3, seen + 5, seen + 7, seen + 9, seen + 11}
	if len(got) != len(want) {
		t.Fatalf("heard %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("heard %v, want %v", got, want)
		}
	}
}

func TestTooLongAGapGetsASnapshot(t *testing.T) {
	w := newWorld(t)
	w.server.Limit(64, 64, 10, 10)
	w.live()
	for range 50 {
		w.say("change.started", "changes", "CHG-1", nil)
	}
	for name, since := range map[string]string{"too old": "0", "of another life": "999999"} {
		t.Run(name, func(t *testing.T) {
			if f := w.listen(ops.Viewer, `{"subscribe":["changes"],"since":`+since+`}`).next(); f.Type != "snapshot" || f.Seq != w.j.LastSeq() {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestASlowListenerIsCutOffWhileOthersGoOn(t *testing.T) {
	w := newWorld(t)
	w.server.Limit(64, 64, 10, 10)
	w.live()
	w.server.Patience(time.Minute) // on a busy machine too, it is the backlog that ends and not the connection
	slow := w.listen(ops.Viewer, `{"subscribe":["changes"]}`)
	slow.next()
	quick := w.listen(ops.Viewer, `{"subscribe":["changes"]}`)
	quick.next()
	const events = 250
	big := map[string]any{"text": randomText(64_000)}
	heard := make(chan int64)
	go func() {
		for i := range events {
			f := quick.next()
			if f.Type != "event" {
				t.Errorf("the quick one hears a %s as frame %d", f.Type, i)
			}
			heard <- f.Seq
		}
	}()
	var last int64
	for range events { // the publisher is never held up: each event is heard by the quick one before the next
		w.say("change.started", "changes", "CHG-1", big)
		last = <-heard
	}
	if last != w.j.LastSeq() {
		t.Errorf("the quick one heard up to %d of %d", last, w.j.LastSeq())
	}
	n := 0
	f := slow.until("a snapshot", func(f liveFrame) bool { n++; return f.Type == "snapshot" })
	if n >= events || f.Seq < last-64 {
		t.Errorf("the slow one heard %d frames before a snapshot at %d of %d", n, f.Seq, last)
	}
	w.say("change.finished", "changes", "CHG-1", nil)
	slow.until("what happens after", func(f liveFrame) bool { return f.Name == "change.finished" })
}

// randomText does not compress, so that it fills sockets.
func randomText(n int) string {
	var b strings.Builder
	x := uint32(1)
	for b.Len() < n {
		x = x*1664525 + 1013904223
		b.WriteByte('a' + byte(x>>24)%26)
	}
	return b.String()
}

func TestTheWallIsHeardAsBinaryFrames(t *testing.T) {
	w := newWorld(t)
	w.cells = []byte{1, 1, 4, 1, 1, 1, 1, 1}
	w.live()
	l := w.listen(ops.Viewer, `{"subscribe":["fleet"]}`)
	roll := l.until("the roll-up", func(f liveFrame) bool { return f.binary == nil })
	if roll.Topic != "fleet" || !strings.Contains(string(roll.Data), `"city":"Shanghai"`) {
		t.Errorf("roll-up: %+v %s", roll, roll.Data)
	}
	isWall := func(f liveFrame) bool { return f.binary != nil }
	first := l.until("the wall", isWall).binary
	if first[0] != 1 || first[1] != 1 || binary.LittleEndian.Uint32(first[4:]) != 7 || string(first[8:]) != "\x01\x01\x04\x01\x01\x01\x01\x01" {
		t.Errorf("the wall: %v", first)
	}
	w.wallCall(7, []uint32{3<<24 | 1})
	delta := l.until("the change", isWall).binary
	if delta[0] != 2 || binary.LittleEndian.Uint32(delta[4:]) != 7 || binary.LittleEndian.Uint32(delta[8:]) != 3<<24|1 || len(delta) != 12 {
		t.Errorf("the change: %v", delta)
	}
	w.wallCall(7, []uint32{3<<24 | 1, 3<<24 | 2})
	if quarter := l.until("a quarter of the wall", isWall).binary; quarter[0] != 2 || len(quarter) != 8+2*4 {
		t.Errorf("a quarter of the cells is told as changes: %v", quarter)
	}
	w.mu.Lock()
	w.cells = []byte{3, 3, 3, 1, 1, 1, 1, 1}
	w.mu.Unlock()
	w.wallCall(7, []uint32{3 << 24, 3<<24 | 1, 3<<24 | 2})
	if whole := l.until("more than a quarter", isWall).binary; whole[0] != 1 || binary.LittleEndian.Uint32(whole[4:]) != 7 || string(whole[8:]) != string(w.cells) {
		t.Errorf("more than a quarter of the cells is told as the wall: %v", whole)
	}
	w.wallCall(7, []uint32{1 << 24})
	if next := l.until("the change after", isWall).binary; next[0] != 2 || len(next) != 12 {
		t.Errorf("and then changes again: %v", next)
	}
	w.mu.Lock()
	w.layout, w.cells = 8, []byte{1, 1, 1, 1}
	w.mu.Unlock()
	w.wallCall(8, []uint32{1<<24 | 3})
	again := l.until("the new layout", isWall).binary
	if again[0] != 1 || binary.LittleEndian.Uint32(again[4:]) != 8 || len(again) != 12 {
		t.Errorf("a new layout is sent whole: %v", again)
	}
}

// wallCall reports changed cells as the fleet would, once someone watches.
func (w *world) wallCall(layout uint32, cells []uint32) {
	<-w.watched
	w.mu.Lock()
	fn := w.wall
	w.mu.Unlock()
	fn(layout, cells)
}

func TestTheSituationIsSaidOnChangeAndSeldomBuilt(t *testing.T) {
	w := newWorld(t)
	w.live()
	var all []*listener
	for range 10 {
		all = append(all, w.listen(ops.Viewer, `{"subscribe":["situation"]}`))
	}
	for _, l := range all {
		if f := l.next(); f.Type != "snapshot" || !strings.Contains(string(f.Data), `"incidents":[]`) {
			t.Errorf("%+v", f)
		}
	}
	w.mu.Lock()
	before := w.lists
	w.mu.Unlock()
	w.incident("INC-1")
	for range 200 {
		w.say("incident.opened", "incidents", "INC-1", map[string]any{"text": "tills"})
	}
	for _, l := range all {
		l.until("the incident", func(f liveFrame) bool { return strings.Contains(string(f.Data), `"INC-1"`) })
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if built := w.lists - before; built > 8 { // each build lists twice
		t.Errorf("200 events and 10 clients made %d lists", built)
	}
}

func TestALiveMessageThatCannotBeFollowedIsAnsweredAndTheConnectionGoesOn(t *testing.T) {
	w := newWorld(t)
	w.live()
	l := w.listen(ops.Viewer, "")
	for _, bad := range []string{`{"subscribe":["secrets"]}`, `nonsense`, `{"subscribe":["incident:INC-404"]}`, `{"since":-1}`, `{"subscrib":[]}`} {
		l.send(bad)
		if f := l.next(); f.Type != "error" || !strings.Contains(string(f.Data), `"status":4`) {
			t.Errorf("%s: %+v %s", bad, f, f.Data)
		}
	}
	l.send(`{"subscribe":["plans"]}`)
	if f := l.next(); f.Topic != "plans" || f.Type != "snapshot" {
		t.Errorf("after all that: %+v", f)
	}
	l.send(`{"subscribe":["` + strings.Repeat("x", 20_000) + `"]}`)
	if _, _, err := l.ws.ReadMessage(); err == nil {
		t.Error("a message over the limit did not end the connection")
	}
}

func TestWhoMayNotListenIsRefusedAtTheHandshake(t *testing.T) {
	w := newWorld(t, func(o *web.Options) { o.Config.AllowedOrigins = []string{"https://wall.example.com"} })
	w.live()
	url := "ws" + strings.TrimPrefix(w.http.URL, "http") + "/api/v1/live"
	try := func(role ops.Role, origin string) int {
		h := http.Header{"Authorization": {"Bearer " + w.tokens[role]}}
		if origin != "" {
			h.Set("Origin", origin)
		}
		ws, res, err := websocket.DefaultDialer.Dial(url, h)
		if err == nil {
			ws.Close()
		}
		return res.StatusCode
	}
	for _, c := range []struct {
		name   string
		role   ops.Role
		origin string
		status int
	}{
		{"an agent has no business here", ops.Agent, "", 403},
		{"nobody", "nobody", "", 401},
		{"a page of another site", ops.Viewer, "https://evil.example", 403},
		{"a page of ours", ops.Viewer, w.http.URL, 101},
		{"a page of a configured origin", ops.Viewer, "https://wall.example.com", 101},
		{"no page", ops.Viewer, "", 101},
	} {
		if got := try(c.role, c.origin); got != c.status {
			t.Errorf("%s: %d, want %d", c.name, got, c.status)
		}
	}
	w.problem(400, w.do(ops.Viewer, "GET", "/api/v1/live", ""))
}

func TestOneConnectionTooManyIsToldToComeLater(t *testing.T) {
	w := newWorld(t)
	w.server.Limit(64, 64, 1, 10)
	w.live()
	w.listen(ops.Viewer, `{"subscribe":["plans"]}`).next()
	w.problem(503, w.do(ops.Viewer, "GET", "/api/v1/live", ""))
}

func TestALiveConnectionEndsWithItsToken(t *testing.T) {
	w := newWorld(t)
	w.server.Ping(20 * time.Millisecond)
	w.live()
	made := w.must(201, w.do(ops.Admin, "POST", "/api/v1/tokens", `{"name":"guest","role":"viewer"}`)).json(t)
	w.tokens["guest"] = made["token"].(string)
	l := w.listen("guest", `{"subscribe":["plans"]}`)
	l.next()
	w.must(204, w.do(ops.Admin, "DELETE", "/api/v1/tokens/"+made["id"].(string), ""))
	if _, _, err := l.ws.ReadMessage(); !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
		t.Errorf("closed with %v", err)
	}
}

func TestStoppingClosesEveryConnection(t *testing.T) {
	w := newWorld(t)
	stop := w.live()
	l := w.listen(ops.Viewer, `{"subscribe":["plans"]}`)
	l.next()
	stop()
	_, _, err := l.ws.ReadMessage()
	if !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("closed with %v", err)
	}
	if n := w.server.LiveConnections(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

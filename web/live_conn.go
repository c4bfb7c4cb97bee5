package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"goc/ops"
)

// conn is one live connection: a goroutine that reads and one that writes. All fields but topics belong to the writer.
type conn struct {
	h    *hub
	ws   *websocket.Conn
	id   identity
	in   chan asked    // from the reader
	wake chan struct{} // from the publisher

	mu     sync.Mutex
	topics map[string]bool

	cursor int64             // the last event that was said or passed over
	sent   map[string]uint64 // the newest that was said, by topic
	deltaN uint64            // the last change of the wall that was said
	layout uint32            // of the wall that the client has
}

// asked is a client's message, or why it could not be read.
type asked struct {
	command
	err error
}

// accept makes a request a live connection and serves it until it ends.
func (h *hub) accept(w http.ResponseWriter, r *http.Request) {
	id, _ := r.Context().Value(identityKey{}).(identity)
	c := &conn{h: h, id: id, in: make(chan asked, 4), wake: make(chan struct{}, 1), topics: map[string]bool{}, sent: map[string]uint64{}}
	if err := h.enter(c); err != nil {
		h.s.fail(r, err).write(w)
		return
	}
	defer h.leave(c)
	up := websocket.Upgrader{
		HandshakeTimeout: 10 * time.Second, ReadBufferSize: 1 << 10, WriteBufferSize: 4 << 10,
		CheckOrigin: h.s.origin, EnableCompression: true,
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			refuse(status, reason.Error()).hint("this path speaks WebSocket").write(w)
		},
	}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	c.ws = ws
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		c.read()
	}()
	c.write(gone)
	ws.Close()
	<-gone
}

// origin lets pages from here and from the configured origins connect, and clients that are no pages.
func (s *Server) origin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	return strings.EqualFold(u.Host, r.Host) || slices.ContainsFunc(s.o.Config.AllowedOrigins, func(o string) bool {
		return strings.EqualFold(strings.TrimSuffix(o, "/"), origin)
	})
}

func (h *hub) enter(c *conn) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ops.Errorf(ops.Unavailable, "the server is stopping")
	}
	if len(h.conns) >= h.limits.connections {
		return ops.Errorf(ops.Unavailable, "there are already %d live connections", len(h.conns)).WithHint("try again later")
	}
	c.cursor = h.head
	h.conns[c] = struct{}{}
	h.running.Add(1)
	h.s.metrics.connections.Inc()
	return nil
}

func (h *hub) leave(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
	h.s.metrics.connections.Dec()
	h.running.Done()
}

// wants says whether the client has subscribed to a topic.
func (c *conn) wants(topic string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.topics[topic]
}

// subscribed lists the topics in order.
func (c *conn) subscribed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]string, 0, len(c.topics))
	for t := range c.topics {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}

// read hands the client's messages to the writer until the connection ends or the client sends too many.
func (c *conn) read() {
	patience := 3 * c.h.limits.ping
	c.ws.SetReadLimit(maxLiveMessage)
	_ = c.ws.SetReadDeadline(time.Now().Add(patience))
	c.ws.SetPongHandler(func(string) error { return c.ws.SetReadDeadline(time.Now().Add(patience)) })
	pace := rate.NewLimiter(10, 50)
	for {
		_, data, err := c.ws.ReadMessage()
		if err != nil || !pace.Allow() {
			return
		}
		cmd, err := parseCommand(data)
		select {
		case c.in <- asked{cmd, err}:
		case <-c.h.stop:
			return
		case <-time.After(c.h.limits.write): // the writer is stuck: it gives up by itself
			return
		}
	}
}

// write says what there is to say until the reader is gone, a write fails, or the identity no longer holds.
func (c *conn) write(gone <-chan struct{}) {
	ping := time.NewTicker(c.h.limits.ping)
	defer ping.Stop()
	for {
		var err error
		select {
		case <-gone:
			return
		case <-c.h.stop:
			c.bye(websocket.CloseGoingAway, "the server is stopping")
			return
		case <-ping.C:
			if !c.h.s.auth.still(c.id, c.h.s.o.Now()) {
				c.bye(websocket.ClosePolicyViolation, "the token or session has ended")
				return
			}
			err = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.h.limits.write))
		case a := <-c.in:
			err = c.obey(a)
		case <-c.wake:
			err = c.catchUp()
		}
		if err != nil {
			var timeout interface{ Timeout() bool }
			if errors.As(err, &timeout) && timeout.Timeout() {
				c.h.s.metrics.dropped.Inc()
			}
			return
		}
	}
}

func (c *conn) bye(code int, reason string) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
}

func (c *conn) send(m *websocket.PreparedMessage) error {
	_ = c.ws.SetWriteDeadline(time.Now().Add(c.h.limits.write))
	return c.ws.WritePreparedMessage(m)
}

// say sends a frame that is for this client alone.
func (c *conn) say(f frame) error { return c.send(prepared(websocket.TextMessage, f.encode())) }

// complain answers a message that could not be followed. The connection goes on.
func (c *conn) complain(topic string, err error) error {
	p := problemOf(err)
	data, _ := json.Marshal(p)
	return c.say(frame{Seq: c.cursor, At: ops.At(c.h.s.o.Now()), Topic: topic, Type: "error", Name: "refused", Data: data})
}

// obey follows a client's message: it subscribes, and says what the client has missed or what is.
func (c *conn) obey(a asked) error {
	if a.err != nil {
		return c.complain("", a.err)
	}
	if err := c.catchUp(); err != nil { // so that all that was said before is up to one point
		return err
	}
	var fresh []string
	c.mu.Lock()
	for _, t := range a.Unsubscribe {
		delete(c.topics, t)
	}
	for _, t := range a.Subscribe {
		if !c.topics[t] && len(c.topics) < maxLiveTopics {
			c.topics[t] = true
			fresh = append(fresh, t)
		}
	}
	c.mu.Unlock()
	if a.Since == nil {
		return c.snapshots(fresh)
	}
	return c.resume(fresh, *a.Since)
}

// resume says the events after since under topics. Where there are too many, or none can be told, it says what is.
func (c *conn) resume(topics []string, since int64) error {
	gap := c.cursor - since
	if gap < 0 || gap > c.h.limits.replay {
		return c.snapshots(topics)
	}
	if gap > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		events, err := c.h.s.o.Journal.Events(ctx, ops.EventQuery{Since: since, Limit: int(gap)})
		cancel()
		if err != nil || int64(len(events)) != gap {
			return c.snapshots(topics)
		}
		for _, e := range events {
			if err := c.pass(&entry{event: e, incident: incidentOf(e)}, topics); err != nil {
				return err
			}
		}
	}
	return c.snapshots(slices.DeleteFunc(slices.Clone(topics), func(t string) bool { return t != topicSituation && t != topicFleet }))
}

// pass sends an event under those topics that carry it.
func (c *conn) pass(e *entry, topics []string) error {
	for _, t := range topics {
		if carries(t, e.event, e.incident) {
			if err := c.send(e.message(c.h, t)); err != nil {
				return err
			}
		}
	}
	return nil
}

// catchUp says everything that has come since the last time.
func (c *conn) catchUp() error {
	topics := c.subscribed()
	for {
		entries, whole := c.h.after(c.cursor)
		if !whole { // too slow: its backlog is gone, so it hears what is
			c.h.s.metrics.dropped.Inc()
			c.cursor = c.h.last()
			if err := c.snapshots(topics); err != nil {
				return err
			}
			continue
		}
		for _, e := range entries {
			if err := c.pass(e, topics); err != nil {
				return err
			}
			c.cursor = e.event.Seq
		}
		if len(entries) == 0 {
			break
		}
	}
	for _, t := range []string{topicSituation, topicFleet} {
		if slices.Contains(topics, t) {
			if err := c.newest(t, c.h.latest(t)); err != nil {
				return err
			}
		}
	}
	if slices.Contains(topics, topicFleet) {
		return c.wallDeltas()
	}
	return nil
}

func (h *hub) latest(topic string) latest {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.newest[topic]
}

// newest sends the newest of a topic unless the client has it.
func (c *conn) newest(topic string, l latest) error {
	if l.msg == nil || l.n <= c.sent[topic] {
		return nil
	}
	c.sent[topic] = l.n
	return c.send(l.msg)
}

// wallDeltas sends the changes of the wall, or the wall whole where some are gone.
func (c *conn) wallDeltas() error {
	msgs, last, whole := c.h.deltasAfter(c.deltaN, c.layout)
	if !whole {
		return c.wallWhole()
	}
	for _, m := range msgs {
		if err := c.send(m); err != nil {
			return err
		}
	}
	c.deltaN = last
	return nil
}

func (c *conn) wallWhole() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	msg, n, layout, err := c.h.wholeWall(ctx)
	if err != nil {
		return c.complain(topicFleet, err)
	}
	c.deltaN, c.layout = n, layout
	return c.send(msg)
}

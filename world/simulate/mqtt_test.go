package simulate

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goc/ops"
)

// broker takes MQTT connections and notes what is published, until it has had enough.
type broker struct {
	server
	code     byte // of its answers to logins
	password string
	hangUp   int // after so many messages
}

// serve answers one connection.
func (s *broker) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		first, err := r.ReadByte()
		if err != nil {
			return
		}
		n, err := readLength(r)
		if err != nil {
			s.t.Error("a length:", err)
			return
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		switch first {
		case 0x10:
			if string(body[:7]) != "\x00\x04MQTT\x04" {
				s.t.Errorf("CONNECT %q", body)
			}
			s.password = string(body)
			conn.Write([]byte{0x20, 2, 0, s.code})
		case 0x32:
			id, enough := s.published(body)
			if enough {
				return
			}
			conn.Write([]byte{0x40, 2, byte(id >> 8), byte(id)})
		case 0xe0:
			return
		default:
			s.t.Errorf("a packet %x", first)
		}
	}
}

func readLength(r *bufio.Reader) (n int, err error) {
	for shift := 0; ; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		if n |= int(b&127) << shift; b < 128 {
			return n, nil
		}
	}
}

func (s *broker) published(body []byte) (id uint16, enough bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int(body[0])<<8 | int(body[1])
	topic := strings.Split(string(body[2:2+n]), "/")
	id = uint16(body[2+n])<<8 | uint16(body[3+n])
	if id == 0 || len(topic) != 4 || topic[0] != "goc" || topic[1] != "heartbeat" {
		s.t.Errorf("message %d on %v", id, topic)
	}
	var h ops.Heartbeat
	if err := json.Unmarshal(body[4+n:], &h); err != nil || h.Store != "" || h.Kind == "" {
		s.t.Errorf("%s: %v", body[4+n:], err)
	}
	h.Store, h.Device = topic[2], topic[3]
	s.beats = append(s.beats, heard{Heartbeat: h, at: time.Since(s.start)})
	return id, len(s.beats) == s.hangUp
}

// publish runs a simulation against a broker on virtual time.
func publish(t *testing.T, s *broker, o Options) (Summary, error) {
	t.Helper()
	var sum Summary
	var err error
	synctest.Test(t, func(t *testing.T) {
		s.t, s.start, s.queue = t, time.Now(), make(chan net.Conn)
		go func() {
			for c := range s.queue {
				go s.serve(c)
			}
		}()
		o.Server, _ = url.Parse("http://127.0.0.1:1")
		o.MQTT, _ = url.Parse("mqtt://goc.example")
		o.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if address != "goc.example:1883" {
				return nil, net.ErrClosed // goc itself, asked for states
			}
			return s.dial(ctx, network, address)
		}
		sum, err = Run(t.Context(), o)
		close(s.queue)
	})
	return sum, err
}

func TestBeatsGoOverMQTTAsMessagesOfTheirDevices(t *testing.T) {
	s := &broker{}
	sum, err := publish(t, s, Options{Devices: 130, PerStore: 50, For: 2 * time.Minute, Token: "goc_secret", Lines: 2, Pipeline: 2, Scenarios: []string{"clock-skew"}, Share: 1})
	if err != nil || sum.Accepted != 520 || len(s.beats) != 520 {
		t.Fatalf("%+v %v, %d heard", sum, err, len(s.beats))
	}
	devices := map[string]int{}
	for _, h := range s.beats {
		devices[h.Store+"/"+h.Device]++
	}
	if len(devices) != 130 || devices["SIM-000003/pos-01"] != 4 {
		t.Errorf("%d devices", len(devices))
	}
	if !strings.HasSuffix(s.password, "goc_secret") {
		t.Errorf("CONNECT %q", s.password)
	}
}

func TestOverMQTTARefusedLoginEndsTheRun(t *testing.T) {
	sum, err := publish(t, &broker{code: 5}, Options{Devices: 10})
	if ops.KindOf(err) != ops.Denied || sum.Sent != 0 {
		t.Errorf("%+v %v", sum, err)
	}
}

func TestOverMQTTItGoesOnWhenTheConnectionBreaks(t *testing.T) {
	s := &broker{hangUp: 30}
	sum, err := publish(t, s, Options{Devices: 20, For: 2 * time.Minute, Lines: 1})
	if err != nil || sum.Broken != 1 || sum.Accepted != 60 || sum.Sent != 80 {
		t.Errorf("%+v %v", sum, err)
	}
}

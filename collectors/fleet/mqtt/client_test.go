package mqtt_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// device is a small MQTT 3.1.1 client that sends what it is told to, right or wrong.
type device struct {
	t testing.TB
	net.Conn
	r  *bufio.Reader
	pi uint16
}

// login is what a CONNECT says. A zero login has no user and a client id that the server gives.
type login struct {
	from           string // the local address, 127.0.0.1 when empty
	id             string
	user, password string
	keep           bool // a session that is kept
	willTopic      string
	will           string
}

// dial connects and returns the CONNACK's return code, -1 where the server closed without one.
func dial(t testing.TB, addr string, l login) (*device, int) {
	t.Helper()
	d := net.Dialer{Timeout: 5 * time.Second}
	if l.from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(l.from)}
	}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	out := &device{t: t, Conn: c, r: bufio.NewReaderSize(c, 64<<10)}
	out.write(connectPacket(l))
	var ack [4]byte
	if _, err := io.ReadFull(out.r, ack[:]); err != nil || ack[0] != 0x20 {
		return out, -1
	}
	return out, int(ack[3])
}

// mustDial connects where that must succeed.
func mustDial(t testing.TB, addr string, l login) *device {
	t.Helper()
	d, code := dial(t, addr, l)
	if code != 0 {
		t.Fatalf("the login of %q was refused with code %d", l.user, code)
	}
	return d
}

func connectPacket(l login) []byte {
	flags := byte(2)
	if l.keep {
		flags = 0
	}
	var body []byte
	text := func(s string) { body = append(binary.BigEndian.AppendUint16(body, uint16(len(s))), s...) }
	text("MQTT")
	if l.user != "" {
		flags |= 0xc0
	}
	if l.willTopic != "" {
		flags |= 0x0c // a will of QoS 1
	}
	body = append(body, 4, flags, 0, 60)
	text(l.id)
	if l.willTopic != "" {
		text(l.willTopic)
		text(l.will)
	}
	if l.user != "" {
		text(l.user)
		text(l.password)
	}
	return packet(0x10, body)
}

// packet puts the fixed header before a body.
func packet(first byte, body []byte) []byte {
	out := []byte{first}
	for n := len(body); ; {
		b := byte(n & 127)
		if n >>= 7; n > 0 {
			out = append(out, b|128)
			continue
		}
		return append(append(out, b), body...)
	}
}

func (d *device) write(b []byte) {
	d.t.Helper()
	if _, err := d.Write(b); err != nil {
		d.t.Logf("write: %v", err)
	}
}

func publishPacket(qos byte, pi uint16, topic, payload string) []byte {
	body := append(binary.BigEndian.AppendUint16(nil, uint16(len(topic))), topic...)
	if qos > 0 {
		body = binary.BigEndian.AppendUint16(body, pi)
	}
	return packet(0x30|qos<<1, append(body, payload...))
}

// publish sends with QoS 1 and waits for the acknowledgement; an error means that it was not given.
func (d *device) publish(topic, payload string) error {
	d.pi++
	d.write(publishPacket(1, d.pi, topic, payload))
	return d.expect(0x40, d.pi)
}

// expect reads a packet of four bytes with a packet id.
func (d *device) expect(kind byte, pi uint16) error {
	var b [4]byte
	if _, err := io.ReadFull(d.r, b[:]); err != nil {
		return err
	}
	if b[0] != kind || binary.BigEndian.Uint16(b[2:]) != pi {
		return fmt.Errorf("got the packet %x, want %x for %d", b, kind, pi)
	}
	return nil
}

// ended waits until the server has closed the connection.
func (d *device) ended() error {
	for {
		if _, err := d.r.ReadByte(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

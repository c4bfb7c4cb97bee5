package simulate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"time"

	"goc/ops"
)

// publisher is one MQTT 3.1.1 connection that publishes beats with QoS 1: a gateway that speaks for all its devices. One
// goroutine uses it.
type publisher struct {
	conn  net.Conn
	r     *bufio.Reader
	under []int // beats of each batch that is not yet acknowledged, the oldest first
}

// Packet types of MQTT, in the upper half of the first byte.
const (
	mqttConnect = 1 << 4
	mqttConnAck = 2 << 4
	mqttPublish = 3<<4 | 1<<1 // QoS 1
	mqttPubAck  = 4 << 4
)

// dialMQTT opens a connection and logs in, with a token as the password.
func dialMQTT(ctx context.Context, open dialer, to *url.URL, token string) (wire, error) {
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := connect(limited, open, to)
	if err != nil {
		return nil, err
	}
	p := &publisher{conn: conn, r: bufio.NewReaderSize(conn, 4<<10)}
	if err := p.login(token); err != nil {
		conn.Close()
		return nil, err
	}
	return p, nil
}

// login sends CONNECT: a clean session without a client id, and without keep-alive, for it is a beat's turn often enough.
func (p *publisher) login(token string) error {
	const cleanSession, withPassword, withName = 1 << 1, 1 << 6, 1 << 7
	flags, names := byte(cleanSession), []string{""}
	if token != "" {
		flags |= withPassword | withName
		names = append(names, "goc-fleet-simulate", token)
	}
	body := append([]byte("\x00\x04MQTT\x04"), flags, 0, 0)
	for _, s := range names {
		body = append(binary.BigEndian.AppendUint16(body, uint16(len(s))), s...)
	}
	p.conn.SetDeadline(time.Now().Add(lineTimeout))
	if _, err := p.conn.Write(append(binary.AppendUvarint([]byte{mqttConnect}, uint64(len(body))), body...)); err != nil {
		return err
	}
	var ack [4]byte
	if _, err := io.ReadFull(p.r, ack[:]); err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	switch {
	case ack[0] != mqttConnAck || ack[1] != 2:
		return ops.Errorf(ops.Denied, "what answers does not speak MQTT 3.1.1")
	case ack[3] == 3:
		return fmt.Errorf("the server is not ready")
	case ack[3] != 0:
		return ops.Errorf(ops.Denied, "the login was refused (MQTT return code %d)", ack[3]).WithHint("--token takes a token of role agent whose name has no slash")
	}
	return nil
}

// send writes the messages of a batch.
func (p *publisher) send(body []byte, beats int) error {
	p.under = append(p.under, beats)
	p.conn.SetDeadline(time.Now().Add(lineTimeout))
	_, err := p.conn.Write(body)
	return err
}

// Answer reads the acknowledgements of the oldest batch, and answers as HTTP would: MQTT has no way to say no.
func (p *publisher) Answer() (Answer, error) {
	n := p.under[0]
	p.under = append(p.under[:0], p.under[1:]...)
	for range n {
		var ack [4]byte
		if _, err := io.ReadFull(p.r, ack[:]); err != nil {
			return Answer{}, fmt.Errorf("reading an acknowledgement: %w", err)
		}
		if ack[0] != mqttPubAck || ack[1] != 2 {
			return Answer{}, fmt.Errorf("a packet of type %d in place of an acknowledgement", ack[0]>>4)
		}
	}
	return Answer{Status: 202, Body: fmt.Appendf(nil, `{"accepted":%d,"rejected":[]}`, n)}, nil
}

// Close ends the connection, as a device does that goes away.
func (p *publisher) Close() error {
	p.conn.Write([]byte{14 << 4, 0}) // DISCONNECT; that nobody reads it any more is no matter
	return p.conn.Close()
}

// appendPublishes renders the beats of devices from to to at a moment as MQTT messages, each on its device's topic.
// id is that of the message before.
func (f *fleet) appendPublishes(b []byte, how *form, from, to int, m moment, trouble []scenario, ago int64, id *uint16) (_ []byte, n int) {
	digits, scratch := [20]byte{}, [512]byte{}
	now := strconv.AppendInt(digits[:0], m.unixMs-ago, 10)
	for i := from; i < to; i++ {
		store := i / f.perStore
		e := f.befalls(&m, trouble, store, i)
		if e.silent {
			continue
		}
		n++
		name, rest, _ := bytes.Cut(f.names[i%f.perStore], []byte(`",`))
		packet := append(append(scratch[:2], "goc/heartbeat/"...), StoreID(store)...)
		packet = append(append(packet, '/'), name...)
		binary.BigEndian.PutUint16(packet, uint16(len(packet)-2))
		if *id++; *id == 0 {
			*id = 1
		}
		packet = binary.BigEndian.AppendUint16(packet, *id)
		packet = append(append(packet, '{'), rest...)
		packet = f.appendRest(packet, how, i, &e, now, m.unixMs-ago)
		b = append(binary.AppendUvarint(append(b, mqttPublish), uint64(len(packet))), packet...)
	}
	return b, n
}

package mqtt_test

import (
	"strings"
	"testing"
)

func TestWhatIsNoMQTTEndsTheConnection(t *testing.T) {
	for _, c := range []struct{ name, reason, send string }{
		{"a topic with +", "topic", string(publishPacket(1, 1, "goc/heartbeat/+/pos-03", ""))},
		{"a topic with #", "topic", string(publishPacket(0, 0, "goc/heartbeat/#", ""))},
		{"a topic with a blank", "topic", string(publishPacket(1, 1, "goc/heartbeat/SH 1/pos-03", ""))},
		{"an empty topic", "malformed", string(publishPacket(1, 1, "", ""))},
		{"a topic that is no UTF-8", "malformed", string(publishPacket(1, 1, "goc/heartbeat/\xff/x", ""))},
		{"an oversized payload", "too_large", string(publishPacket(1, 1, "goc/heartbeat/SH-001/pos-03", strings.Repeat(" ", 5<<10)))},
		{"an announced gigabyte", "too_large", "\x32\xff\xff\xff\x7f"},
		{"a length without an end", "malformed", "\x32\xff\xff\xff\xff\xff"},
		{"a second login", "malformed", string(connectPacket(login{}))},
		{"noise", "malformed", "\x00\x00GET / HTTP/1.1\r\n\r\n"},
		{"packet id 0", "malformed", string(publishPacket(1, 0, "goc/heartbeat/SH-001/pos-03", ""))},
		{"QoS 3", "malformed", string(publishPacket(3, 1, "goc/heartbeat/SH-001/pos-03", ""))},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, nil)
			d := mustDial(t, s.Addr(), login{user: "SH-001/pos-03", password: "s-pos"})
			d.write([]byte(c.send))
			if err := d.ended(); err != nil {
				t.Fatal(err)
			}
			eventually(t, c.reason+" is counted", func() bool { return s.counted(t, "goc_mqtt_refused_total", "reason="+c.reason) >= 1 })
			again := mustDial(t, s.Addr(), login{user: "SH-001/pos-03", password: "s-pos"})
			if err := again.publish("goc/heartbeat/SH-001/pos-03", ""); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestADeviceMayNotSubscribe(t *testing.T) {
	s := open(t, nil)
	d := mustDial(t, s.Addr(), login{user: "SH-001/pos-03", password: "s-pos"})
	for _, filter := range []string{"#", "goc/heartbeat/#", "goc/heartbeat/SH-001/pos-03"} {
		body := append([]byte{0, 9, 0, byte(len(filter))}, filter...)
		d.write(packet(0x82, append(body, 1)))
		var ack [5]byte
		if _, err := readFull(d, ack[:]); err != nil || ack[0] != 0x90 || ack[4] != 0x80 {
			t.Errorf("%s: %x %v, want a refusal", filter, ack, err)
		}
	}
}

func readFull(d *device, b []byte) (int, error) {
	n := 0
	for n < len(b) {
		m, err := d.r.Read(b[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

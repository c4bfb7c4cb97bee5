package mqtt

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
)

func TestTheLinkReadsWhatTheServerSends(t *testing.T) {
	const qos0, qos1 = "NATS/1.0\r\nNmqtt-Pub:0\r\n\r\n", "NATS/1.0\r\nNmqtt-Pub:1\r\n\r\n"
	msg := func(subject, sid, reply, header, payload string) string {
		words := slices.DeleteFunc([]string{"HMSG", subject, sid, reply, fmt.Sprint(len(header)), fmt.Sprint(len(header) + len(payload))}, func(s string) bool { return s == "" })
		return strings.Join(words, " ") + "\r\n" + header + payload + "\r\n"
	}
	for _, c := range []struct {
		name, sent string
		want       []string
		broken     bool
	}{
		{"a message to be stored", msg("$MQTT.msgs.goc.heartbeat.a.b", "1", "r.1", qos1, "{}"), []string{"$MQTT.msgs.goc.heartbeat.a.b r.1 {} false"}, false},
		{"its twin, which is left", msg("goc.heartbeat.a.b", "2", "", qos1, "{}") + msg("goc.heartbeat.a.c", "2", "", qos0, ""), []string{"goc.heartbeat.a.c   true"}, false},
		{"one of QoS 0", msg("goc.heartbeat.a.b", "2", "", qos0, "x\r\nHMSG y"), []string{"goc.heartbeat.a.b  x\r\nHMSG y true"}, false},
		{"what is not for us", "+OK\r\nINFO {}\r\nPONG\r\n" + msg("s", "1", "r", qos1, ""), []string{"s r  false"}, false},
		{"an error", "-ERR 'Slow Consumer'\r\n", nil, true},
		{"a message without a header", "MSG goc.heartbeat.a.b 2 2\r\n{}\r\n", nil, true},
		{"lengths that do not fit", "HMSG s 1 r 20 10\r\n", nil, true},
		{"a length without a bound", "HMSG s 1 r 10 99999999999\r\n", nil, true},
		{"a word too few", "HMSG s 1 10\r\n", nil, true},
		{"a word too many", "HMSG s 1 r x 10 10\r\n", nil, true},
		{"a line without an end", "HMSG " + strings.Repeat("x", 2*linkBuffer), nil, true},
		{"half a message at the end", "HMSG s 1 r 4 10\r\nNATS", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &link{r: bufio.NewReaderSize(strings.NewReader(c.sent), linkBuffer)}
			var got []string
			err := l.read(func(m message) {
				got = append(got, fmt.Sprint(m.subject, " ", m.reply, " ", string(m.payload), " ", m.plain))
			})
			if !slices.Equal(got, c.want) || (err.Error() == "EOF") == c.broken {
				t.Errorf("got %q, then %v", got, err)
			}
		})
	}
}

func TestALinkThatIsRefusedSaysSo(t *testing.T) {
	for _, answer := range []string{"", "what?\r\n", "INFO {}\r\n-ERR 'Authorization Violation'\r\n", "INFO {}\r\n"} {
		us, it := net.Pipe()
		go func() {
			it.Write([]byte(answer))
			buf := make([]byte, 4096)
			it.Read(buf)
			it.Close()
		}()
		if answer == "" || answer == "what?\r\n" {
			go it.Close()
		}
		if _, err := openLink(us, "x"); err == nil {
			t.Errorf("%q opens a link", answer)
		}
		us.Close()
	}
}

// FuzzLink holds that whatever comes ends, and never as a message longer than it was.
func FuzzLink(f *testing.F) {
	f.Add("HMSG goc.heartbeat.a.b 2 26 28\r\nNATS/1.0\r\nNmqtt-Pub:0\r\n\r\n{}\r\n")
	f.Add("HMSG s 1 r 0 0\r\n\r\n")
	f.Add("PONG\r\n+OK\r\n-ERR x\r\n")
	f.Fuzz(func(t *testing.T, sent string) {
		l := &link{r: bufio.NewReaderSize(strings.NewReader(sent), 64), w: bufio.NewWriter(discard{})}
		n := 0
		if err := l.read(func(m message) { n += len(m.subject) + len(m.reply) + len(m.payload) }); err == nil || n > len(sent) {
			t.Errorf("%d bytes of %d, %v", n, len(sent), err)
		}
	})
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

package mqtt_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"goc/collectors/fleet/mqtt"
	"goc/ops"
)

// installed is the path of a program that CI installs; without it a test is skipped elsewhere.
func installed(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed, and CI must have it", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// mosquitto is a real broker on loopback.
type mosquitto struct {
	t         *testing.T
	dir, port string
	cmd       *exec.Cmd
}

func newMosquitto(t *testing.T) *mosquitto {
	t.Helper()
	installed(t, "mosquitto")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	ln.Close()
	m := &mosquitto{t: t, dir: t.TempDir(), port: port}
	out, err := exec.CommandContext(t.Context(), installed(t, "mosquitto_passwd"), "-b", "-c", filepath.Join(m.dir, "users"), "goc", "broker-secret").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m.file("password", "broker-secret\n")
	m.file("conf", fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous false\npassword_file %s\nuser root\n", port, filepath.Join(m.dir, "users")))
	m.start()
	t.Cleanup(m.stop)
	return m
}

func (m *mosquitto) file(name, text string) string {
	path := filepath.Join(m.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return path
}

func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command(installed(m.t, "mosquitto"), "-c", filepath.Join(m.dir, "conf"))
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	eventually(m.t, "Mosquitto listens", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+m.port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (m *mosquitto) stop() {
	m.cmd.Process.Kill()
	m.cmd.Wait()
}

// publish sends through the broker with its own client.
func (m *mosquitto) publish(topic, message string, more ...string) {
	m.t.Helper()
	args := append([]string{"-h", "127.0.0.1", "-p", m.port, "-u", "goc", "-P", "broker-secret", "-t", topic, "-m", message}, more...)
	if out, err := exec.CommandContext(m.t.Context(), installed(m.t, "mosquitto_pub"), args...).CombinedOutput(); err != nil {
		m.t.Fatalf("mosquitto_pub: %v %s", err, out)
	}
}

// subscriber opens a service that listens to the broker, and waits until it is subscribed.
func (m *mosquitto) subscriber(t *testing.T, id string, change func(*mqtt.Options)) *site {
	t.Helper()
	s := open(t, func(o *mqtt.Options) {
		o.Config = mqtt.Config{Brokers: []mqtt.Broker{{
			URL: "mqtt://127.0.0.1:" + m.port, Username: "goc", PasswordFile: filepath.Join(m.dir, "password"), ClientID: id,
		}}}
		if change != nil {
			change(o)
		}
	})
	eventually(t, "subscribed", func() bool { return len(s.Missing()) == 0 })
	return s
}

func TestABrokersMessagesAreTaken(t *testing.T) {
	m := newMosquitto(t)
	s := m.subscriber(t, "goc", nil)
	m.publish("goc/heartbeat/SH-001/old", `{"kind":"pos"}`, "-q", "1", "-V", "311")
	m.publish("goc/heartbeat/SH-001/new", `{"kind":"pos"}`, "-q", "1", "-V", "5")
	m.publish("goc/heartbeat/SH-001/twice", "", "-q", "2")
	m.publish("goc/heartbeat/SH-001/once", "", "-q", "0")
	for _, device := range []string{"old", "new", "twice", "once"} {
		eventually(t, device, func() bool { return s.fleet.has("SH-001", device) })
	}
}

func TestABrokersBadMessagesAreRefusedAlone(t *testing.T) {
	m := newMosquitto(t)
	s := m.subscriber(t, "goc", nil)
	m.publish("goc/heartbeat/SH-001/pos-03", "no JSON", "-q", "1")
	m.publish("goc/heartbeat/SH-001/pos-03", `{"store":"SH-002"}`, "-q", "1")
	m.publish("goc/heartbeat/SH-001/pos-03", strings.Repeat(" ", 5<<10), "-q", "1")
	m.publish("goc/heartbeat/SH 001/pos-03", "", "-q", "1")
	m.publish("goc/heartbeat//pos-03", "", "-q", "1")
	m.publish("goc/heartbeat/SH-001/good", "", "-q", "1")
	eventually(t, "the good one", func() bool { return s.fleet.has("SH-001", "good") })
	for reason, n := range map[string]float64{"payload": 1, "other_device": 1, "too_large": 1, "topic": 2} {
		if got := s.counted(t, "goc_mqtt_refused_total", "reason="+reason); got != n {
			t.Errorf("%s counts %v, want %v", reason, got, n)
		}
	}
	if len(s.fleet.beats) != 1 {
		t.Errorf("%d beats", len(s.fleet.beats))
	}
}

func TestWhatWasNotTakenComesAgain(t *testing.T) {
	m := newMosquitto(t)
	func() {
		ctx, cancel := context.WithCancel(context.Background())
		f := &table{err: ops.Errorf(ops.Unavailable, "the journal has stopped")}
		s, err := mqtt.New(ctx, mqtt.Options{
			Config: mqtt.Config{Brokers: []mqtt.Broker{{URL: "mqtt://127.0.0.1:" + m.port, Username: "goc", PasswordFile: filepath.Join(m.dir, "password")}}},
			Fleet:  f, Journal: &events{}, Admit: (&site{}).admit, Still: (&site{}).still,
		})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		eventually(t, "subscribed", func() bool { return len(s.Missing()) == 0 })
		m.publish("goc/heartbeat/SH-001/pos-03", "", "-q", "1")
		m.publish("goc/heartbeat/SH-001/pos-04", "", "-q", "1")
		cancel()
		<-done
	}()
	m.publish("goc/heartbeat/SH-001/pos-05", "", "-q", "1") // while nobody is there
	s := m.subscriber(t, "goc", nil)
	for _, device := range []string{"pos-03", "pos-04", "pos-05"} {
		eventually(t, device, func() bool { return s.fleet.has("SH-001", device) })
	}
}

func TestTwoInstancesShareABroker(t *testing.T) {
	m := newMosquitto(t)
	a, b := m.subscriber(t, "goc-a", nil), m.subscriber(t, "goc-b", nil)
	const n = 200
	lines := make([]string, n)
	for i := range lines {
		lines[i] = "{}"
	}
	cmd := exec.CommandContext(t.Context(), installed(t, "mosquitto_pub"), "-h", "127.0.0.1", "-p", m.port, "-u", "goc", "-P", "broker-secret",
		"-q", "1", "-t", "goc/heartbeat/SH-001/pos-03", "-l")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	taken := func(s *site) float64 { return s.counted(t, "goc_mqtt_beats_total", "") }
	eventually(t, "each message is taken", func() bool { return taken(a)+taken(b) == n })
	if taken(a) == 0 || taken(b) == 0 {
		t.Errorf("shares: %v and %v", taken(a), taken(b))
	}
}

func TestABrokerThatIsAwayIsSaidAndFoundAgain(t *testing.T) {
	m := newMosquitto(t)
	s := m.subscriber(t, "goc", nil)
	m.stop()
	eventually(t, "it is missed", func() bool { return len(s.Missing()) == 1 })
	m.start()
	eventually(t, "it is found again", func() bool { return len(s.Missing()) == 0 })
	m.publish("goc/heartbeat/SH-001/pos-03", "", "-q", "1")
	eventually(t, "and heard", func() bool { return s.fleet.has("SH-001", "pos-03") })
}

func TestAnInstanceMayListenAndSubscribe(t *testing.T) {
	m := newMosquitto(t)
	s := m.subscriber(t, "goc", func(o *mqtt.Options) { o.Config.Listen = "127.0.0.1:0" })
	d := mustDial(t, s.Addr(), login{user: "SH-001/pos-03", password: "s-pos"})
	if err := d.publish("goc/heartbeat/SH-001/pos-03", ""); err != nil {
		t.Fatal(err)
	}
	m.publish("goc/heartbeat/SH-001/pos-04", "", "-q", "1")
	eventually(t, "both", func() bool { return s.fleet.has("SH-001", "pos-03") && s.fleet.has("SH-001", "pos-04") })
}

package mqtt_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goc/collectors/fleet/mqtt"
	"goc/ops"
)

func TestAckMeansInTheTable(t *testing.T) {
	s := open(t, nil)
	hold := make(chan struct{})
	s.fleet.hold = hold
	d := mustDial(t, s.Addr(), login{user: "SH-001/pos-03", password: "s-pos"})
	acked := make(chan error, 1)
	go func() { acked <- d.publish("goc/heartbeat/SH-001/pos-03", `{"kind":"pos","status":"ok"}`) }()
	eventually(t, "the message reaches us", func() bool { return s.counted(t, "goc_mqtt_messages_total", "way=embedded") == 1 })
	select {
	case err := <-acked:
		t.Fatalf("acknowledged before the fleet had it (%v)", err)
	default:
	}
	close(hold)
	if err := <-acked; err != nil {
		t.Fatal(err)
	}
	if !s.fleet.has("SH-001", "pos-03") {
		t.Fatal("acknowledged and not in the table")
	}
}

func TestNothingIsAcknowledgedThatTheFleetDidNotTake(t *testing.T) {
	s := open(t, nil)
	s.fleet.err = ops.Errorf(ops.Unavailable, "the journal has stopped")
	d := mustDial(t, s.Addr(), login{user: "SH-001/pos-03", password: "s-pos"})
	d.write(publishPacket(1, 7, "goc/heartbeat/SH-001/pos-03", ""))
	eventually(t, "the fleet refuses it", func() bool { return s.counted(t, "goc_mqtt_failed_total", "") == 1 })
	d.SetReadDeadline(time.Now().Add(30 * time.Second))
	if err := d.ended(); err != nil {
		t.Fatalf("the connection must end without an acknowledgement, so that the device sends again: %v", err)
	}
}

func TestADeviceSpeaksOnlyForItself(t *testing.T) {
	for _, c := range []struct {
		name, user, password, topic string
		taken                       bool
	}{
		{"a device for itself", "SH-001/pos-03", "s-pos", "goc/heartbeat/SH-001/pos-03", true},
		{"a device for its neighbour", "SH-001/pos-03", "s-pos", "goc/heartbeat/SH-001/pos-04", false},
		{"a device for another store", "SH-001/pos-03", "s-pos", "goc/heartbeat/SH-002/pos-03", false},
		{"a device on a topic of its own making", "SH-001/pos-03", "s-pos", "goc/heartbeat/SH-001/pos-03/x", false},
		{"a device on the server's own subjects", "SH-001/pos-03", "s-pos", "$MQTT/msgs/goc/heartbeat/SH-001/pos-04", false},
		{"a device with an NATS wildcard for a name", "SH-001/pos-03", "s-pos", "goc/heartbeat/SH-001/*", false},
		{"names with dots", "SH.1/pos.a", "s-dotted", "goc/heartbeat/SH.1/pos.a", true},
		{"names with dots are not levels", "SH.1/pos.a", "s-dotted", "goc/heartbeat/SH/1/pos.a", false},
		{"a gateway for its store's device", "SH-001", "s-gateway", "goc/heartbeat/SH-001/pos-09", true},
		{"a gateway for another store", "SH-001", "s-gateway", "goc/heartbeat/SH-002/pos-09", false},
		{"a gateway with an NATS wildcard for a name", "SH-001", "s-gateway", "goc/heartbeat/SH-001/>", false},
		{"a store's credential under one device's name", "SH-001/pos-05", "s-gateway", "goc/heartbeat/SH-001/pos-05", true},
		{"a store's credential narrowed to one device", "SH-001/pos-05", "s-gateway", "goc/heartbeat/SH-001/pos-06", false},
		{"the chain's gateway", "chain", "s-chain", "goc/heartbeat/BJ-007/pos-01", true},
		{"the chain's gateway on another topic", "chain", "s-chain", "other/heartbeat/BJ-007/pos-01", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, nil)
			d := mustDial(t, s.Addr(), login{user: c.user, password: c.password})
			// MQTT 3.1.1 has no way to refuse a message: it is acknowledged, dropped and counted.
			if err := d.publish(c.topic, `{"kind":"pos"}`); err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(c.topic, "/")
			if got := s.fleet.has(parts[2], parts[len(parts)-1]); got != c.taken {
				t.Errorf("taken: %v, want %v", got, c.taken)
			}
			refused := s.counted(t, "goc_mqtt_refused_total", "reason=permission") + s.counted(t, "goc_mqtt_refused_total", "reason=topic")
			if (refused == 0) != c.taken {
				t.Errorf("refused counts %v", refused)
			}
		})
	}
}

func TestLogins(t *testing.T) {
	for _, c := range []struct {
		name   string
		l      login
		reason string // "" is let in
	}{
		{"a device with its secret", login{user: "SH-001/pos-03", password: "s-pos"}, ""},
		{"its user as client id", login{user: "SH-001/pos-03", password: "s-pos", id: "SH-001/pos-03", keep: true}, ""},
		{"its user and a tail as client id", login{user: "SH-001/pos-03", password: "s-pos", id: "SH-001/pos-03#2"}, ""},
		{"a client id that another device may be called", login{user: "SH-001/pos-03", password: "s-pos", id: "SH-001/pos-03-2"}, "client_id"},
		{"another's client id", login{user: "SH-001/pos-03", password: "s-pos", id: "SH-001/pos-04"}, "client_id"},
		{"a client id that begins like its own", login{user: "SH-001/pos-03", password: "s-pos", id: "SH-001/pos-031"}, "client_id"},
		{"another's user", login{user: "SH-001/pos-04", password: "s-pos"}, "credential"},
		{"a wrong secret", login{user: "SH-001/pos-03", password: "s-nobody"}, "credential"},
		{"no secret", login{user: "SH-001/pos-03"}, "credential"},
		{"nobody", login{}, "credential"},
		{"a viewer's token", login{user: "SH-001/pos-03", password: "s-viewer"}, "credential"},
		{"the server's own user", login{user: "goc", password: "x"}, "credential"},
		{"a wildcard for a store", login{user: "+/#", password: "s-chain"}, "credential"},
		{"an NATS wildcard for a store", login{user: "*/>", password: "s-chain"}, "credential"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, nil)
			_, code := dial(t, s.Addr(), c.l)
			if (code == 0) != (c.reason == "") {
				t.Fatalf("return code %d", code)
			}
			if c.reason == "" {
				return
			}
			if n := s.counted(t, "goc_mqtt_refused_total", "reason="+c.reason); n != 1 {
				t.Errorf("%s counts %v", c.reason, n)
			}
			if len(s.journal.named("auth.refused")) != 1 {
				t.Error("no audit line")
			}
		})
	}
}

func TestWhereEnrolmentTakesACredentialOnlyBoundOnesComeIn(t *testing.T) {
	s := open(t, func(o *mqtt.Options) { o.Bound = true })
	mustDial(t, s.Addr(), login{user: "SH-001/pos-03", password: "s-pos"})
	mustDial(t, s.Addr(), login{user: "SH-001", password: "s-gateway"})
	if _, code := dial(t, s.Addr(), login{user: "chain", password: "s-chain"}); code == 0 {
		t.Error("a gateway of the whole chain was let in")
	}
}

func TestWithoutAuthOnlyLoopbackComesIn(t *testing.T) {
	s := open(t, func(o *mqtt.Options) { o.Anonymous = true })
	d := mustDial(t, s.Addr(), login{})
	if err := d.publish("goc/heartbeat/SH-001/pos-01", ""); err != nil || !s.fleet.has("SH-001", "pos-01") {
		t.Fatalf("%v", err)
	}
	if _, code := dial(t, s.Addr(), login{user: "SH-001/pos-03", password: "s-nobody"}); code == 0 {
		t.Error("a wrong secret was let in")
	}
}

func TestWhatAMessageMayHold(t *testing.T) {
	for _, c := range []struct{ name, payload, reason string }{
		{"nothing", "", ""},
		{"a heartbeat", `{"kind":"pos","firmware":"4.2.1","at":"2026-11-20T13:00:00Z","battery":0.5}`, ""},
		{"its own names as well", `{"store":"SH-001","device":"pos-03"}`, ""},
		{"another device's name", `{"device":"pos-04"}`, "other_device"},
		{"another store's name", `{"store":"SH-002"}`, "other_device"},
		{"two heartbeats", "{}\n{}", "payload"},
		{"a list", `[{}]`, ""},
		{"a list of two", `[{},{}]`, "payload"},
		{"no JSON", `alive`, "payload"},
		{"half of it", `{"kind":`, "payload"},
		{"a number", `7`, "payload"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, nil)
			d := mustDial(t, s.Addr(), login{user: "SH-001/pos-03", password: "s-pos"})
			if err := d.publish("goc/heartbeat/SH-001/pos-03", c.payload); err != nil {
				t.Fatal(err)
			}
			if got := s.fleet.has("SH-001", "pos-03"); got != (c.reason == "") {
				t.Errorf("taken: %v", got)
			}
			if c.reason != "" && s.counted(t, "goc_mqtt_refused_total", "reason="+c.reason) != 1 {
				t.Errorf("%s is not counted", c.reason)
			}
		})
	}
}

func TestQoS0And2AreTakenToo(t *testing.T) {
	s := open(t, nil)
	d := mustDial(t, s.Addr(), login{user: "SH-001", password: "s-gateway"})
	d.write(publishPacket(0, 0, "goc/heartbeat/SH-001/zero", ""))
	eventually(t, "QoS 0 is taken", func() bool { return s.fleet.has("SH-001", "zero") })
	d.write(publishPacket(2, 5, "goc/heartbeat/SH-001/two", ""))
	if err := d.expect(0x50, 5); err != nil {
		t.Fatal("PUBREC:", err)
	}
	d.write([]byte{0x62, 2, 0, 5})
	if err := d.expect(0x70, 5); err != nil {
		t.Fatal("PUBCOMP:", err)
	}
	if !s.fleet.has("SH-001", "two") {
		t.Error("completed and not in the table")
	}
	if n := len(s.fleet.beats); n != 2 {
		t.Errorf("%d beats, want each once", n)
	}
}

func TestAWillIsABeat(t *testing.T) {
	s := open(t, nil)
	d := mustDial(t, s.Addr(), login{user: "SH-001/pos-03", password: "s-pos", willTopic: "goc/heartbeat/SH-001/pos-03", will: `{"status":"fault"}`})
	d.Close()
	eventually(t, "the will is taken", func() bool { return s.fleet.has("SH-001", "pos-03") })
}

func TestACopiedCredentialIsToldOnce(t *testing.T) {
	s := open(t, nil)
	l := login{user: "SH-001/pos-03", password: "s-pos"}
	mustDial(t, s.Addr(), l)
	mustDial(t, s.Addr(), l)
	if n := s.counted(t, "goc_mqtt_cloned_total", ""); n != 0 {
		t.Fatalf("a reconnect from the same address counts as a copy (%v)", n)
	}
	l.from = "127.0.0.2"
	for range 5 {
		mustDial(t, s.Addr(), l)
		l.from = map[string]string{"127.0.0.2": "127.0.0.3", "127.0.0.3": "127.0.0.2"}[l.from]
	}
	if n := s.counted(t, "goc_mqtt_cloned_total", ""); n != 5 {
		t.Errorf("%v copies counted, want 5", n)
	}
	told := s.journal.named("fleet.credential_copied")
	if len(told) != 1 || told[0].Subject != "SH-001/pos-03" {
		t.Errorf("told: %v", told)
	}
	eventually(t, "at most three connections of one device", func() bool { return s.counted(t, "goc_mqtt_connections", "") == 3 })
}

func TestRevokingEndsLiveSessions(t *testing.T) {
	s := open(t, nil)
	d := mustDial(t, s.Addr(), login{user: "SH-001/pos-03", password: "s-pos"})
	other := mustDial(t, s.Addr(), login{user: "SH-001", password: "s-gateway"})
	s.mu.Lock()
	s.revoked["s-pos"] = true
	s.mu.Unlock()
	if err := d.ended(); err != nil { // within the client's 30 s: twice as fast as promised
		t.Fatal(err)
	}
	if err := other.publish("goc/heartbeat/SH-001/pos-09", ""); err != nil {
		t.Errorf("another's session: %v", err)
	}
}

func TestTakingASessionOver(t *testing.T) {
	s := open(t, nil)
	l := login{user: "SH-001/pos-03", password: "s-pos", id: "SH-001/pos-03", keep: true}
	old := mustDial(t, s.Addr(), l)
	young := mustDial(t, s.Addr(), l)
	if err := old.ended(); err != nil {
		t.Fatal(err)
	}
	if err := young.publish("goc/heartbeat/SH-001/pos-03", ""); err != nil {
		t.Fatal(err)
	}
}

func TestWhoFloodsWaitsAndNothingGrows(t *testing.T) {
	s := open(t, nil)
	hold := make(chan struct{})
	s.fleet.hold = hold
	d := mustDial(t, s.Addr(), login{user: "chain", password: "s-chain"})
	const n = 30_000
	go func() {
		for i := range n {
			d.write(publishPacket(0, 0, fmt.Sprintf("goc/heartbeat/SH-%d/pos-1", i), ""))
		}
	}()
	eventually(t, "the queue is full", func() bool { return s.counted(t, "goc_mqtt_queue", "") == 20_000 })
	close(hold)
	eventually(t, "all are taken", func() bool { return s.counted(t, "goc_mqtt_beats_total", "") == n })
}

func TestConnectionsAreBounded(t *testing.T) {
	s := open(t, func(o *mqtt.Options) { o.Config.MaxConnections = 3 })
	for range 3 {
		mustDial(t, s.Addr(), login{user: "chain", password: "s-chain"})
	}
	if _, code := dial(t, s.Addr(), login{user: "chain", password: "s-chain"}); code == 0 {
		t.Fatal("a fourth connection was let in")
	}
	eventually(t, "it is counted", func() bool { return s.counted(t, "goc_mqtt_refused_total", "reason=connections") == 1 })
}

func TestAPortThatIsTakenIsSaid(t *testing.T) {
	s := open(t, nil)
	_, err := mqtt.New(t.Context(), mqtt.Options{
		Config: mqtt.Config{Listen: s.Addr()}, Dir: t.TempDir(), Fleet: s.fleet, Journal: s.journal, Admit: s.admit, Still: s.still,
	})
	if ops.KindOf(err) != ops.Invalid || !strings.Contains(err.Error(), "heartbeats.mqtt.listen") {
		t.Fatalf("got %v", err)
	}
}

// certificate writes a certificate for 127.0.0.1 that signs itself, and its key.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestOverTLSAndWithACertificateOfItsOwn(t *testing.T) {
	cert, key := certificate(t)
	s := open(t, func(o *mqtt.Options) {
		o.Config.CertFile, o.Config.KeyFile, o.Config.ClientCAFile = cert, key, cert
	})
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, certs := range map[string][]tls.Certificate{"with": {pair}, "without": nil} {
		c, err := tls.Dial("tcp", s.Addr(), &tls.Config{InsecureSkipVerify: true, Certificates: certs})
		var ack [4]byte
		if err == nil {
			defer c.Close()
			c.SetDeadline(time.Now().Add(20 * time.Second))
			c.Write(connectPacket(login{user: "SH-001/pos-03", password: "s-pos"}))
			_, err = c.Read(ack[:])
		}
		if (err == nil && ack == [4]byte{0x20, 2, 0, 0}) != (name == "with") {
			t.Errorf("%s a certificate: %v %x", name, err, ack)
		}
	}
	if _, code := dial(t, s.Addr(), login{user: "SH-001/pos-03", password: "s-pos"}); code == 0 {
		t.Error("let in without TLS")
	}
}

func TestALinkThatBreaksIsOpenedAgain(t *testing.T) {
	s := open(t, nil)
	d := mustDial(t, s.Addr(), login{user: "SH-001/pos-03", password: "s-pos"})
	for range 3 {
		if err := d.publish("goc/heartbeat/SH-001/pos-03", ""); err != nil {
			t.Fatal(err)
		}
		was := s.counted(t, "goc_mqtt_refused_total", "reason=overflow")
		s.BreakLink()
		eventually(t, "it is counted and opened again", func() bool {
			return s.counted(t, "goc_mqtt_refused_total", "reason=overflow") == was+1 && len(s.Missing()) == 0
		})
	}
}

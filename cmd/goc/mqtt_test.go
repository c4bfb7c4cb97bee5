package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mosquittoPub is Mosquitto's own client, which CI installs.
func mosquittoPub(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("mosquitto_pub")
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatal("mosquitto_pub is not installed, and CI must have it")
	}
	t.Skip("mosquitto_pub is not installed (mosquitto-clients)")
	return ""
}

// serveMQTT starts the program with the embedded MQTT server, and an admin's token.
func serveMQTT(t *testing.T, dir, listen, mqttListen string, heartbeats ...string) *process {
	t.Helper()
	text := fmt.Sprintf("listen: %s\ndata: %s\nauth: {tokens_file: tokens}\nmetrics: {sample_interval: 1h}\nalertrules: {builtin: false}\nheartbeats:\n  mqtt:\n    listen: %s\n", listen, filepath.Join(dir, "data"), mqttListen)
	for _, line := range heartbeats {
		text += "  " + line + "\n"
	}
	for name, text := range map[string]string{"goc.yaml": text, "tokens": "root admin " + adminSecret + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return serve(t, filepath.Join(dir, "goc.yaml"), listen)
}

const adminSecret = "admin-secret-of-the-mqtt-test"

// admin runs a goc command as admin, with an answer in JSON.
func (p *process) admin(args ...string) string {
	p.t.Helper()
	code, out, errs := goc(p.t, append([]string{"--server", p.url, "--token", adminSecret, "--json"}, args...)...)
	if code != 0 {
		p.t.Fatalf("goc %v: %d %s %s", args, code, out, errs)
	}
	return out
}

// TestMosquittoSpeaksToTheEmbeddedServer follows docs/integrations/mqtt.md with Mosquitto's own client, kills the program
// and finds all that was acknowledged after it is started again.
func TestMosquittoSpeaksToTheEmbeddedServer(t *testing.T) {
	pub := mosquittoPub(t)
	dir, listen, mqttListen := t.TempDir(), freePort(t), freePort(t)
	p := serveMQTT(t, dir, listen, mqttListen)
	_, port, _ := net.SplitHostPort(mqttListen)
	device := field(t, p.admin("token", "create", "device:SH-001/pos-03", "--role", "agent"), "token")
	gateway := field(t, p.admin("token", "create", "store:SH-002", "--role", "agent"), "token")

	send := func(user, password, topic, message string, more ...string) error {
		args := append([]string{"-h", "127.0.0.1", "-p", port, "-u", user, "-P", password, "-q", "1", "-t", topic, "-m", message}, more...)
		out, err := exec.CommandContext(t.Context(), pub, args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	for _, c := range []struct{ user, password, topic, message string }{
		{"SH-001/pos-03", device, "goc/heartbeat/SH-001/pos-03", `{"kind":"pos","firmware":"4.2.1","status":"degraded"}`},
		{"SH-002", gateway, "goc/heartbeat/SH-002/scale-1", `{"kind":"scale"}`},
		{"SH-002", gateway, "goc/heartbeat/SH-002/scale-2", `{"kind":"scale"}`},
	} {
		if err := send(c.user, c.password, c.topic, c.message); err != nil {
			t.Fatal(err)
		}
	}
	for what, err := range map[string]error{
		"a wrong secret":      send("SH-001/pos-03", gateway, "goc/heartbeat/SH-001/pos-03", ""),
		"MQTT 5":              send("SH-001/pos-03", device, "goc/heartbeat/SH-001/pos-03", "", "-V", "5"),
		"another's client id": send("SH-001/pos-03", device, "goc/heartbeat/SH-001/pos-03", "", "-i", "SH-002"),
	} {
		if err == nil {
			t.Errorf("%s was let in", what)
		}
	}
	if err := send("SH-001/pos-03", device, "goc/heartbeat/SH-001/pos-04", `{"kind":"pos"}`); err != nil {
		t.Fatal(err) // it is acknowledged, and dropped: 3.1.1 has no other answer
	}

	p.kill()
	p = serveMQTT(t, dir, listen, mqttListen)
	for id, state := range map[string]string{"SH-001/pos-03": "degraded", "SH-002/scale-1": "online", "SH-002/scale-2": "online"} {
		if got := field(t, p.get("/api/v1/devices/"+id), "state"); got != state {
			t.Errorf("%s is %q after the kill, acknowledged as %s", id, got, state)
		}
	}
	if text := p.get("/api/v1/devices/SH-001/pos-04"); !strings.Contains(text, "404") {
		t.Errorf("a device spoke for its neighbour: %s", text)
	}
}

// TestADeviceEnrolsAndSpeaksOverMQTT goes the way of a device that comes out of its box where enrolment takes a token.
func TestADeviceEnrolsAndSpeaksOverMQTT(t *testing.T) {
	pub := mosquittoPub(t)
	dir, listen, mqttListen := t.TempDir(), freePort(t), freePort(t)
	p := serveMQTT(t, dir, listen, mqttListen, "enrol: token")
	_, port, _ := net.SplitHostPort(mqttListen)
	send := func(password, topic string) error {
		return exec.CommandContext(t.Context(), pub, "-h", "127.0.0.1", "-p", port, "-u", "SH-001/pos-03", "-P", password, "-q", "1", "-t", topic, "-m", `{"kind":"pos"}`).Run()
	}
	enrol := func(id string) (int, string) {
		token := field(t, p.admin("token", "create", "enrol:SH-001", "--role", "agent", "--for", "1h", "--uses", "1"), "token")
		code, out, _ := goc(t, "--server", p.url, "--token", token, "fleet", "enrol", id)
		return code, strings.TrimSpace(out)
	}
	code, secret := enrol("SH-001/pos-03")
	if code != 0 {
		t.Fatalf("enrolling: %d", code)
	}
	if code, _ := enrol("SH-002/pos-03"); code == 0 {
		t.Error("a store's enrolment token enrols another's device")
	}
	if code, _ := enrol("SH-001/pos-03"); code == 0 {
		t.Error("a device is enrolled over itself")
	}
	if err := send(secret, "goc/heartbeat/SH-001/pos-03"); err != nil {
		t.Fatal(err)
	}
	p.kill()
	p = serveMQTT(t, dir, listen, mqttListen, "enrol: token")
	if got := field(t, p.get("/api/v1/devices/SH-001/pos-03"), "state"); got != "online" {
		t.Errorf("after the kill it is %q", got)
	}
	if err := send(secret, "goc/heartbeat/SH-001/pos-03"); err != nil {
		t.Errorf("its secret after the kill: %v", err)
	}
	p.admin("fleet", "login", "revoke", "SH-001/pos-03")
	if send(secret, "goc/heartbeat/SH-001/pos-03") == nil {
		t.Error("a revoked secret is good")
	}
	if code, _ := enrol("SH-001/pos-03"); code != 0 {
		t.Error("a device whose secret was revoked cannot enrol again")
	}
}

// TestARevokedTokenEndsItsMQTTSession waits for a session that the revocation must end.
func TestARevokedTokenEndsItsMQTTSession(t *testing.T) {
	mqttListen := freePort(t)
	p := serveMQTT(t, t.TempDir(), freePort(t), mqttListen)
	made := p.admin("token", "create", "device:SH-001/pos-03", "--role", "agent")
	conn, err := net.Dial("tcp", mqttListen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(60 * time.Second)) // what is promised
	var ack [4]byte
	conn.Write(mqttHello("SH-001/pos-03", field(t, made, "token")))
	if _, err := conn.Read(ack[:]); err != nil || ack[3] != 0 {
		t.Fatal("the login", err, ack)
	}
	p.admin("token", "revoke", field(t, made, "id"))
	if n, err := conn.Read(ack[:]); n != 0 || err == nil || os.IsTimeout(err) {
		t.Errorf("the session goes on: %v %v", n, err)
	}
}

// TestInventedDevicesAreCountedAndCostNothing lets a gateway that went mad invent devices by the hundred thousand.
func TestInventedDevicesAreCountedAndCostNothing(t *testing.T) {
	const invented, room, window = 200_000, 1_000, 1_000
	mqttListen := freePort(t)
	p := serveMQTT(t, t.TempDir(), freePort(t), mqttListen, fmt.Sprintf("max_devices: %d", room))
	token := field(t, p.admin("token", "create", "gateway", "--role", "agent"), "token")
	conn, err := net.Dial("tcp", mqttListen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	conn.Write(mqttHello("gateway", token))
	in, out := bufio.NewReader(conn), bufio.NewWriter(conn)
	var ack [4]byte
	if _, err := io.ReadFull(in, ack[:]); err != nil || ack[3] != 0 {
		t.Fatal("the login", err, ack)
	}
	before := 0.0
	for i := range invented {
		topic := fmt.Sprintf("goc/heartbeat/S-%d/invented-%d", i%7, i)
		out.Write([]byte{0x32, byte(4 + len(topic)), 0, byte(len(topic))})
		out.WriteString(topic)
		out.Write([]byte{byte(1 + i/256%200), byte(i)})
		if i%window != window-1 {
			continue
		}
		out.Flush()
		for range window {
			if _, err := io.ReadFull(in, ack[:]); err != nil {
				t.Fatal(err)
			}
		}
		if i == invented/4-1 {
			before = p.resident()
		}
	}
	metrics := p.get("/metrics")
	for name, want := range map[string]string{
		`goc_heartbeats_rejected_total{reason="full"} `: fmt.Sprint(invented - room), "goc_mqtt_beats_total ": fmt.Sprint(invented),
	} {
		_, rest, _ := strings.Cut(metrics, "\n"+name)
		if got, _, _ := strings.Cut(rest, "\n"); got != want {
			t.Errorf("%s%s, want %s", name, got, want)
		}
	}
	if grew := p.resident() - before; grew > 48<<20 {
		t.Errorf("150,000 invented devices more cost %.0f MB", grew/1e6)
	}
}

func mqttHello(user, password string) []byte {
	body := []byte{0, 4, 'M', 'Q', 'T', 'T', 4, 0xc2, 0, 0, 0, 0}
	for _, s := range []string{user, password} {
		body = append(append(body, byte(len(s)>>8), byte(len(s))), s...)
	}
	return append([]byte{0x10, byte(len(body))}, body...)
}

// get asks as admin, and returns the answer's text.
func (p *process) get(path string) string {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminSecret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}

// field is a field of a JSON object.
func field(t *testing.T, text, name string) string {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	s, _ := o[name].(string)
	return s
}

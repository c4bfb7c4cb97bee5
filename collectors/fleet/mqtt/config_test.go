package mqtt_test

import (
	"strings"
	"testing"

	"goc/collectors/fleet/mqtt"
)

func TestConfigurationsThatCannotWorkAreNamed(t *testing.T) {
	for _, c := range []struct {
		name  string
		cfg   mqtt.Config
		where string // "" is good
	}{
		{"nothing", mqtt.Config{}, ""},
		{"loopback", mqtt.Config{Listen: "127.0.0.1:1883"}, ""},
		{"everywhere with TLS", mqtt.Config{Listen: ":8883", CertFile: "c", KeyFile: "k"}, ""},
		{"everywhere without TLS", mqtt.Config{Listen: "0.0.0.0:1883"}, "listen"},
		{"everywhere without TLS, on purpose", mqtt.Config{Listen: "0.0.0.0:1883", Plain: true}, ""},
		{"no port", mqtt.Config{Listen: "127.0.0.1"}, "listen"},
		{"a certificate without a key", mqtt.Config{Listen: "127.0.0.1:1883", CertFile: "c"}, "cert_file"},
		{"an authority without TLS", mqtt.Config{Listen: "127.0.0.1:1883", ClientCAFile: "a"}, "client_ca_file"},
		{"payloads without a bound", mqtt.Config{MaxPayload: 1 << 20}, "max_payload"},
		{"connections below none", mqtt.Config{MaxConnections: -1}, "max_connections"},
		{"a broker", mqtt.Config{Brokers: []mqtt.Broker{{URL: "mqtts://b:8883", Version: "5"}}}, ""},
		{"a broker over HTTP", mqtt.Config{Brokers: []mqtt.Broker{{URL: "http://b"}}}, "brokers[0].url"},
		{"a password in the URL", mqtt.Config{Brokers: []mqtt.Broker{{URL: "mqtt://u:p@b:1883"}}}, "brokers[0].url"},
		{"MQTT 3.1.1", mqtt.Config{Brokers: []mqtt.Broker{{URL: "mqtt://b:1883", Version: "3.1.1"}}}, "brokers[0].version"},
		{"a share with a level", mqtt.Config{Brokers: []mqtt.Broker{{URL: "mqtt://b:1883", Share: "a/b"}}}, "brokers[0].share"},
		{"too many brokers", mqtt.Config{Brokers: make([]mqtt.Broker, 17)}, "brokers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.cfg.Validate()
			if (err == nil) != (c.where == "") || (err != nil && !strings.HasPrefix(err.Error(), "heartbeats.mqtt."+c.where)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"goc/ops"
)

// Config is the section `heartbeats.mqtt:`. Its zero value takes nothing.
type Config struct {
	Listen         string   `yaml:"listen"`          // host:port of the embedded server; empty: there is none
	CertFile       string   `yaml:"cert_file"`       // with key_file: TLS
	KeyFile        string   `yaml:"key_file"`        //
	ClientCAFile   string   `yaml:"client_ca_file"`  // devices must show a certificate of this authority as well
	Plain          bool     `yaml:"plain"`           // allows an address beyond loopback without TLS
	MaxConnections int      `yaml:"max_connections"` // default 20,000
	MaxPayload     int      `yaml:"max_payload"`     // bytes of a message, default 4096
	StoreDir       string   `yaml:"store_dir"`       // of the embedded server; default DATA/mqtt
	Brokers        []Broker `yaml:"brokers"`
}

// Broker is an MQTT 5 broker that others run.
type Broker struct {
	URL          string `yaml:"url"` // mqtt://host:1883 or mqtts://host:8883
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
	ClientID     string `yaml:"client_id"` // default goc; each of several instances needs its own
	Share        string `yaml:"share"`     // the shared subscription's name, default goc
	Version      string `yaml:"version"`   // "5", the default and the only one: 3.1.1 has no shared subscriptions
	CAFile       string `yaml:"ca_file"`   // default: the system's authorities
	CertFile     string `yaml:"cert_file"` // with key_file: our certificate
	KeyFile      string `yaml:"key_file"`
}

const (
	maxBrokers        = 16
	defaultConns      = 20_000
	defaultMaxPayload = 4 << 10
)

// On says whether there is anything to do.
func (c Config) On() bool { return c.Listen != "" || len(c.Brokers) > 0 }

// Validate says which field is wrong.
func (c Config) Validate() error {
	const at = "heartbeats.mqtt."
	if c.Listen != "" {
		if err := c.validListen(at); err != nil {
			return err
		}
	}
	if c.MaxConnections < 0 || c.MaxConnections > 1_000_000 {
		return ops.Errorf(ops.Invalid, "must be between 1 and 1,000,000").At(at + "max_connections")
	}
	if c.MaxPayload != 0 && (c.MaxPayload < 512 || c.MaxPayload > 64<<10) {
		return ops.Errorf(ops.Invalid, "must be between 512 and 65536").At(at + "max_payload")
	}
	if len(c.Brokers) > maxBrokers {
		return ops.Errorf(ops.Invalid, "may list at most %d", maxBrokers).At(at + "brokers")
	}
	for i, b := range c.Brokers {
		if err := b.validate(fmt.Sprintf("%sbrokers[%d].", at, i)); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) validListen(at string) error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || port == "" {
		return ops.Errorf(ops.Invalid, "must read host:port").At(at + "listen")
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return ops.Errorf(ops.Invalid, "cert_file and key_file go together").At(at + "cert_file")
	}
	if c.ClientCAFile != "" && c.CertFile == "" {
		return ops.Errorf(ops.Invalid, "needs cert_file and key_file").At(at + "client_ca_file")
	}
	if c.CertFile == "" && !c.Plain && !loopback(host) {
		return ops.Errorf(ops.Invalid, "without TLS only a loopback address is listened on").At(at + "listen").
			WithHint("set cert_file and key_file, or plain: true where the network is trusted: passwords travel readable then")
	}
	return nil
}

func (b Broker) validate(at string) error {
	u, err := url.Parse(b.URL)
	if err != nil || u.Host == "" || (u.Scheme != "mqtt" && u.Scheme != "mqtts") {
		return ops.Errorf(ops.Invalid, "must read mqtt://host:1883 or mqtts://host:8883").At(at + "url")
	}
	if u.User != nil {
		return ops.Errorf(ops.Invalid, "holds no user: use username and password_file").At(at + "url")
	}
	if b.Version != "" && b.Version != "5" {
		return ops.Errorf(ops.Invalid, "must be 5").At(at + "version").
			WithHint("MQTT 3.1.1 has no shared subscriptions; devices behind a broker that speaks 5 may still speak 3.1.1")
	}
	if strings.ContainsAny(b.Share, "/+#") {
		return ops.Errorf(ops.Invalid, "may hold no /, + or #").At(at + "share")
	}
	if (b.CertFile == "") != (b.KeyFile == "") {
		return ops.Errorf(ops.Invalid, "cert_file and key_file go together").At(at + "cert_file")
	}
	return nil
}

// filled returns c with its defaults; dir is the folder of data.
func (c Config) filled() Config {
	if c.MaxConnections == 0 {
		c.MaxConnections = defaultConns
	}
	if c.MaxPayload == 0 {
		c.MaxPayload = defaultMaxPayload
	}
	return c
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// serverTLS is the embedded server's side of TLS, nil without certificates.
func (c Config) serverTLS() (*tls.Config, error) {
	if c.CertFile == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("heartbeats.mqtt.cert_file: %w", err)
	}
	out := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if c.ClientCAFile != "" {
		if out.ClientCAs, err = pool(c.ClientCAFile); err != nil {
			return nil, fmt.Errorf("heartbeats.mqtt.client_ca_file: %w", err)
		}
		out.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return out, nil
}

func pool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return p, nil
}

package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
	"golang.org/x/time/rate"
)

const (
	keepAlive      = 20                   // s
	sessionKept    = 3600                 // s that the broker keeps what is ours while we are away
	atOnce         = 1024                 // messages that the broker may send us before one is acknowledged
	acksEvery      = 5 * time.Millisecond // acknowledgements go out in order, this often
	subscribeTakes = 10 * time.Second
	packetOver     = 66 << 10 // bytes of a packet beside its payload: a topic of any length and properties
)

// broker is our subscription at a broker that others run. A message is acknowledged when the fleet has it; those that
// were not when we are killed come again, for the session outlasts the connection.
type broker struct {
	s    *Service
	name string
	cfg  Broker
	auto autopaho.ClientConfig
	on   atomic.Bool
	told *rate.Limiter
}

func newBroker(b Broker, s *Service) (*broker, error) {
	u, err := url.Parse(b.URL)
	if err != nil {
		return nil, err
	}
	if b.ClientID == "" {
		b.ClientID = "goc"
	}
	if b.Share == "" {
		b.Share = "goc"
	}
	out := &broker{s: s, name: u.Host, cfg: b, told: rate.NewLimiter(rate.Every(10*time.Second), 3)}
	certs, err := b.clientTLS()
	if err != nil {
		return nil, err
	}
	var password []byte
	if b.PasswordFile != "" {
		if password, err = os.ReadFile(b.PasswordFile); err != nil {
			return nil, fmt.Errorf("heartbeats.mqtt.brokers: %w", err)
		}
		password = []byte(strings.TrimSpace(string(password)))
	}
	out.auto = autopaho.ClientConfig{
		ServerUrls: []*url.URL{u}, TlsCfg: certs, KeepAlive: keepAlive, SessionExpiryInterval: sessionKept,
		ReconnectBackoff: autopaho.NewExponentialBackoff(200*time.Millisecond, 30*time.Second, time.Second, 2),
		ConnectUsername:  b.Username, ConnectPassword: password,
		OnConnectionUp:       out.subscribe,
		OnConnectionDown:     func() bool { out.on.Store(false); return true },
		OnConnectError:       func(err error) { out.complain("cannot be reached", err) },
		ConnectPacketBuilder: out.limit,
		ClientConfig: paho.ClientConfig{
			ClientID: b.ClientID, EnableManualAcknowledgment: true, SendAcksInterval: acksEvery,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){out.take},
			OnClientError:     func(err error) { out.complain("was lost", err) },
			OnServerDisconnect: func(d *paho.Disconnect) {
				out.complain("sent us away", fmt.Errorf("reason code %d (another client with our client_id?)", d.ReasonCode))
			},
		},
	}
	return out, nil
}

func (b Broker) clientTLS() (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if b.CAFile != "" {
		if out.RootCAs, err = pool(b.CAFile); err != nil {
			return nil, fmt.Errorf("heartbeats.mqtt.brokers: ca_file: %w", err)
		}
	}
	if b.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(b.CertFile, b.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("heartbeats.mqtt.brokers: cert_file: %w", err)
		}
		out.Certificates = []tls.Certificate{cert}
	}
	return out, nil
}

// limit tells the broker how much it may send at once, and how large.
func (b *broker) limit(c *paho.Connect, _ *url.URL) (*paho.Connect, error) {
	if c.Properties == nil {
		c.Properties = &paho.ConnectProperties{}
	}
	most, size := uint16(atOnce), uint32(b.s.o.Config.MaxPayload+packetOver)
	c.Properties.ReceiveMaximum, c.Properties.MaximumPacketSize = &most, &size
	return c, nil
}

// complain logs trouble with the broker, some lines a minute.
func (b *broker) complain(what string, err error) {
	b.on.Store(false)
	if b.told.Allow() {
		b.s.o.Logger.Warn("the MQTT broker "+what, "broker", b.name, "err", err)
	}
}

// subscribe asks for our share of all heartbeats, each time that a connection is made.
func (b *broker) subscribe(m *autopaho.ConnectionManager, _ *paho.Connack) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), subscribeTakes)
		defer cancel()
		_, err := m.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{
			{Topic: "$share/" + b.cfg.Share + "/" + prefix + "+/+", QoS: 1},
		}})
		if err != nil {
			b.complain("did not let us subscribe", err)
			return
		}
		b.on.Store(true)
	}()
}

// run stays connected until ctx ends.
func (b *broker) run(ctx context.Context) {
	m, err := autopaho.NewConnection(ctx, b.auto)
	if err != nil {
		b.complain("cannot be used", err)
		return
	}
	<-ctx.Done()
	// We leave without a word: a farewell would end the session, and with it what is not acknowledged yet.
	<-m.Done()
	b.on.Store(false)
}

// take hands one message on. It waits while too many wait, and so does the broker then.
func (b *broker) take(r paho.PublishReceived) (bool, error) {
	b.s.count.came[foreign].Inc()
	m := mark{}
	if r.Packet.QoS > 0 {
		m = mark{from: b, packet: &receipt{r.Client, r.Packet}}
	}
	store, device, ok := parseTopic(r.Packet.Topic)
	switch {
	case !ok:
		b.s.refuse(badTopic, m)
	case len(r.Packet.Payload) > b.s.o.Config.MaxPayload:
		b.s.refuse(tooLarge, m)
	case !b.s.take(b.s.foreign, store, device, r.Packet.Payload, m):
		return false, errNotTaken
	}
	return true, nil
}

var errNotTaken = errors.New("nobody takes heartbeats any more")

// receipt is a message that the connection it came by can acknowledge.
type receipt struct {
	by     *paho.Client
	packet *paho.Publish
}

// settle implements source. What cannot be acknowledged, because the connection is another by now, comes again.
func (b *broker) settle(marks []mark) {
	for _, m := range marks {
		if r, ok := m.packet.(*receipt); ok {
			_ = r.by.Ack(r.packet)
		}
	}
}

// gauge is 1 while we are subscribed.
func (b *broker) gauge() float64 {
	if b.on.Load() {
		return 1
	}
	return 0
}

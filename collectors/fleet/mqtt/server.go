package mqtt

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"goc/ops"
)

const (
	startWithin = 20 * time.Second
	ackWithin   = 10 * time.Second // a QoS 1 message that is not taken by then ends its connection
	overhead    = 64               // bytes that the embedded server adds to a message
	memory      = 64 << 20         // bytes of all streams: sessions, retained messages and QoS 2 that is under way
	// Messages that lie between the embedded server and the gatherer, which waits while it is full.
	pendingMessages = 128 << 10
	pendingBytes    = 64 << 20
	stored          = "$MQTT.msgs." // the subject on which the server asks that a message with QoS 1 or 2 be stored
	qosHeader       = "Nmqtt-Pub"   // its value begins with the QoS of a message
)

// embeddedServer is the NATS server that devices connect to, and our own connection within it.
type embeddedServer struct {
	s    *Service
	nats *server.Server
	conn *nats.Conn
	door *door
	addr string
}

// startServer starts the server and takes its messages, but lets the gatherer wait with them until Run.
func startServer(s *Service) (*embeddedServer, error) {
	e := &embeddedServer{s: s}
	e.door = newDoor(s, secret())
	o, err := e.options()
	if err != nil {
		return nil, err
	}
	if e.nats, err = server.NewServer(o); err != nil {
		return nil, fmt.Errorf("heartbeats.mqtt: %w", err)
	}
	log := &serverLog{s: s}
	e.nats.SetLoggerV2(log, false, false, false)
	e.door.server = e.nats
	go e.nats.Start()
	if err := e.ready(log); err != nil {
		e.nats.Shutdown()
		return nil, err
	}
	e.addr = net.JoinHostPort(o.MQTT.Host, strconv.Itoa(o.MQTT.Port))
	if err := e.connect(); err != nil {
		e.close()
		return nil, fmt.Errorf("heartbeats.mqtt: %w", err)
	}
	return e, nil
}

// secret is what our own connection shows.
func secret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

func (e *embeddedServer) options() (*server.Options, error) {
	c := e.s.o.Config
	host, port, _ := net.SplitHostPort(c.Listen) // Validate has seen to it
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		return nil, ops.Errorf(ops.Invalid, "has no such port").At("heartbeats.mqtt.listen")
	}
	if n == 0 {
		n = -1 // what the server calls any free port
	}
	certs, err := c.serverTLS()
	if err != nil {
		return nil, err
	}
	o := &server.Options{
		ServerName: "goc", DontListen: true, NoSigs: true, NoSystemAccount: true, DisableShortFirstPing: true,
		JetStream: true, StoreDir: c.StoreDir, JetStreamMaxMemory: memory, JetStreamMaxStore: memory,
		MaxConn: c.MaxConnections + 1, MaxPayload: int32(c.MaxPayload + overhead), MaxSubs: 8, AuthTimeout: 10,
		CustomClientAuthentication: e.door,
		MQTT:                       server.MQTTOpts{Host: host, Port: n, TLSConfig: certs, TLSTimeout: 10, JSAPITimeout: ackWithin},
	}
	return o, nil
}

// ready waits until devices may connect.
func (e *embeddedServer) ready(log *serverLog) error {
	for deadline := time.Now().Add(startWithin); time.Now().Before(deadline); {
		if e.nats.ReadyForConnections(50 * time.Millisecond) {
			return nil
		}
		if fatal := log.fatal.Load(); fatal != nil {
			return ops.Errorf(ops.Invalid, "%s", *fatal).At("heartbeats.mqtt.listen").WithHint("is another program listening there?")
		}
	}
	return errNotUp
}

// streams are the server's own, which it would make on disk and without bounds at the first login. $MQTT_msgs is given a
// subject on which nothing comes: we take its place.
var streams = []nats.StreamConfig{
	{Name: "$MQTT_msgs", Subjects: []string{"goc.nothing"}, MaxMsgs: 1},
	{Name: "$MQTT_sess", Subjects: []string{"$MQTT.sess.>"}, MaxMsgsPerSubject: 1, MaxBytes: 24 << 20},
	{Name: "$MQTT_rmsgs", Subjects: []string{"$MQTT.rmsgs.>"}, MaxMsgsPerSubject: 1, MaxMsgs: 1_000, MaxBytes: 8 << 20},
	{Name: "$MQTT_qos2in", Subjects: []string{"$MQTT.qos2.in.>"}, MaxMsgsPerSubject: 1, DiscardNewPerSubject: true, Discard: nats.DiscardNew, MaxBytes: 16 << 20},
	{Name: "$MQTT_out", Subjects: []string{"$MQTT.out.>"}, Retention: nats.InterestPolicy, MaxBytes: 1 << 20},
}

// connect makes the streams, and then subscribes to what devices say.
func (e *embeddedServer) connect() (err error) {
	e.conn, err = nats.Connect("", nats.InProcessServer(e.nats), nats.UserInfo(ourselves, e.door.secret), nats.MaxReconnects(-1),
		nats.ReconnectWait(50*time.Millisecond), nats.Name("goc"), nats.PingInterval(20*time.Second),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) { e.trouble(sub, err) }))
	if err != nil {
		return err
	}
	js, err := e.conn.JetStream(nats.MaxWait(startWithin))
	if err != nil {
		return err
	}
	for _, c := range streams {
		c.Storage, c.Replicas = nats.MemoryStorage, 1
		if _, err := js.AddStream(&c); err != nil {
			return fmt.Errorf("the stream %s: %w", c.Name, err)
		}
	}
	for subject, take := range map[string]nats.MsgHandler{stored + ">": e.takeStored, subjectPrefix + ">": e.takePlain} {
		sub, err := e.conn.Subscribe(subject, take)
		if err != nil {
			return err
		}
		if err := sub.SetPendingLimits(pendingMessages, pendingBytes); err != nil {
			return err
		}
	}
	return e.conn.Flush()
}

// trouble counts messages that did not find room. Those with QoS 1 are not acknowledged, so they come again.
func (e *embeddedServer) trouble(sub *nats.Subscription, err error) {
	if sub != nil && errors.Is(err, nats.ErrSlowConsumer) {
		e.s.count.refused[overflow].Inc()
		return
	}
	e.s.o.Logger.Warn("the connection to the embedded MQTT server", "err", err)
}

// takeStored takes a message with QoS 1 or 2.
func (e *embeddedServer) takeStored(m *nats.Msg) {
	e.s.count.came[embedded].Inc()
	k := mark{from: e, reply: m.Reply}
	store, device, ok := parseSubject(m.Subject[len(stored):])
	if !ok {
		e.s.refuse(badTopic, k)
		return
	}
	e.s.take(e.s.own, store, device, m.Data, k)
}

// takePlain takes a message with QoS 0. The server gives us those with QoS 1 here too, beside asking to store them.
func (e *embeddedServer) takePlain(m *nats.Msg) {
	if qos := m.Header[qosHeader]; len(qos) > 0 && qos[0] != "" && qos[0][0] != '0' {
		return
	}
	e.s.count.came[embedded].Inc()
	store, device, ok := parseSubject(m.Subject)
	if !ok {
		e.s.refuse(badTopic, mark{})
		return
	}
	e.s.take(e.s.own, store, device, m.Data, mark{})
}

// acknowledged is the answer to a request to store: no error.
var acknowledged = []byte("{}")

// settle implements source.
func (e *embeddedServer) settle(marks []mark) {
	for i := range marks {
		if marks[i].reply != "" {
			if err := e.conn.Publish(marks[i].reply, acknowledged); err != nil {
				e.s.o.Logger.Debug("an acknowledgement was not given", "err", err)
				return // the connection is gone: none of the rest will be given either
			}
		}
	}
}

// run looks after logins until ctx ends, and then ends the server.
func (e *embeddedServer) run(ctx context.Context) error {
	defer e.close()
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			e.door.sweep()
		}
	}
}

func (e *embeddedServer) connections() int { return max(0, e.nats.NumClients()-1) }

func (e *embeddedServer) up() bool { return e.nats.Running() && e.conn.IsConnected() }

// close ends the server with all connections; it may be called again.
func (e *embeddedServer) close() {
	if e.conn != nil {
		e.conn.Close()
	}
	e.nats.Shutdown()
	e.nats.WaitForShutdown()
}

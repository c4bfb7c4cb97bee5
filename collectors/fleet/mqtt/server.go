package mqtt

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	// What may lie between the embedded server and the gatherer, which waits while it is full. From three quarters on the
	// server slows down who publishes; beyond, and after waiting that long for us to read, it breaks the link.
	pendingBytes = 64 << 20
	readWithin   = 60 * time.Second
	relink       = 50 * time.Millisecond
	stored       = "$MQTT.msgs." // the subject on which the server asks that a message with QoS 1 or 2 be stored
	qosHeader    = "Nmqtt-Pub"   // its value begins with the QoS of a message
)

// embeddedServer is the NATS server that devices connect to, and our own connection within it.
type embeddedServer struct {
	s    *Service
	nats *server.Server
	door *door
	addr string

	link    atomic.Pointer[link] // nil while it is opened again
	closing atomic.Bool
	reading sync.WaitGroup
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
	err = e.prepare()
	if err == nil {
		err = e.connect()
	}
	if err != nil {
		e.close()
		return nil, fmt.Errorf("heartbeats.mqtt: %w", err)
	}
	e.reading.Go(e.listen)
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
		ServerName: "goc", DontListen: true, NoSigs: true, NoSystemAccount: true, DisableShortFirstPing: true, NoSublistCache: true,
		JetStream: true, StoreDir: c.StoreDir, JetStreamMaxMemory: memory, JetStreamMaxStore: memory,
		MaxConn: c.MaxConnections + 1, MaxPayload: int32(c.MaxPayload + overhead), MaxSubs: 8, AuthTimeout: 10, MaxPending: pendingBytes, WriteDeadline: readWithin,
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

// prepare makes the server's own streams.
func (e *embeddedServer) prepare() error {
	conn, err := nats.Connect("", nats.InProcessServer(e.nats), nats.UserInfo(ourselves, e.door.secret), nats.Name("goc"))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := conn.JetStream(nats.MaxWait(startWithin))
	if err != nil {
		return err
	}
	for _, c := range streams {
		c.Storage, c.Replicas = nats.MemoryStorage, 1
		if _, err := js.AddStream(&c); err != nil {
			return fmt.Errorf("the stream %s: %w", c.Name, err)
		}
	}
	return nil
}

// connect opens the link by which messages come.
func (e *embeddedServer) connect() error {
	conn, err := e.nats.InProcessConn()
	if err != nil {
		return err
	}
	l, err := openLink(conn, e.door.secret)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	e.link.Store(l)
	return nil
}

// listen takes messages until the server ends. A link that breaks, because too much waited for us, is opened again; what
// was under way is not acknowledged, so it comes again.
func (e *embeddedServer) listen() {
	for {
		l := e.link.Load()
		err := l.read(e.take)
		e.link.Store(nil)
		l.conn.Close()
		for again := true; again; {
			if e.closing.Load() {
				return
			}
			if err != nil {
				e.s.count.refused[overflow].Inc()
				e.s.o.Logger.Warn("the link to the embedded MQTT server broke, and is opened again", "err", err)
			}
			if err = e.connect(); err != nil {
				time.Sleep(relink)
			}
			again = err != nil
		}
	}
}

// take takes a message of QoS 0, or answers the request to store one of QoS 1 or 2 when the fleet has it.
func (e *embeddedServer) take(m message) {
	subject, k := m.subject, mark{}
	if !m.plain {
		subject, k = strings.TrimPrefix(subject, stored), mark{from: e, reply: m.reply}
	}
	e.s.count.came[embedded].Inc()
	store, device, ok := parseSubject(subject)
	if !ok {
		e.s.refuse(badTopic, k)
		return
	}
	e.s.take(e.s.own, store, device, m.payload, k)
}

// settle implements source. What cannot be answered, because the link broke, comes again.
func (e *embeddedServer) settle(marks []mark) {
	if l := e.link.Load(); l != nil {
		if err := l.acknowledge(marks); err != nil {
			e.s.o.Logger.Debug("an acknowledgement was not given", "err", err)
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

func (e *embeddedServer) up() bool { return e.nats.Running() && e.link.Load() != nil }

// close ends the server with all connections; it may be called again.
func (e *embeddedServer) close() {
	e.closing.Store(true)
	e.nats.Shutdown()
	e.nats.WaitForShutdown()
	e.s.own.end() // so that nobody waits for room any more
	e.reading.Wait()
}

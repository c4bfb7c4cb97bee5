package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
)

// BenchmarkMQTT sends heartbeats with QoS 1 over many connections to the whole program and counts those that were
// acknowledged: they are in the table. Each device is known beforehand, as a fleet's are; each message is one of its
// own topic. The clients and the server share the machine, and cpu-µs/beat counts both.
func BenchmarkMQTT(b *testing.B) {
	for _, conns := range []int{50, 1000} {
		b.Run(fmt.Sprintf("connections=%d", conns), func(b *testing.B) {
			a, _ := benchApp(b, func(c *config) { c.Heartbeats.MQTT.Listen = "127.0.0.1:0" })
			clients := make([]*mqttLoad, conns)
			for i := range clients {
				clients[i] = dialMQTT(b, a.mqtt.Addr(), i)
			}
			share := func(n, i int) int { return n/conns + min(1, (n%conns)/(i+1)) }
			run := func(n int) {
				var wg sync.WaitGroup
				for i, c := range clients {
					if mine := share(n, i); mine > 0 {
						wg.Go(func() { c.send(b, mine, mqttWindow/conns) })
					}
				}
				wg.Wait()
			}
			run(conns * devicesEach)
			b.ResetTimer()
			used := cpuSeconds(b)
			run(b.N)
			b.StopTimer()
			b.ReportMetric((cpuSeconds(b)-used)*1e6/float64(b.N), "cpu-µs/beat")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "beats/s")
		})
	}
}

const (
	devicesEach = 20     // of which a connection speaks in turn
	mqttWindow  = 20_000 // messages of all connections that are not acknowledged yet
)

// mqttLoad is a connection that publishes as fast as it is acknowledged.
type mqttLoad struct {
	net.Conn
	r       *bufio.Reader
	w       *bufio.Writer
	packets [devicesEach][]byte // the PUBLISH of each of its devices
	at      [devicesEach]int    // where the packet id stands in it
	sent    int
}

func dialMQTT(b *testing.B, addr string, n int) *mqttLoad {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	c := &mqttLoad{Conn: conn, r: bufio.NewReaderSize(conn, 4<<10), w: bufio.NewWriterSize(conn, 16<<10)}
	id := fmt.Sprintf("load-%d", n)
	hello := append([]byte{0x10, byte(12 + len(id)), 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, byte(len(id))}, id...)
	var ack [4]byte
	if _, err := conn.Write(hello); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(c.r, ack[:]); err != nil || ack[3] != 0 {
		b.Fatal("the login", err, ack)
	}
	for d := range c.packets {
		topic := fmt.Sprintf("goc/heartbeat/ST-%05d/pos-%02d", n, d)
		body := binary.BigEndian.AppendUint16(nil, uint16(len(topic)))
		body = append(append(body, topic...), 0, 0)
		c.at[d] = len(body) - 2
		body = append(body, `{"kind":"pos","model":"X1","firmware":"4.2.1","status":"ok","battery":0.8}`...)
		head := []byte{0x32, byte(len(body)&127 | 128), byte(len(body) >> 7)}
		if len(body) < 128 {
			head = []byte{0x32, byte(len(body))}
		}
		c.packets[d] = append(head, body...)
		c.at[d] += len(head)
	}
	return c
}

// send publishes n messages, window of them at a time, and waits until each is acknowledged.
func (c *mqttLoad) send(b *testing.B, n, window int) {
	free := make(chan struct{}, window)
	for range window {
		free <- struct{}{}
	}
	done := make(chan error, 1)
	go func() {
		var ack [4]byte
		for range n {
			if _, err := io.ReadFull(c.r, ack[:]); err != nil || ack[0] != 0x40 {
				done <- fmt.Errorf("in place of an acknowledgement: %x %v", ack, err)
				return
			}
			free <- struct{}{}
		}
		done <- nil
	}()
	for range n {
		select {
		case <-free:
		default:
			c.w.Flush()
			<-free
		}
		c.sent++
		d := c.sent % devicesEach
		binary.BigEndian.PutUint16(c.packets[d][c.at[d]:], uint16(c.sent%60_000+1))
		c.w.Write(c.packets[d])
	}
	c.w.Flush()
	if err := <-done; err != nil {
		b.Error(err)
	}
}

package mqtt

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"goc/ops"
)

// link is our connection to the embedded server, over a pipe within the process. It speaks as much of the NATS protocol
// as this takes: the client library reads headers into maps and keeps a queue of its own, which costs more than all the
// rest of our work on a message. While the gatherer waits nothing is read, so that the server slows down who publishes.
type link struct {
	conn  net.Conn
	r     *bufio.Reader
	names []byte // subject and reply of the message that is read

	mu sync.Mutex // of w
	w  *bufio.Writer
}

const (
	linkBuffer  = 64 << 10
	linkGreets  = 5 * time.Second
	sidStored   = '1' // our subscription to what is to be stored: QoS 1 and 2
	sidPlain    = '2' // our subscription to all that is published, of which we take QoS 0
	plainHeader = "NATS/1.0\r\n" + qosHeader + ":0"
)

// errLink is a line that we do not understand: the pinned server sends none.
var errLink = errors.New("the embedded server said something unknown")

// openLink shows our secret and subscribes.
func openLink(conn net.Conn, secret string) (*link, error) {
	l := &link{conn: conn, r: bufio.NewReaderSize(conn, linkBuffer), w: bufio.NewWriterSize(conn, linkBuffer)}
	conn.SetDeadline(time.Now().Add(linkGreets))
	if line, err := l.line(); err != nil || !bytes.HasPrefix(line, []byte("INFO ")) {
		return nil, errors.Join(errLink, err)
	}
	fmt.Fprintf(l.w, "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"protocol\":1,\"name\":\"goc\",\"lang\":\"go\",\"version\":\"1\",\"user\":%q,\"pass\":%q}\r\n", ourselves, secret)
	fmt.Fprintf(l.w, "SUB %s> %c\r\nSUB %s> %c\r\nPING\r\n", stored, sidStored, subjectPrefix, sidPlain)
	if err := l.w.Flush(); err != nil {
		return nil, err
	}
	for {
		line, err := l.line()
		if err != nil {
			return nil, err
		}
		switch {
		case bytes.HasPrefix(line, []byte("PONG")):
			return l, conn.SetDeadline(time.Time{})
		case bytes.HasPrefix(line, []byte("-ERR")):
			return nil, ops.Errorf(ops.Internal, "the embedded server refuses us: %s", line)
		}
	}
}

// line reads a line without its end. It is good until the next read.
func (l *link) line() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, errLink
	}
	return bytes.TrimRight(line, "\r\n"), err
}

// message is one message. It stays good.
type message struct {
	subject, reply string
	payload        []byte
	plain          bool // of QoS 0
}

// read hands each message to take until the connection ends.
func (l *link) read(take func(message)) error {
	for {
		line, err := l.line()
		if err != nil {
			return err
		}
		switch {
		case bytes.HasPrefix(line, []byte("HMSG ")):
			if err := l.message(line[len("HMSG "):], take); err != nil {
				return err
			}
		case bytes.HasPrefix(line, []byte("PING")):
			if err := l.say("PONG\r\n"); err != nil {
				return err
			}
		case bytes.HasPrefix(line, []byte("-ERR")):
			return fmt.Errorf("the embedded server: %s", line)
		case bytes.HasPrefix(line, []byte("MSG ")):
			return errLink // without a header no MQTT client sent it, and nobody else is let in
		}
	}
}

// head is the first line of a message: subject, subscription, reply where there is one, bytes of the header and of all.
type head struct {
	subject, reply []byte
	sid            byte
	header, total  int
}

func parseHead(line []byte) (h head, ok bool) {
	var parts [5][]byte
	n := 0
	for len(line) > 0 && n < len(parts) {
		parts[n], line, _ = bytes.Cut(line, []byte(" "))
		n++
	}
	if len(line) > 0 || n < 4 || len(parts[1]) != 1 {
		return h, false
	}
	h.subject, h.sid = parts[0], parts[1][0]
	if n == 5 {
		h.reply = parts[2]
	}
	var err, err2 error
	h.header, err = strconv.Atoi(string(parts[n-2]))
	h.total, err2 = strconv.Atoi(string(parts[n-1]))
	return h, err == nil && err2 == nil && h.header >= 0 && h.total >= h.header && h.total <= maxPacket && len(h.subject) > 0
}

const maxPacket = 1 << 20 // bytes of a message, its header included; max_payload is far below

// message reads what follows a message's first line.
func (l *link) message(line []byte, take func(message)) error {
	h, ok := parseHead(line)
	if !ok {
		return errLink
	}
	l.names = append(append(l.names[:0], h.subject...), h.reply...) // what line lies in is gone with the next read
	n := len(h.subject)
	header, err := l.r.Peek(min(h.header, len(plainHeader)))
	if err != nil {
		return err
	}
	if h.sid == sidPlain && string(header) != plainHeader { // we are asked to store it besides
		_, err := l.r.Discard(h.total + len("\r\n"))
		return err
	}
	if _, err := l.r.Discard(h.header); err != nil {
		return err
	}
	payload := make([]byte, h.total-h.header) // the beat's texts will be part of it
	if _, err := io.ReadFull(l.r, payload); err != nil {
		return err
	}
	if _, err := l.r.Discard(len("\r\n")); err != nil {
		return err
	}
	names := string(l.names)
	take(message{subject: names[:n], reply: names[n:], payload: payload, plain: h.sid == sidPlain})
	return nil
}

// say writes a line at once.
func (l *link) say(line string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w.WriteString(line)
	return l.w.Flush()
}

// acknowledge answers requests to store: no error.
func (l *link) acknowledge(marks []mark) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range marks {
		if marks[i].reply != "" {
			l.w.WriteString("PUB ")
			l.w.WriteString(marks[i].reply)
			l.w.WriteString(" 2\r\n{}\r\n")
		}
	}
	return l.w.Flush() // an earlier error comes back here
}

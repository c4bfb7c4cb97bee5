package simulate

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Line is one HTTP/1.1 connection that posts bodies to one path and reads the answers in their order. Several may be
// under way. It costs a tenth of net/http's client, so that what is measured is the server. One goroutine uses it.
type Line struct {
	conn net.Conn
	r    *bufio.Reader
	head []byte // of every request, up to the length
	out  []byte // requests that are not yet written
	due  int    // answers not yet read
}

// Answer is what a server said to one post.
type Answer struct {
	Status     int
	RetryAfter time.Duration // 0 when it does not say
	Body       []byte        // good until the next answer is read
	closes     bool
}

const (
	lineTimeout = 60 * time.Second
	flushAt     = 256 << 10
	maxAnswer   = 4 << 20
)

// Dial opens a connection. header holds further lines, such as "Authorization: Bearer x".
func Dial(ctx context.Context, to *url.URL, header ...string) (*Line, error) {
	return dial(ctx, (&net.Dialer{}).DialContext, to, header)
}

// dialer opens connections, as net.Dialer does.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

func dial(ctx context.Context, open dialer, to *url.URL, header []string) (*Line, error) {
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := connect(limited, open, to)
	if err != nil {
		return nil, err
	}
	lines := append([]string{"POST " + to.RequestURI() + " HTTP/1.1", "Host: " + to.Host}, header...)
	return &Line{conn: conn, r: bufio.NewReaderSize(conn, 16<<10), head: []byte(strings.Join(lines, "\r\n") + "\r\nContent-Length: ")}, nil
}

// connect opens a connection to the host of a URL, with TLS where its scheme says so.
func connect(ctx context.Context, open dialer, to *url.URL) (net.Conn, error) {
	host := to.Host
	if to.Port() == "" {
		host = net.JoinHostPort(to.Hostname(), map[string]string{"http": "80", "https": "443", "mqtt": "1883", "mqtts": "8883"}[to.Scheme])
	}
	conn, err := open(ctx, "tcp", host)
	if err != nil || to.Scheme != "https" && to.Scheme != "mqtts" {
		return conn, err
	}
	secure := tls.Client(conn, &tls.Config{ServerName: to.Hostname()})
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// wire is a connection that beats go over: HTTP or MQTT.
type wire interface {
	send(body []byte, beats int) error
	Answer() (Answer, error) // to the oldest that has none
	Close() error
}

func (l *Line) send(body []byte, _ int) error { return l.Post(body) }

// Close ends the connection.
func (l *Line) Close() error { return l.conn.Close() }

// Due is how many answers are under way.
func (l *Line) Due() int { return l.due }

// Post queues a body, which is copied. It is on its way after Flush at the latest.
func (l *Line) Post(body []byte) error {
	l.out = append(l.out, l.head...)
	l.out = strconv.AppendInt(l.out, int64(len(body)), 10)
	l.out = append(l.out, "\r\n\r\n"...)
	l.out = append(l.out, body...)
	l.due++
	if len(l.out) >= flushAt {
		return l.Flush()
	}
	return nil
}

// Flush writes what is queued.
func (l *Line) Flush() error {
	if len(l.out) == 0 {
		return nil
	}
	l.conn.SetDeadline(time.Now().Add(lineTimeout))
	_, err := l.conn.Write(l.out)
	l.out = l.out[:0]
	return err
}

// Ready says whether an answer has begun to arrive.
func (l *Line) Ready() bool { return l.r.Buffered() > 0 }

// Answer reads the answer to the oldest post that has none.
func (l *Line) Answer() (a Answer, err error) {
	if err := l.Flush(); err != nil {
		return a, err
	}
	l.due--
	text, err := l.line()
	if err != nil {
		return a, fmt.Errorf("reading an answer: %w", err)
	}
	if len(text) < 12 || string(text[:7]) != "HTTP/1." {
		return a, errForeign
	}
	if a.Status, err = strconv.Atoi(string(text[9:12])); err != nil {
		return a, errForeign
	}
	length, chunked := int64(-1), false
	for {
		if text, err = l.line(); err != nil {
			return a, fmt.Errorf("reading an answer: %w", err)
		}
		if len(text) == 0 {
			break
		}
		if err := a.header(text, &length, &chunked); err != nil {
			return a, err
		}
	}
	a.Body, err = l.body(a.Status, length, chunked)
	return a, err
}

var errForeign = errors.New("what answers does not speak HTTP/1.1")

// line reads one line of the head.
func (l *Line) line() ([]byte, error) {
	text, err := l.r.ReadSlice('\n')
	return bytes.TrimRight(text, "\r\n"), err
}

// header takes one of the few headers that matter.
func (a *Answer) header(text []byte, length *int64, chunked *bool) (err error) {
	if c := text[0] | 0x20; c != 'c' && c != 't' && c != 'r' {
		return nil
	}
	name, value, _ := strings.Cut(string(text), ":")
	value = strings.TrimSpace(value)
	switch strings.ToLower(name) {
	case "content-length":
		if *length, err = strconv.ParseInt(value, 10, 64); err != nil {
			return errForeign
		}
	case "transfer-encoding":
		*chunked = strings.EqualFold(value, "chunked")
	case "connection":
		a.closes = strings.EqualFold(value, "close")
	case "retry-after":
		a.RetryAfter = retryAfter(value, time.Now())
	}
	return nil
}

// retryAfter reads seconds, or a date.
func retryAfter(v string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(v); err == nil {
		return time.Duration(max(s, 0)) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// body reads the rest of an answer.
func (l *Line) body(status int, length int64, chunked bool) ([]byte, error) {
	switch {
	case status == http.StatusNoContent || length == 0:
		return nil, nil
	case chunked:
		return l.chunks()
	case length < 0: // until the connection ends
		return io.ReadAll(io.LimitReader(l.r, maxAnswer))
	case length > maxAnswer:
		return nil, errors.New("the answer is longer than any that is meant")
	}
	out := make([]byte, length)
	_, err := io.ReadFull(l.r, out)
	return out, err
}

// chunks reads a chunked body with its trailer.
func (l *Line) chunks() ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(httputil.NewChunkedReader(l.r), maxAnswer))
	for err == nil {
		var text []byte
		if text, err = l.r.ReadSlice('\n'); len(text) <= 2 {
			break
		}
	}
	return out, err
}

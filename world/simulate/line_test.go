package simulate

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"testing"
	"time"
)

// answers reads what a server wrote.
func answers(text string) *Line {
	ours, theirs := net.Pipe()
	theirs.Close()
	return &Line{conn: ours, r: bufio.NewReaderSize(strings.NewReader(text), 16<<10)}
}

func TestAnswersAreReadAsServersAndProxiesWriteThem(t *testing.T) {
	for name, c := range map[string]struct {
		text, body string
		status     int
		rest       time.Duration
	}{
		"with a length":            {"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\nX: y\r\n\r\nhello", "hello", 202, 0},
		"in other letters":         {"HTTP/1.1 202 Accepted\r\ncontent-length:5\r\n\r\nhello", "hello", 202, 0},
		"in chunks":                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", "hello", 200, 0},
		"in chunks with a trailer": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n", "hello", 200, 0},
		"until the end":            {"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nhello", "hello", 400, 0},
		"with nothing":             {"HTTP/1.1 204 No Content\r\n\r\n", "", 204, 0},
		"with seconds to wait":     {"HTTP/1.1 503 x\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", "", 503, 7 * time.Second},
		"with nonsense to wait":    {"HTTP/1.1 503 x\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", "", 503, 0},
	} {
		t.Run(name, func(t *testing.T) {
			text := c.text
			if !strings.Contains(text, "close") {
				text += "HTTP/1.1 299 next\r\nContent-Length: 0\r\n\r\n"
			}
			l := answers(text)
			a, err := l.Answer()
			if err != nil || a.Status != c.status || string(a.Body) != c.body || a.RetryAfter != c.rest {
				t.Fatalf("%+v %s %v", a, a.Body, err)
			}
			if next, err := l.Answer(); !a.closes && (err != nil || next.Status != 299) {
				t.Errorf("the answer after it: %+v %v", next, err)
			}
		})
	}
}

func TestAWaitUntilADate(t *testing.T) {
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	if d := retryAfter("Fri, 20 Nov 2026 10:01:00 GMT", now); d != time.Minute {
		t.Error(d)
	}
	if d := retryAfter("Fri, 20 Nov 2026 09:01:00 GMT", now); d != 0 {
		t.Error(d)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"SSH-2.0-x\r\n", "HTTP/1.1 202\r\n\r\n", "HTTP/1.1 202 x\r\nContent-Length: 99999999999999\r\n\r\n", "HTTP/1.1 200 x\r\nContent-Length: -5\r\n\r\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := answers(string(text)).Answer()
		if err == nil && (a.Status < -99 || a.Status > 999 || len(a.Body) > len(text) || !bytes.HasPrefix(text, []byte("HTTP/1."))) {
			t.Errorf("%+v of %q", a, text)
		}
	})
}

func TestABucketHoldsItsValuesWithinSixPercent(t *testing.T) {
	for v := uint64(0); v < 5_000_000_000; v += 1 + v/7 {
		b := bucketOf(v)
		if b >= latencyBuckets {
			t.Fatalf("%d µs has no bucket", v)
		}
		if top := valueOf(b); top < v || float64(top-v) > 0.07*float64(v) {
			t.Fatalf("%d is counted as at most %d", v, top)
		}
		if b > 0 && valueOf(b-1) >= v {
			t.Fatalf("%d fits into the bucket before as well", v)
		}
	}
}

func TestLatencyTellsItsShares(t *testing.T) {
	var l Latency
	for i := range 1000 {
		l.Add(time.Duration(i+1) * time.Millisecond)
	}
	before := l.Counts()
	if p := before.At(0.5); p < 480*time.Millisecond || p > 540*time.Millisecond {
		t.Error("p50", p)
	}
	if p := before.At(0.99); p < 980*time.Millisecond || p > 1060*time.Millisecond {
		t.Error("p99", p)
	}
	if l.Worst() != time.Second {
		t.Error("worst", l.Worst())
	}
	l.Add(5 * time.Second)
	if p := l.Counts().Since(before).At(0.5); p < 5*time.Second || p > 5400*time.Millisecond {
		t.Error("since", p)
	}
	if new(Latency).Counts().At(0.5) != 0 {
		t.Error("nothing was counted")
	}
}

// BenchmarkRender says what a beat costs before it is sent.
func BenchmarkRender(b *testing.B) {
	f := NewFleet(100_000, 50, 1)
	var body []byte
	for i := 0; b.Loop(); i++ {
		body = f.AppendBeats(body[:0], i%100*1000, i%100*1000+1000, time.UnixMilli(1763640000000))
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/1000, "ns/beat")
}

package fleet

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sort"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"goc/ops"
)

// Bounds of one body.
const (
	MaxBody  = 8 << 20  // bytes as sent
	MaxPlain = 64 << 20 // bytes unpacked
	maxRatio = 200      // unpacked against packed, beyond the first megabyte
)

// Handler answers POST /api/v1/heartbeats: a JSON array, NDJSON or one object, plain, gzip or zstd. 202 with what was
// accepted and what was not, once it is on disk. who says who sends; the caller has checked the role.
func Handler(s *Service, who func(*http.Request) ops.Principal) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := s.serve(w, r, who(r))
		if err != nil {
			s.count.rejected["body"].Inc()
			s.problem(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		w.Write(answer)
	})
}

// receipt is the answer to a batch.
type receipt struct {
	Accepted int            `json:"accepted"`
	Rejected []ops.Rejected `json:"rejected"`
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request, who ops.Principal) ([]byte, error) {
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	body, err := unpack(d.body[:0], http.MaxBytesReader(w, r.Body, MaxBody), r.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	if cap(body) <= keptBody {
		d.body = body
	}
	if err := d.decode(body); err != nil {
		return nil, err
	}
	for range d.rejected {
		s.count.reject("")
	}
	out := d.rejected
	accepted, rejected, err := s.receive(r.Context(), who, d.beats)
	if err != nil {
		return nil, err
	}
	out = append(out, rejected...)
	if out == nil {
		out = []ops.Rejected{}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Index < out[j].Index })
	return json.Marshal(receipt{Accepted: accepted, Rejected: out})
}

// decoders are used again: a body and the beats that point into it are one request's, from its first byte to its answer.
var decoders = sync.Pool{New: func() any { return &decoder{} }}

const keptBody = 1 << 20

// Readers of packed bodies are used again: a new one costs more than the body. One that is dropped needs no closing,
// since none has goroutines of its own.
var (
	gzips = sync.Pool{New: func() any { return new(gzip.Reader) }}
	zstds = sync.Pool{New: func() any {
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxPlain), zstd.WithDecoderMaxWindow(MaxBody), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil
		}
		return z
	}}
)

// counting counts what is read through it.
type counting struct {
	io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// unpack reads a body within its bounds.
func unpack(into []byte, body io.Reader, encoding string) ([]byte, error) {
	packed := &counting{Reader: body}
	var plain io.Reader
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		plain = packed
	case "gzip":
		z := gzips.Get().(*gzip.Reader)
		defer gzips.Put(z)
		if err := z.Reset(packed); err != nil {
			return nil, unreadable(err, "gzip")
		}
		plain = z
	case "zstd":
		z, ok := zstds.Get().(*zstd.Decoder)
		if !ok {
			return nil, ops.Errorf(ops.Internal, "zstd cannot be read")
		}
		defer zstds.Put(z)
		defer z.Reset(nil)
		if err := z.Reset(packed); err != nil {
			return nil, unreadable(err, "zstd")
		}
		plain = z
	default:
		return nil, ops.Errorf(ops.Invalid, "may be gzip, zstd or absent").At("header.Content-Encoding")
	}
	return bounded(into, plain, packed, encoding)
}

// bounded reads all of plain, unless it is larger than a body of heartbeats can be.
func bounded(out []byte, plain io.Reader, packed *counting, encoding string) ([]byte, error) {
	if cap(out) == 0 {
		out = make([]byte, 0, 64<<10)
	}
	for {
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
		n, err := plain.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		if len(out) > MaxPlain || len(out) > 1<<20 && int64(len(out)) > maxRatio*packed.n {
			return nil, ops.Errorf(ops.TooLarge, "unpacks to more than a batch of heartbeats can have").At("body")
		}
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, unreadable(err, encoding)
		}
	}
}

// unreadable says why a body could not be read.
func unreadable(err error, encoding string) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large), errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return ops.Errorf(ops.TooLarge, "may have at most %d bytes, %d unpacked", MaxBody, MaxPlain).At("body").WithHint("send it in several batches")
	case encoding != "":
		return ops.Errorf(ops.Invalid, "cannot be read as its Content-Encoding says").At("body")
	}
	return ops.Errorf(ops.Invalid, "could not be read to its end").At("body")
}

// statusOfKind is what HTTP calls a kind of error, for a Service without Options.Problem.
var statusOfKind = map[ops.Kind]int{
	ops.Invalid: http.StatusBadRequest, ops.NotFound: http.StatusNotFound, ops.Conflict: http.StatusConflict,
	ops.Denied: http.StatusForbidden, ops.Unauthenticated: http.StatusUnauthorized,
	ops.Unavailable: http.StatusServiceUnavailable, ops.TooLarge: http.StatusRequestEntityTooLarge,
}

// writeProblem writes an error as RFC 9457 has it.
func writeProblem(w http.ResponseWriter, _ *http.Request, err error) {
	type item struct {
		Location string `json:"location"`
		Message  string `json:"message"`
	}
	code := statusOfKind[ops.KindOf(err)]
	if code == 0 {
		code = http.StatusInternalServerError
	}
	p := struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail,omitempty"`
		Errors []item `json:"errors,omitempty"`
		Hint   string `json:"hint,omitempty"`
	}{Title: http.StatusText(code), Status: code}
	var e *ops.Error
	if errors.As(err, &e) {
		p.Detail, p.Hint = e.Message, e.Hint
		if e.Location != "" {
			p.Errors = []item{{e.Location, e.Message}}
		}
	}
	body, _ := json.Marshal(p)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	w.Write(body)
}

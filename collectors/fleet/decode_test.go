package fleet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"goc/ops"
)

func TestDecodeReadsEveryShapeOfBody(t *testing.T) {
	want := []ops.Heartbeat{{Store: "SH-001", Device: "pos-01", Firmware: "4.2.1"}, {Store: "SH-001", Device: "pos-02", Firmware: "4.2.1"}}
	a, b := `{"store":"SH-001","device":"pos-01","firmware":"4.2.1"}`, `{"device":"pos-02", "store":"SH-001","firmware":"4.2.1","note":null}`
	for name, body := range map[string]string{
		"an array":                " [" + a + ",\n" + b + "] \n",
		"one object a line":       a + "\n" + b + "\n",
		"objects without a break": a + b,
		"lines with CR":           a + "\r\n\r\n" + b,
	} {
		got, of, rejected, err := Decode([]byte(body))
		if diff := cmp.Diff(want, got); diff != "" || len(rejected) > 0 || err != nil || !cmp.Equal(of, []int{0, 1}) {
			t.Errorf("%s: %v, %v (-want +got):\n%s", name, rejected, err, diff)
		}
	}
}

func TestDecodeReadsEveryField(t *testing.T) {
	battery := 0.8
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	for _, when := range []string{`"2026-11-20T08:00:00Z"`, `"2026-11-20T08:00:00.000Z"`, `"2026-11-20T16:00:00+08:00"`, `1795161600`, `1795161600000`, `1795161600.0`} {
		body := `{"store":"S\u00e9\ud83d\ude00","device":"d\"1","kind":"pos","model":"X1","firmware":"4","at":` + when + `,"status":"ok","battery":0.8,"note":"a\nb"}`
		got, _, rejected, err := Decode([]byte(body))
		want := []ops.Heartbeat{{Store: "Sé😀", Device: `d"1`, Kind: "pos", Model: "X1", Firmware: "4", At: ops.At(at), Battery: &battery, Note: "a\nb"}}
		if diff := cmp.Diff(want, got); diff != "" || rejected != nil || err != nil {
			t.Errorf("at %s: %v, %v (-want +got):\n%s", when, rejected, err, diff)
		}
	}
}

func TestDecodeRefusesABadEntryAlone(t *testing.T) {
	good := `{"store":"s","device":"d"}`
	for name, c := range map[string]struct{ bad, reason string }{
		"a field that no heartbeat has": {`{"store":"s","device":"d","batery":{"a":[1,"x"]}}`, `no heartbeat has a field "batery"`},
		"a number for a name":           {`{"store":5,"device":"d"}`, "store must be text"},
		"text for the battery":          {`{"store":"s","device":"d","battery":"full"}`, "battery must be a number"},
		"a time that is none":           {`{"store":"s","device":"d","at":"yesterday"}`, "at must be RFC 3339, Unix seconds or Unix milliseconds"},
		"the 32nd":                      {`{"store":"s","device":"d","at":"2026-01-32T00:00:00Z"}`, "at must be RFC 3339, Unix seconds or Unix milliseconds"},
		"no object":                     {`"hello"`, "a heartbeat must be a JSON object"},
		"null":                          {`null`, "a heartbeat must be a JSON object"},
	} {
		for shape, body := range map[string]string{"array": "[" + good + "," + c.bad + "," + good + "]", "lines": good + "\n" + c.bad + "\n" + good} {
			got, of, rejected, err := Decode([]byte(body))
			if err != nil || len(got) != 2 || !cmp.Equal(of, []int{0, 2}) || !cmp.Equal(rejected, []ops.Rejected{{Index: 1, Reason: c.reason}}) {
				t.Errorf("%s in %s: %v, %v, %v", name, shape, of, rejected, err)
			}
		}
	}
	got, of, rejected, err := Decode([]byte(good + "\n" + `{"store":"s","dev` + "\n" + good))
	if err != nil || len(got) != 2 || !cmp.Equal(of, []int{0, 2}) || len(rejected) != 1 || rejected[0].Index != 1 {
		t.Errorf("a broken line: %v, %v, %v", of, rejected, err)
	}
}

func TestDecodeNamesThePlaceOfABrokenBody(t *testing.T) {
	good := `{"store":"s","device":"d"}`
	for name, c := range map[string]struct {
		body, at string
		kind     ops.Kind
	}{
		"empty":               {" \n", "body", ops.Invalid},
		"an open array":       {"[" + good + ",", "body[1]", ops.Invalid},
		"an open object":      {"[" + good + `,{"store":`, "body[1]", ops.Invalid},
		"after the end":       {"[" + good + "] x", "body[1]", ops.Invalid},
		"a comma too many":    {"[" + good + ",]", "body[1]", ops.Invalid},
		"nested very deep":    {`[{"x":` + strings.Repeat("[", 1000) + `}]`, "body[0]", ops.Invalid},
		"more than 10,000":    {"[" + strings.Repeat(good+",", MaxBatch) + good + "]", "body", ops.TooLarge},
		"10,001 broken lines": {strings.Repeat("{\n", MaxBatch+1), "body", ops.TooLarge},
	} {
		_, _, _, err := Decode([]byte(c.body))
		var e *ops.Error
		if ops.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e, _ = err.(*ops.Error); e.Location != c.at {
			t.Errorf("%s is said to be at %s, want %s", name, e.Location, c.at)
		}
	}
}

// FuzzDecode holds the decoder against encoding/json: what that reads as an array of heartbeats, we read alike.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`[{"store":"s","device":"d","at":1795161600,"battery":0.5,"note":"\u00e9\ud83d\ude00\n"}]`, "{}\n{}", `[null,1,"x",[{}],{"a":{}}]`,
		`{"store":"\ud83d"}`, `[{"at":"2026-11-20T08:00:00.123Z"},{"at":null,"battery":1e-3}]`, "[", "{", `"`, `{"store":"a\`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		beats, of, rejected, err := Decode(body)
		if err == nil && len(beats)+len(rejected) == 0 && len(bytes.TrimSpace(body)) > 2 && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
			t.Fatal("a body without an error, a beat and a refusal")
		}
		if len(of) != len(beats) {
			t.Fatalf("%d indexes for %d beats", len(of), len(beats))
		}
		trimmed := bytes.TrimSpace(body)
		var raw []json.RawMessage
		if len(trimmed) == 0 || trimmed[0] != '[' || json.Unmarshal(body, &raw) != nil {
			return
		}
		if err != nil && !deep(body) && len(raw) <= MaxBatch {
			t.Fatalf("valid JSON was refused: %v", err)
		}
		for i, b := range beats {
			var plain struct{ Store, Device, Kind, Model, Firmware, Status, Note string }
			dec := json.NewDecoder(bytes.NewReader(raw[of[i]]))
			if err := dec.Decode(&plain); err != nil {
				t.Fatalf("entry %d is no heartbeat for encoding/json: %v", of[i], err)
			}
			if exact(raw[of[i]]) && (plain.Store != b.Store || plain.Device != b.Device || plain.Note != b.Note) {
				t.Fatalf("entry %d is %+v, encoding/json has %+v", of[i], b, plain)
			}
		}
	})
}

// deep says whether a body may nest deeper than we follow.
func deep(b []byte) bool { return bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) > maxDepth }

// exact leaves out what the two rightly read differently: keys in other cases or twice, and bytes that are no UTF-8.
func exact(b []byte) bool {
	var keys map[string]any
	if json.Unmarshal(b, &keys) != nil || bytes.ContainsRune(b, '\ufffd') || !bytes.Equal(b, bytes.ToValidUTF8(b, nil)) {
		return false
	}
	return len(keys) == bytes.Count(b, []byte(":")) && !bytes.ContainsAny(b, `\`) && bytes.Equal(b, bytes.ToLower(b))
}

func packed(t testing.TB, encoding string, body []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&buf)
	case "zstd":
		w, _ = zstd.NewWriter(&buf)
	default:
		return body
	}
	w.Write(body)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestTheHandlerAnswersWhatWasTakenAndWhatNot(t *testing.T) {
	for _, encoding := range []string{"", "gzip", "zstd"} {
		f := newFixture(t, Config{})
		srv := httptest.NewServer(Handler(f.Service, func(*http.Request) ops.Principal { return ops.System }))
		body := `[{"store":"SH-001","device":"pos-01"},{"store":7},{"store":"SH-001"},{"store":"SH-001","device":"pos-02","kind":"pos"}]`
		req, _ := http.NewRequest("POST", srv.URL, bytes.NewReader(packed(t, encoding, []byte(body))))
		req.Header.Set("Content-Encoding", encoding)
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		want := `{"accepted":2,"rejected":[{"index":1,"reason":"store must be text"},{"index":2,"reason":"` + badDevice + `"}]}`
		if resp.StatusCode != 202 || string(got) != want {
			t.Errorf("%q: %d %s", encoding, resp.StatusCode, got)
		}
		f.want("SH-001", "pos-02", ops.Online)
		srv.Close()
		srv.Client().CloseIdleConnections()
	}
}

func TestABodyThatIsTooLargeOrUnreadableIsAProblem(t *testing.T) {
	f := newFixture(t, Config{})
	h := Handler(f.Service, func(*http.Request) ops.Principal { return ops.System })
	spaces := bytes.Repeat([]byte(" "), 32<<20)
	for name, c := range map[string]struct {
		encoding string
		body     []byte
		code     int
	}{
		"100 MB":           {"", bytes.Repeat([]byte(" "), 100<<20), 413},
		"a gzip bomb":      {"gzip", packed(t, "gzip", spaces), 413},
		"a zstd bomb":      {"zstd", packed(t, "zstd", spaces), 413},
		"no gzip":          {"gzip", []byte("[]"), 400},
		"no zstd":          {"zstd", []byte("[]"), 400},
		"half a gzip":      {"gzip", packed(t, "gzip", []byte(`[{"store":"s","device":"d"}]`))[:20], 400},
		"unknown encoding": {"br", []byte("[]"), 400},
		"broken JSON":      {"", []byte(`[{"store"`), 400},
		"nothing":          {"", nil, 400},
	} {
		r := httptest.NewRequest("POST", "/api/v1/heartbeats", bytes.NewReader(c.body))
		r.Header.Set("Content-Encoding", c.encoding)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var p struct {
			Status int
			Errors []struct{ Location, Message string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != c.code || p.Status != c.code || len(p.Errors) != 1 || p.Errors[0].Location == "" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" {
			t.Errorf("%s: Content-Type %q", name, ct)
		}
	}
}

func thousand() []byte {
	var b strings.Builder
	b.WriteByte('[')
	for i := range 1000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"store":"SH-%03d","device":"pos-%02d","kind":"pos","model":"X1","firmware":"4.2.1","at":"2026-11-20T02:00:00.000Z","status":"ok","battery":0.8}`, i%20, i/20)
	}
	b.WriteByte(']')
	return []byte(b.String())
}

func BenchmarkDecode(b *testing.B) {
	body := thousand()
	var d decoder
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.decode(body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/1000, "ns/beat")
}

// BenchmarkHandler is a whole request without the network: read, decode, apply, answer.
func BenchmarkHandler(b *testing.B) {
	s, err := New(b.Context(), Options{Catalog: catalog(b), Journal: &memory{}, Now: func() time.Time { return start }})
	if err != nil {
		b.Fatal(err)
	}
	h := Handler(s, func(*http.Request) ops.Principal { return ops.System })
	for name, body := range map[string][]byte{"plain": thousand(), "gzip": packed(b, "gzip", thousand()), "zstd": packed(b, "zstd", thousand())} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/api/v1/heartbeats", bytes.NewReader(body))
				if name != "plain" {
					r.Header.Set("Content-Encoding", name)
				}
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != http.StatusAccepted {
					b.Fatal(w.Code, w.Body)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/1000, "ns/beat")
		})
	}
}

package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"goc/ops"
)

// Bounds of what is kept for Idempotency-Key.
const (
	idempotencyFor  = 24 * time.Hour
	maxIdempotency  = 10_000
	maxKeptAnswer   = 1 << 20
	maxIdempotencyK = 256 // bytes of a key
)

// kept is the record of kind "idempotency": what was asked under a key, and what was answered. It is written before the
// work as a mark, and after it with the answer, so that a crash in between is seen and the work is not done twice.
type kept struct {
	At     ops.Time `json:"at"`
	Asked  string   `json:"asked"`            // SHA-256 of the body
	Status int      `json:"status,omitempty"` // 0 while it is not known what came of it
	Type   string   `json:"type,omitempty"`
	Place  string   `json:"location,omitempty"`
	Body   []byte   `json:"body,omitempty"`
}

// mark is what is kept in memory of a key; the answer is read back when it is wanted.
type mark struct {
	at      time.Time
	asked   string
	running bool // in this process, now
	done    bool
}

// once answers a POST with the same Idempotency-Key only once, and then again with the same answer.
type once struct {
	j   Journal
	now func() time.Time

	mu    sync.Mutex
	marks map[string]mark // by record id
}

// newOnce restores the keys from the journal.
func newOnce(ctx context.Context, j Journal, now func() time.Time) (*once, error) {
	o := &once{j: j, now: now, marks: map[string]mark{}}
	err := j.Load(ctx, "idempotency", func(r ops.Record) error {
		var k kept
		if err := json.Unmarshal(r.Body, &k); err != nil {
			return fmt.Errorf("idempotency %s: %w", r.ID, err)
		}
		o.marks[r.ID] = mark{at: k.At.Time, asked: k.Asked, done: k.Status != 0}
		return nil
	})
	return o, err
}

// serve answers r by next, or by what next answered before under the same key.
func (o *once) serve(w http.ResponseWriter, r *http.Request, principal string, next http.Handler) {
	key := r.Header.Get("Idempotency-Key")
	if len(key) > maxIdempotencyK {
		refuse(http.StatusBadRequest, fmt.Sprintf("an Idempotency-Key may have at most %d bytes", maxIdempotencyK)).write(w)
		return
	}
	body, err := readBody(r)
	if err != nil {
		problemOf(err).write(w)
		return
	}
	asked := hexOf(body)
	id := hexOf([]byte(principal + "\x00" + r.Method + " " + r.URL.Path + "?" + r.URL.RawQuery + "\x00" + key))
	again, err := o.begin(r.Context(), id, asked)
	if err != nil {
		problemOf(err).write(w)
		return
	}
	if again {
		o.replay(w, r, id)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := &recorder{ResponseWriter: w, status: http.StatusOK}
	ended := false
	defer func() {
		if !ended { // next panicked: it is not known what it did
			o.release(id)
		}
	}()
	next.ServeHTTP(rec, r)
	ended = true
	o.finish(r.Context(), id, asked, rec)
	rec.flush()
}

// begin marks the key as running. again is true when it was answered before.
func (o *once) begin(ctx context.Context, id, asked string) (again bool, err error) {
	o.mu.Lock()
	m, known := o.marks[id]
	known = known && (m.running || o.now().Sub(m.at) < idempotencyFor)
	if known {
		defer o.mu.Unlock()
		return m.done, m.verdict(asked)
	}
	now := o.now()
	gone := o.makeRoom()
	o.marks[id] = mark{at: now, asked: asked, running: true}
	receipt := o.j.Append(ops.Mutation{Put: []ops.Record{ops.Encode("idempotency", id, kept{At: ops.At(now), Asked: asked})}, Delete: gone})
	o.mu.Unlock()
	if _, err := receipt.Wait(ctx); err != nil {
		o.release(id)
		return false, err
	}
	return false, nil
}

// verdict says why a known key cannot be answered by what is kept.
func (m mark) verdict(asked string) error {
	switch {
	case m.asked != asked:
		return ops.Errorf(ops.Conflict, "this Idempotency-Key was used with another body").WithHint("use a new key for each thing that you ask")
	case m.running:
		return ops.Errorf(ops.Conflict, "the first request with this Idempotency-Key is still being answered").WithHint("ask again in a second")
	case !m.done:
		return ops.Errorf(ops.Conflict, "the first request with this Idempotency-Key was cut short, and it is not known whether it was done").
			WithHint("look whether it was done; if not, ask again with a new key")
	}
	return nil
}

// finish keeps the answer. One that says that it was our fault is forgotten, so that the key can be used again.
func (o *once) finish(ctx context.Context, id, asked string, rec *recorder) {
	o.mu.Lock()
	m := o.marks[id]
	m.running, m.done = false, rec.status < 500
	mut := ops.Mutation{Delete: []ops.Record{{Kind: "idempotency", ID: id}}}
	if m.done {
		k := kept{At: ops.At(m.at), Asked: asked, Status: rec.status, Type: rec.Header().Get("Content-Type"), Place: rec.Header().Get("Location")}
		if rec.body.Len() <= maxKeptAnswer {
			k.Body = rec.body.Bytes()
		}
		mut = ops.Mutation{Put: []ops.Record{ops.Encode("idempotency", id, k)}}
		o.marks[id] = m
	} else {
		delete(o.marks, id)
	}
	receipt := o.j.Append(mut)
	o.mu.Unlock()
	// The work itself is on disk by now; when this fails the journal has stopped, which every later answer says.
	_, _ = receipt.Wait(context.WithoutCancel(ctx))
}

// release ends a run whose outcome is not known.
func (o *once) release(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := o.marks[id]
	m.running = false
	o.marks[id] = m
}

// replay sends the kept answer once more.
func (o *once) replay(w http.ResponseWriter, r *http.Request, id string) {
	rec, err := o.j.Record(r.Context(), "idempotency", id)
	if err != nil {
		problemOf(err).write(w)
		return
	}
	var k kept
	if err := json.Unmarshal(rec.Body, &k); err != nil {
		problemOf(err).write(w)
		return
	}
	for name, v := range map[string]string{"Content-Type": k.Type, "Location": k.Place} {
		if v != "" {
			w.Header().Set(name, v)
		}
	}
	w.Header().Set("Idempotent-Replayed", "true")
	w.WriteHeader(k.Status)
	_, _ = w.Write(k.Body)
}

// sweep forgets keys that are too old.
func (o *once) sweep() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if gone := o.old(); len(gone) > 0 {
		o.j.Append(ops.Mutation{Delete: gone})
	}
}

// makeRoom forgets old keys, and the oldest of all when there are still too many. The caller holds the lock.
func (o *once) makeRoom() []ops.Record {
	if len(o.marks) < maxIdempotency {
		return nil
	}
	gone := o.old()
	if len(o.marks) < maxIdempotency {
		return gone
	}
	oldest := ""
	for id, m := range o.marks {
		if !m.running && (oldest == "" || m.at.Before(o.marks[oldest].at)) {
			oldest = id
		}
	}
	delete(o.marks, oldest)
	return append(gone, ops.Record{Kind: "idempotency", ID: oldest})
}

func (o *once) old() (gone []ops.Record) {
	for id, m := range o.marks {
		if !m.running && o.now().Sub(m.at) >= idempotencyFor {
			delete(o.marks, id)
			gone = append(gone, ops.Record{Kind: "idempotency", ID: id})
		}
	}
	return gone
}

func hexOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// recorder holds an answer back until it is kept.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// Unwrap lets http.ResponseController find the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) flush() {
	r.ResponseWriter.WriteHeader(r.status)
	_, _ = r.ResponseWriter.Write(r.body.Bytes())
}

package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"goc/ops"
)

// batch is what goes into one request: devices that follow one another, and when in each interval they are due.
type batch struct {
	from, to int
	offset   time.Duration
}

// sender is one connection with the batches that go over it.
type sender struct {
	*run
	batches []batch
	rushes  []rush
	line    wire
	under   []post // requests under way, the oldest first
	rng     *rand.Rand
	body    []byte
	packed  bytes.Buffer
	gz      *gzip.Writer
	zs      *zstd.Encoder
	packs   []byte
	expect  []byte
	packet  uint16 // the id of the MQTT message sent last

	later  []post        // what the server put off
	failed int           // answers in a row that said so
	rest   time.Duration // for how long, where it said
}

// post is a request under way.
type post struct {
	at   time.Time
	n    int
	from batch
	ago  int64 // ms by which its beats are older than it
}

// sender makes the nth of the connections. Batches go round, so that each has its part of every city.
func (r *run) sender(n int) *sender {
	s := &sender{run: r, rng: rand.New(rand.NewPCG(r.o.Seed, uint64(n)+100))}
	cut := r.cut()
	for i := n; i < len(cut); i += r.o.Lines {
		s.batches = append(s.batches, cut[i])
	}
	for _, t := range r.trouble {
		if t.rush != nil {
			s.rushes = append(s.rushes, t.rush(r.o.For, r.o.Interval))
		}
	}
	switch r.o.Encoding {
	case "gzip":
		s.gz, _ = gzip.NewWriterLevel(&s.packed, gzip.BestSpeed)
	case "zstd":
		s.zs, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	}
	return s
}

// cut parts the fleet into batches, spread over the interval.
func (r *run) cut() (out []batch) {
	f := r.fleet
	for from := 0; from < f.devices; {
		to := min(from+r.o.Batch, f.devices)
		if end := (from/f.perStore + 1) * f.perStore; r.o.Batch <= f.perStore {
			to = min(to, end)
		}
		out = append(out, batch{from: from, to: to, offset: time.Duration(float64(r.o.Interval) * float64(from) / float64(f.devices))})
		from = to
	}
	return out
}

// work sends until the time is over. When it falls behind by more than an interval, its devices go on from there, as
// real ones would: what was not said in time is not said later.
func (s *sender) work(ctx context.Context) {
	defer s.hangUp()
	begin := s.start
	for round := 0; len(s.batches) > 0; round++ {
		for _, b := range s.batches {
			due := begin.Add(time.Duration(round)*s.o.Interval + b.offset)
			if !s.wait(ctx, due) {
				s.drain(ctx)
				return
			}
			if late := time.Since(due); late > s.o.Interval {
				s.behind.Add(1)
				begin = begin.Add(late)
			}
			s.send(ctx, b, 0)
		}
	}
}

// wait returns when a batch is due; false when the run is over. What is under way is read meanwhile, and a rush that
// falls into the time is let loose.
func (s *sender) wait(ctx context.Context, due time.Time) bool {
	for len(s.rushes) > 0 {
		at := s.start.Add(s.rushes[0].at)
		if at.After(due) && at.After(time.Now()) || !s.pause(ctx, at) {
			break
		}
		all := s.rushes[0]
		s.rushes = s.rushes[1:]
		s.comeBack(ctx, all)
	}
	return s.pause(ctx, due)
}

// pause sleeps until a time, with nothing under way; false when the run is over by then.
func (s *sender) pause(ctx context.Context, until time.Time) bool {
	now := time.Now()
	if !until.Before(s.until) || !now.Before(s.until) || ctx.Err() != nil {
		if left := s.until.Sub(now); left > 0 && ctx.Err() == nil {
			s.drain(ctx)
			sleep(ctx, left)
		}
		return false
	}
	if wait := until.Sub(now); wait > 0 {
		s.drain(ctx)
		return sleep(ctx, time.Until(until))
	}
	return true
}

// sleep waits; false when ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// comeBack sends all batches that a rush takes at once, on a new connection each, the oldest beats first.
func (s *sender) comeBack(ctx context.Context, all rush) {
	for _, b := range s.batches {
		if ctx.Err() != nil {
			return
		}
		if !s.takes(all, b) {
			continue
		}
		s.drain(ctx)
		s.hangUp()
		for n := all.backlog; n >= 0; n-- {
			s.send(ctx, b, int64(n)*s.o.Interval.Milliseconds())
		}
	}
}

// takes says whether a rush is about the stores of a batch.
func (s *sender) takes(all rush, b batch) bool {
	for _, t := range s.trouble {
		if t.rush == nil || t.rush(s.o.For, s.o.Interval) != all {
			continue
		}
		if t.hits(s.fleet, b.from/s.fleet.perStore) || t.hits(s.fleet, (b.to-1)/s.fleet.perStore) {
			return true
		}
	}
	return false
}

// send posts a batch, and again what the server put off meanwhile.
func (s *sender) send(ctx context.Context, b batch, ago int64) {
	s.post(ctx, b, ago)
	s.again(ctx)
}

// again posts what the server put off, after a rest.
func (s *sender) again(ctx context.Context) {
	for len(s.later) > 0 {
		rest := s.rest
		if s.rest = 0; !s.backOff(ctx, s.failed-1, rest) {
			s.later = s.later[:0]
			return
		}
		p := s.later[0]
		s.later = append(s.later[:0], s.later[1:]...)
		s.post(ctx, p.from, p.ago)
	}
}

// post posts a batch, unless none of its devices speaks; ago is by how many ms its beats are older.
func (s *sender) post(ctx context.Context, b batch, ago int64) {
	now := time.Now()
	n := s.render(b, now, ago)
	if n == 0 || s.limit.WaitN(ctx, n) != nil {
		return
	}
	for s.line == nil {
		if s.dial(ctx) != nil {
			return
		}
	}
	if err := s.line.send(s.pack(), n); err != nil {
		s.lost()
		return
	}
	s.under = append(s.under, post{time.Now(), n, b, ago})
	s.sent.Add(int64(n))
	s.requests.Add(1)
	s.read(s.o.Pipeline - 1)
}

// render puts together what a batch says, and returns how many of its devices speak.
func (s *sender) render(b batch, now time.Time, ago int64) (n int) {
	if s.o.MQTT != nil {
		s.body, n = s.fleet.appendPublishes(s.body[:0], &s.form, b.from, b.to, s.moment(now), s.trouble, ago, &s.packet)
		return n
	}
	s.body, n = s.fleet.appendBeats(s.body[:0], &s.form, b.from, b.to, s.moment(now), s.trouble, ago)
	return n
}

// pack packs the body as it is to be sent.
func (s *sender) pack() []byte {
	switch {
	case s.gz != nil:
		s.packed.Reset()
		s.gz.Reset(&s.packed)
		s.gz.Write(s.body)
		s.gz.Close()
		return s.packed.Bytes()
	case s.zs != nil:
		s.packs = s.zs.EncodeAll(s.body, s.packs[:0])
		return s.packs
	}
	return s.body
}

// dial opens the connection, trying again for as long as the run lasts.
func (s *sender) dial(ctx context.Context) error {
	for try := 0; ; try++ {
		line, err := s.open(ctx)
		if err == nil {
			s.line = line
			return nil
		}
		if ops.KindOf(err) == ops.Denied {
			s.refuse(err)
			return err
		}
		s.broken.Add(1)
		if !s.backOff(ctx, try, 0) {
			return err
		}
	}
}

func (s *sender) hangUp() {
	if s.line != nil {
		s.line.Close()
	}
	s.line, s.under = nil, s.under[:0]
}

// lost counts what was under way on a connection that broke; the next beat is as good.
func (s *sender) lost() {
	s.broken.Add(1)
	s.hangUp()
}

// drain reads all answers, and sees to what was put off.
func (s *sender) drain(ctx context.Context) {
	s.read(0)
	for len(s.later) > 0 && ctx.Err() == nil {
		s.again(ctx)
		s.read(0)
	}
}

// read reads answers until at most left requests are under way.
func (s *sender) read(left int) {
	for len(s.under) > left && s.line != nil {
		a, err := s.line.Answer()
		if err != nil {
			s.lost()
			return
		}
		p := s.under[0]
		s.under = append(s.under[:0], s.under[1:]...)
		s.took.Add(time.Since(p.at))
		s.take(a, p)
	}
}

// take counts an answer, and does as it says.
func (s *sender) take(a Answer, p post) {
	if a.closes {
		s.hangUp()
	}
	switch a.Status {
	case http.StatusAccepted, http.StatusOK:
		s.failed = 0
		s.credit(a.Body, p.n)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		s.putOff.Add(1)
		s.failed++
		s.rest = max(s.rest, a.RetryAfter)
		s.later = append(s.later, p)
	default:
		s.refuse(refusal(a))
	}
}

// refusal says why a server wants none of it.
func refusal(a Answer) error {
	var p struct{ Detail, Hint string }
	if json.Unmarshal(a.Body, &p) != nil || p.Detail == "" {
		p.Detail = "the server answers " + strconv.Itoa(a.Status) + " to heartbeats"
	}
	kind := ops.Invalid
	if a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden {
		kind = ops.Denied
	}
	return ops.Errorf(kind, "%s", p.Detail).WithHint(p.Hint)
}

// credit counts what of n beats was accepted and, where it was not all, why.
func (s *sender) credit(body []byte, n int) {
	s.expect = strconv.AppendInt(append(s.expect[:0], `{"accepted":`...), int64(n), 10)
	if s.expect = append(s.expect, ',', '"'); bytes.HasPrefix(body, s.expect) {
		s.accepted.Add(int64(n))
		return
	}
	var r struct {
		Accepted int
		Rejected []ops.Rejected
	}
	if err := json.Unmarshal(body, &r); err != nil {
		s.refuse(ops.Errorf(ops.Unavailable, "what answers is no goc server").At("server"))
		return
	}
	s.accepted.Add(int64(r.Accepted))
	s.rejected.Add(int64(len(r.Rejected)))
	for _, one := range r.Rejected {
		s.count(one.Reason)
	}
}

// backOff waits before another try: as long as the server says, else twice as long each time with all of it left to
// chance, half a minute at most. false when the run is over.
func (s *sender) backOff(ctx context.Context, try int, told time.Duration) bool {
	wait := time.Duration(s.rng.Float64() * float64(min(500*time.Millisecond<<min(try, 6), 30*time.Second)))
	if told > 0 {
		wait = min(told, 30*time.Second) + wait/4
	}
	if wait > time.Until(s.until) {
		return false
	}
	return sleep(ctx, wait)
}

package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"goc/ops"
	"goc/storage"
	"goc/storage/outbox"
)

// world is a dispatcher on a real journal in a synctest bubble, with a diary of what its handlers and Settled saw, each
// line with the time since the start.
type world struct {
	t      *testing.T
	store  *storage.Store
	start  time.Time
	mu     sync.Mutex
	diary  []string
	answer func(e ops.Effect) error
	cancel func()
	ended  chan error
}

// in runs the test in a bubble, with a journal that already holds the effects.
func in(t *testing.T, test func(w *world)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := storage.Open(t.Context(), storage.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, store: s, start: time.Now(), answer: func(ops.Effect) error { return nil }}
		test(w)
		w.stop()
		if err = s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (w *world) append(effects ...ops.Effect) {
	w.t.Helper()
	if _, err := w.store.Append(ops.Mutation{Effects: effects}).Wait(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.diary = append(w.diary, fmt.Sprintf("%s ", time.Since(w.start).Round(time.Second))+fmt.Sprintf(format, args...))
}

// run starts a dispatcher whose handlers note the body and give w.answer.
func (w *world) run(o outbox.Options) {
	handle := func(_ context.Context, e ops.Effect) error {
		w.note("%s", e.Body)
		return w.answer(e)
	}
	o.Store = w.store
	if o.Handlers == nil {
		o.Handlers = map[string]outbox.Handler{"slack": handle, "plan_step": handle}
	}
	o.Settled = func(e ops.Effect) { w.note("%s is %s: %s", e.Body, e.State, e.Error) }
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	w.cancel, w.ended = cancel, ended
	go func() { ended <- outbox.Run(ctx, o) }()
}

func (w *world) stop() {
	w.t.Helper()
	if w.cancel == nil {
		return
	}
	w.cancel()
	if err := <-w.ended; err != nil {
		w.t.Error(err)
	}
	w.cancel = nil
}

func (w *world) expect(lines ...string) {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if diff := cmp.Diff(lines, w.diary); diff != "" {
		w.t.Errorf("(-want +got):\n%s", diff)
	}
	w.diary = nil
}

func slack(lane, body string) ops.Effect {
	return ops.Effect{Kind: "slack", Lane: lane, Body: []byte(body)}
}

func TestAnEffectIsDoneAtOnceAndOnce(t *testing.T) {
	in(t, func(w *world) {
		w.run(outbox.Options{})
		synctest.Wait()
		w.append(slack("a", "1"))
		w.expect("0s 1", "0s 1 is done: ")
		time.Sleep(2 * time.Hour)
		w.expect()
	})
}

func TestALaneWaitsForItsHeadAndOthersDoNot(t *testing.T) {
	in(t, func(w *world) {
		w.append(slack("a", "a1"), slack("a", "a2"), slack("a", "a3"))
		w.answer = func(e ops.Effect) error {
			if e.Attempts < 3 && string(e.Body) == "a1" {
				return ops.RetryAfter(10*time.Second, errors.New("429"))
			}
			return nil
		}
		w.run(outbox.Options{})
		w.expect("0s a1")
		w.append(slack("b", "b1"))
		w.expect("0s b1", "0s b1 is done: ")
		time.Sleep(time.Minute)
		w.expect("10s a1", "20s a1", "20s a1 is done: ", "20s a2", "20s a2 is done: ", "20s a3", "20s a3 is done: ")
	})
}

func TestNoMoreHandlersRunAtOnceThanWorkers(t *testing.T) {
	in(t, func(w *world) {
		var mu sync.Mutex
		now, most, lanes := 0, 0, map[string]bool{}
		handle := func(_ context.Context, e ops.Effect) error {
			mu.Lock()
			if lanes[e.Lane] {
				w.note("lane %s does two at once", e.Lane)
			}
			lanes[e.Lane] = true
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			lanes[e.Lane] = false
			mu.Unlock()
			return nil
		}
		for i := range 20 {
			w.append(slack(fmt.Sprint(i%10), fmt.Sprint(i)))
		}
		w.run(outbox.Options{Workers: 3, Handlers: map[string]outbox.Handler{"slack": handle}})
		time.Sleep(7500 * time.Millisecond) // 20 effects, three at once, a second each
		synctest.Wait()
		if most != 3 || len(w.diary) != 20 {
			t.Errorf("%d ran at once; %q", most, w.diary)
		}
	})
}

func TestWhatFailsIsTriedAgainWithGrowingPauses(t *testing.T) {
	in(t, func(w *world) {
		var at []time.Duration
		w.answer = func(ops.Effect) error {
			at = append(at, time.Since(w.start))
			return errors.New("connection refused")
		}
		w.run(outbox.Options{GiveUp: 2 * time.Hour})
		w.append(slack("a", "1"))
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		pause := time.Second
		for i := 1; i < len(at); i++ {
			if got := at[i] - at[i-1]; got > pause+time.Millisecond || got < pause*4/5-time.Millisecond {
				t.Errorf("pause %d took %s, want up to a fifth less than %s", i, got, pause)
			}
			pause = min(2*pause, 5*time.Minute)
		}
		last := w.diary[len(w.diary)-1]
		if len(at) < 30 || at[len(at)-1] > 2*time.Hour+5*time.Minute || !strings.Contains(last, "1 is failed: given up after 2h") {
			t.Errorf("%d attempts, then %s", len(at), last)
		}
		failed, err := w.store.Effects(w.t.Context(), storage.EffectQuery{State: storage.Failed})
		if err != nil || len(failed) != 1 {
			t.Errorf("%v, %v", failed, err)
		}
	})
}

func TestWhatCannotBeMendedFailsAtOnce(t *testing.T) {
	in(t, func(w *world) {
		w.answer = func(e ops.Effect) error {
			if string(e.Body) == "panics" {
				panic("oh")
			}
			return ops.Permanent(errors.New("channel_not_found"))
		}
		w.run(outbox.Options{})
		w.append(slack("a", "refused"))
		w.expect("0s refused", "0s refused is failed: channel_not_found")
		w.append(slack("a", "panics"))
		w.expect("0s panics", "0s panics is failed: its handler panicked: oh")
		w.append(ops.Effect{Kind: "pager", Body: []byte("unknown")})
		w.expect("0s unknown is failed: nothing is configured that handles pager")
	})
}

func TestAnEffectWaitsForItsTime(t *testing.T) {
	in(t, func(w *world) {
		w.run(outbox.Options{})
		later := slack("a", "later")
		later.NotUntil = ops.At(w.start.Add(90 * time.Second))
		w.append(later)
		time.Sleep(89 * time.Second)
		w.expect()
		time.Sleep(2 * time.Second)
		w.expect("1m30s later", "1m30s later is done: ")
	})
}

func TestAStepThatMustNotBeRepeatedIsNot(t *testing.T) {
	in(t, func(w *world) {
		w.answer = func(e ops.Effect) error {
			if string(e.Body) == "harmless" && e.Attempts == 1 {
				return ops.RetryAfter(time.Second, errors.New("busy, nothing was done"))
			}
			return errors.New("exit status 1")
		}
		w.run(outbox.Options{Indeterminate: []string{"plan_step"}})
		w.append(ops.Effect{Kind: "plan_step", Body: []byte("step")})
		w.expect("0s step", "0s step is failed: exit status 1")
		w.append(ops.Effect{Kind: "plan_step", Body: []byte("harmless")})
		time.Sleep(time.Minute)
		w.expect("0s harmless", "1s harmless", "1s harmless is failed: exit status 1")
	})
}

// hang is a handler that ends only when it is cut off.
func (w *world) hang(ctx context.Context, e ops.Effect) error {
	w.note("%s hangs", e.Body)
	<-ctx.Done()
	return ctx.Err()
}

func TestAnAttemptThatHangsIsCutOff(t *testing.T) {
	in(t, func(w *world) {
		w.run(outbox.Options{
			Timeout: 20 * time.Second, Indeterminate: []string{"plan_step"},
			Handlers: map[string]outbox.Handler{"slack": w.hang, "plan_step": w.hang},
		})
		w.append(ops.Effect{Kind: "plan_step", Body: []byte("step")})
		time.Sleep(21 * time.Second)
		w.expect("0s step hangs", "20s step is indeterminate: context deadline exceeded")
		w.append(slack("a", "1"))
		time.Sleep(22 * time.Second)
		w.expect("21s 1 hangs", "42s 1 hangs")
	})
}

func TestEndingGivesHandlersAGraceAndRepeatsOnlyMessages(t *testing.T) {
	in(t, func(w *world) {
		o := outbox.Options{
			Indeterminate: []string{"plan_step"},
			Handlers:      map[string]outbox.Handler{"slack": w.hang, "plan_step": w.hang},
		}
		w.run(o)
		w.append(slack("a", "1"), ops.Effect{Kind: "plan_step", Lane: "b", Body: []byte("step")})
		synctest.Wait()
		w.diary = nil
		w.stop()
		if took := time.Since(w.start); took > 6*time.Second || took < 4*time.Second {
			t.Errorf("ending took %s", took)
		}
		w.expect("5s step is indeterminate: context canceled")
		o.Handlers = nil
		w.run(o)
		w.expect("5s 1", "5s 1 is done: ")
	})
}

func TestAfterACrashMessagesAreRepeatedAndStepsAreNot(t *testing.T) {
	in(t, func(w *world) {
		w.append(slack("a", "1"), slack("a", "2"), ops.Effect{Kind: "plan_step", Lane: "b", Body: []byte("step")})
		if _, err := w.store.ClaimEffects(w.t.Context(), []int64{1, 3}); err != nil { // and then we died
			t.Fatal(err)
		}
		w.run(outbox.Options{Indeterminate: []string{"plan_step"}})
		w.expect("0s step is indeterminate: goc ended while it was being tried", "0s 1", "0s 1 is done: ", "0s 2", "0s 2 is done: ")
	})
}

func TestTheDispatcherEndsWithItsJournal(t *testing.T) {
	in(t, func(w *world) {
		w.run(outbox.Options{})
		synctest.Wait()
		w.append(slack("a", "1"))
		w.expect("0s 1", "0s 1 is done: ")
		w.store.Close()
		time.Sleep(2 * time.Hour) // the hourly pruning meets the closed journal
		if err := <-w.ended; ops.KindOf(err) != ops.Unavailable {
			t.Errorf("%v", err)
		}
		w.cancel()
		w.cancel = nil
	})
}

func TestOptionsThatAreMissing(t *testing.T) {
	if err := outbox.Run(t.Context(), outbox.Options{}); err == nil {
		t.Error("no store, no handlers, no error")
	}
}

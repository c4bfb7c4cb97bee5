// Package world is the embedded world of `goc demo`: five cities, ten stores with fifty devices each, 24 services, a CI
// that releases through the gate, customers whose orders can fail, a chat, a release manager, an on-call, and faults now and then.
//
// It speaks to GOC only over sockets, as the real world would, and GOC knows nothing of it.
package world

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options say how the world is made.
type Options struct {
	Seed     uint64  // the same seed breaks the same things in the same order
	Speed    float64 // how much faster than usual faults and releases come; 0 is 1
	NoFaults bool
	Dir      string    // faults.jsonl goes there
	Out      io.Writer // the story, a line an event; nil for none
}

// OnCall is the name of the world's on-call.
const OnCall = "值班甲"

// Tokens let the world's machines and people in; empty ones rely on anonymous access.
type Tokens struct{ CI, Agent, OnCall, Manager string }

// World is the running world.
type World struct {
	opts    Options
	ctx     context.Context
	effects *effects
	shop    *shop
	ci      *ci
	devices *devices
	faults  *faults
	chat    *chat
	urls    urls
	wg      sync.WaitGroup
	sayMu   sync.Mutex
}

type urls struct{ control, chat string }

// New starts the services, the control console and the chat; nobody buys, beats or releases yet. All of it stops when
// ctx ends; Wait then waits for it.
func New(ctx context.Context, opts Options) (*World, error) {
	if opts.Speed <= 0 {
		opts.Speed = 1
	}
	w := &World{opts: opts, ctx: ctx, effects: newEffects()}
	secret := make([]byte, 16)
	rand.Read(secret)
	w.chat = &chat{secret: hex.EncodeToString(secret), say: w.say, client: &http.Client{Timeout: 10 * time.Second}}
	var err error
	if w.shop, err = newShop(ctx, w.effects); err != nil {
		return nil, err
	}
	if w.urls.control, err = w.listen(w.control()); err != nil {
		return nil, err
	}
	w.urls.chat, err = w.listen(w.chat.handler())
	return w, err
}

func (w *World) listen(h http.Handler) (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go srv.Serve(ln)
	context.AfterFunc(w.ctx, func() { srv.Close() })
	return "http://" + ln.Addr().String(), nil
}

// Targets are the addresses of the services' /metrics, by service.
func (w *World) Targets() map[string]string {
	out := map[string]string{}
	for name, in := range w.shop.instances {
		out[name] = in.addr
	}
	return out
}

// ControlURL is where plans and drills reach the world's consoles.
func (w *World) ControlURL() string { return w.urls.control }

// ChatURL is the chat's Web API (with /api/) and its page (at /).
func (w *World) ChatURL() string { return w.urls.chat }

// ChatSecret signs what the chat sends.
func (w *World) ChatSecret() string { return w.chat.secret }

// Live lets customers, devices, CI, on-call and faults loose on the GOC at base. It returns at once.
func (w *World) Live(base string, t Tokens) {
	w.chat.goc = base
	rng := func(stream uint64) *mathrand.Rand { return mathrand.New(mathrand.NewPCG(w.opts.Seed, stream)) }
	w.ci = newCI(newClient(base, t.CI), rng(1), w.say, 12*time.Second)
	m := newManager(newClient(base, t.Manager), w.say, 4*time.Second)
	w.ci.held = m.heldBy
	if err := m.closes(w.ctx, time.Now()); err != nil {
		w.say("world", "could not set the freezes: %v", err)
	}
	w.devices = newDevices(newClient(base, t.Agent), w.effects)
	w.faults = newFaults(w.opts.Dir, w.effects, w.ci, w.devices, seeded(w.opts.Seed), w.say)
	for i, store := range storeIDs() {
		w.spawn(func() { w.shop.customers(w.ctx, store, 3, rng(uint64(100+i))) })
		w.spawn(func() { w.devices.run(w.ctx, store, rng(uint64(200+i))) })
	}
	w.spawn(func() { w.ci.innocent(w.ctx, w.scaled(35*time.Second)) })
	if w.opts.NoFaults {
		return
	}
	p := &person{name: OnCall, client: newClient(base, t.OnCall), say: w.say, pace: 5 * time.Second, cases: map[string]*case_{}}
	w.spawn(func() { p.work(w.ctx) })
	w.spawn(func() { w.break_(p) })
}

func (w *World) spawn(f func()) {
	w.wg.Add(1)
	go func() { defer w.wg.Done(); f() }()
}

// Wait returns when the world has ended and every open fault is written down.
func (w *World) Wait() {
	<-w.ctx.Done()
	w.wg.Wait()
	if w.faults != nil {
		w.faults.close()
	}
}

func (w *World) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / w.opts.Speed)
}

// break_ tells the first story as a drill, then breaks something else every few minutes, healthy time between.
func (w *World) break_(p *person) {
	if !pause(w.ctx, 12*time.Second) { // at any pace: what is normal must be known first, and the greeting says so
		return
	}
	w.say("drill", "bad-release starts: a release that fails goes through the gate to two stores")
	if err := p.client.do(w.ctx, http.MethodPost, "/api/v1/drills/bad-release/runs", map[string]string{}, nil); err != nil {
		w.say("drill", "could not start: %v", err)
	}
	pause(w.ctx, w.scaled(60*time.Second))
	p.pace = 12 * time.Second // from here on a newcomer may be faster
	order := mathrand.New(mathrand.NewPCG(w.opts.Seed, 3)).Perm(len(FaultKinds))
	for i := 0; w.quiet(p); i++ {
		kind := FaultKinds[order[i%len(order)]]
		w.oneFault(kind)
	}
}

// quiet waits until all is well and has been for a while; false when the world ends.
func (w *World) quiet(p *person) bool {
	for calm := time.Duration(0); calm < w.scaled(45*time.Second); calm += time.Second {
		if !pause(w.ctx, time.Second) {
			return false
		}
		open, err := p.client.incidents(w.ctx)
		unwell := err != nil || w.faults.any() || w.ci.busy()
		for _, in := range open {
			unwell = unwell || in.RecoveredAt.IsZero()
		}
		if unwell {
			calm = 0
		}
	}
	return true
}

// oneFault breaks one thing and mends it after two minutes when nobody else did.
func (w *World) oneFault(kind string) {
	key, _, err := w.faults.start(w.ctx, kind, "")
	if err != nil {
		w.say("world", "could not break %s: %v", kind, err)
		return
	}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end) && w.faults.fault(key) != nil; {
		if !pause(w.ctx, time.Second) {
			return
		}
	}
	if err := w.faults.mend(w.ctx, key, "nobody else did"); err == nil {
		w.say("world", "%s is over", strings.ReplaceAll(kind, "_", " "))
	}
}

// say writes one line of the story.
func (w *World) say(who, format string, args ...any) {
	if w.opts.Out == nil {
		return
	}
	w.sayMu.Lock()
	defer w.sayMu.Unlock()
	fmt.Fprintf(w.opts.Out, "%s  %-6s %s\n", time.Now().Format("15:04:05"), who, fmt.Sprintf(format, args...))
}

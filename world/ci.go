package world

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"goc/ops"
)

// release is one change on its way out, ring by ring.
type release struct {
	kind      ops.ChangeKind
	title     string
	service   string
	version   string
	previous  string
	risk      string
	scope     ops.Scope
	rings     [][]string
	drill     string
	apply     func(id string, stores []string) // what reaching these stores does
	undo      func(id string, stores []string)
	firstOnly bool // stays in its first ring until someone decides
	yields    bool // lets others go ahead
	reviews   map[string]string
	labels    map[string]string
}

// ci is the chain's release system: it asks the gate before each ring and reports what it does.
type ci struct {
	client *gocClient
	say    func(who, format string, args ...any)
	bake   time.Duration
	held   func(ctx context.Context, change string, d ops.Decision) bool // asks people; false: nobody can help

	mu       sync.Mutex
	rng      *rand.Rand
	versions map[string]int
	live     map[string]*flight
	waiting  int // releases without their first ring that others let go ahead
}

// flight is a release under way or out.
type flight struct {
	release
	cancel  context.CancelFunc
	done    chan struct{} // closed when the CI no longer moves it
	reached []string
}

func newCI(c *gocClient, rng *rand.Rand, say func(string, string, ...any), bake time.Duration) *ci {
	return &ci{client: c, rng: rng, say: say, bake: bake, versions: map[string]int{}, live: map[string]*flight{}}
}

// next gives a service's next version and the one before.
func (c *ci) next(service string) (version, previous string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.versions[service]++
	return fmt.Sprintf("1.%d.0", c.versions[service]), fmt.Sprintf("1.%d.0", c.versions[service]-1)
}

// rings splits the stores at random: two, then four, then the rest. Harmless releases stop before the rest.
func rings(rng *rand.Rand) [][]string {
	ids := storeIDs()
	rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return [][]string{ids[:2], ids[2:6], ids[6:]}
}

func storeIDs() []string {
	var ids []string
	for _, s := range Catalog().Stores {
		ids = append(ids, s.ID)
	}
	return ids
}

// launch records a release and takes it out in the background. It returns once the first ring has it (or could not get it),
// with the change's id.
func (c *ci) launch(ctx context.Context, r release) (string, error) {
	stages := make([]map[string]any, len(r.rings))
	for i, ring := range r.rings {
		stages[i] = map[string]any{"name": fmt.Sprintf("ring %d", i+1), "scope": map[string]any{"store": ring}, "bake": c.bake.String()}
	}
	body := map[string]any{
		"kind": r.kind, "title": r.title, "environment": "production", "risk": r.risk, "stages": stages,
		"scope": r.scope, "author": "release-bot", "rollback": "rollback-change",
	}
	if r.service != "" {
		body["service"] = r.service
	}
	if r.version != "" {
		body["version"], body["previous_version"] = r.version, r.previous
	}
	if len(r.reviews) > 0 {
		body["reviews"] = r.reviews
	}
	if labels := r.allLabels(); len(labels) > 0 {
		body["labels"] = labels
	}
	if !r.yields {
		c.queue(1)
		defer c.queue(-1)
	}
	ch, err := c.client.record(ctx, body)
	if err != nil {
		return "", err
	}
	fctx, cancel := context.WithCancel(ctx)
	f := &flight{release: r, cancel: cancel, done: make(chan struct{})}
	c.mu.Lock()
	c.live[ch.ID] = f
	c.mu.Unlock()
	first := make(chan error, 1)
	go c.fly(fctx, ch.ID, f, first)
	return ch.ID, <-first
}

// allLabels are a release's labels, its drill among them.
func (r release) allLabels() map[string]string {
	out := map[string]string{}
	maps.Copy(out, r.labels)
	if r.drill != "" {
		out["drill"] = r.drill
	}
	return out
}

// queue counts a release that waits for its first ring.
func (c *ci) queue(by int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting += by
}

// landed waits until the CI no longer moves a release.
func (c *ci) landed(id string) {
	c.mu.Lock()
	f := c.live[id]
	c.mu.Unlock()
	if f != nil {
		<-f.done
	}
}

func (c *ci) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting > 0
}

// letAhead waits, where a release yields, until no other waits for its first ring; false when ctx ended first.
func (c *ci) letAhead(ctx context.Context, yields bool) bool {
	for yields && c.busy() {
		if !pause(ctx, time.Second) {
			return false
		}
	}
	return true
}

// fly takes a release through its rings, asking the gate before each.
func (c *ci) fly(ctx context.Context, id string, f *flight, first chan<- error) {
	defer close(f.done)
	told := func(err error) {
		select {
		case first <- err:
		default:
		}
	}
	for i, ring := range f.rings {
		if err := c.wait(ctx, id, i+1, i == 0 && f.yields); err != nil {
			c.give(ctx, id, err)
			told(err)
			return
		}
		if err := c.reach(ctx, id, f, i+1, ring); err != nil {
			told(err)
			return
		}
		told(nil)
		if f.firstOnly {
			return
		}
		if !pause(ctx, c.bake+time.Second) {
			return
		}
	}
	if err := c.client.event(ctx, id, "finish", 0, ""); err == nil {
		c.say("CI", "%s is out", id)
	}
}

// reach puts a release into one ring and says so before and after.
func (c *ci) reach(ctx context.Context, id string, f *flight, stage int, ring []string) error {
	if err := c.client.event(ctx, id, "stage_started", stage, ""); err != nil {
		return err
	}
	c.say("CI", "%s %s → ring %d: %s", id, f.title, stage, strings.Join(ring, " "))
	if f.apply != nil {
		f.apply(id, ring)
	}
	c.mu.Lock()
	f.reached = append(f.reached, ring...)
	c.mu.Unlock()
	if !pause(ctx, 500*time.Millisecond) {
		return ctx.Err()
	}
	return c.client.event(ctx, id, "stage_finished", stage, "")
}

// give up a release that the gate does not let out.
func (c *ci) give(ctx context.Context, id string, why error) {
	if ctx.Err() != nil {
		return // somebody takes it back
	}
	c.say("CI", "%s is given up: %v", id, why)
	c.client.event(ctx, id, "abort", 0, clip(why.Error()))
}

// wait asks the gate until it allows the stage. It gives up when a policy says no and nobody can help, after ten minutes,
// or on an error that stays.
func (c *ci) wait(ctx context.Context, id string, stage int, yields bool) error {
	deadline, said := time.Now().Add(10*time.Minute), ""
	for {
		if !c.letAhead(ctx, yields) {
			return ctx.Err()
		}
		d, err := c.client.check(ctx, id, stage)
		if err == nil && d.Decision == "allow" {
			return nil
		}
		if err == nil && !c.held(ctx, id, d) && denied(d) {
			return fmt.Errorf("the gate said no: %s", because(d))
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the gate did not let %s stage %d out within ten minutes (last error: %v)", id, stage, err)
		}
		if why := because(d); err == nil && said != why {
			said = why
			c.say("gate", "%s ring %d: %s, %s", id, stage, d.Decision, why)
		}
		delay := 2 * time.Second
		if err == nil && d.RetryAfterS > 0 {
			delay = min(time.Duration(d.RetryAfterS)*time.Second, 3*time.Second)
		}
		if !pause(ctx, delay) {
			return ctx.Err()
		}
	}
}

// because is the first reason for a decision.
func because(d ops.Decision) string {
	for _, r := range d.Reasons {
		if r.Effect == d.Decision {
			return r.Message
		}
	}
	return "no reason given"
}

// rollback takes a release back from wherever it is.
func (c *ci) rollback(ctx context.Context, id, note string) error {
	c.mu.Lock()
	f, ok := c.live[id]
	delete(c.live, id)
	c.mu.Unlock()
	if !ok {
		return ops.Errorf(ops.NotFound, "no release %s is out", id)
	}
	f.cancel()
	<-f.done
	if f.undo != nil {
		f.undo(id, f.reached)
	}
	c.say("CI", "%s rolled back: %s", id, note)
	return c.client.event(ctx, id, "rollback", 0, note)
}

// atOnce is how many harmless releases wait, or are under way, at once.
const atOnce = 2

// innocent sends out a harmless change of a random kind now and then, so that suspects are never alone.
func (c *ci) innocent(ctx context.Context, every time.Duration) {
	slots := make(chan struct{}, atOnce)
	for {
		c.mu.Lock()
		wait := time.Duration((0.5 + c.rng.Float64()) * float64(every))
		n, kind, out := c.rng.IntN(len(services)), c.rng.IntN(6), rings(c.rng)[:2]
		c.mu.Unlock()
		if !pause(ctx, wait) || !c.letAhead(ctx, true) {
			return
		}
		r := c.harmless(services[n].name, kind)
		r.rings, r.yields = out, true
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		go func() {
			defer func() { <-slots }()
			if id, err := c.launch(ctx, r); err == nil {
				c.landed(id)
			}
		}()
	}
}

func (c *ci) harmless(service string, kind int) release {
	v, p := c.next(service)
	r := release{kind: ops.KindRelease, service: service, version: v, previous: p, title: service + " " + v, risk: "low", reviews: reviewed(service, v)}
	switch kind {
	case 0:
		r.kind, r.title = ops.KindConfig, service+": thread pool 64 → 96"
	case 1:
		r.kind, r.title = ops.KindFlag, service+": flag new-layout on"
		if len(service)%2 == 0 { // every second team forgets it, which a policy minds
			r.labels = map[string]string{"owner": "storefront"}
		}
	case 2:
		r.kind, r.service, r.title, r.version, r.previous = ops.KindPromotion, "promotion", "promotion: second item half price", "", ""
	case 3:
		r.risk = "medium" // somebody must approve it
	}
	return r
}

// reviewed is the evidence of reviews that the CI has for a release.
func reviewed(service, version string) map[string]string {
	at := "https://git.example.com/" + service + "/" + version
	return map[string]string{"code": at + "/review", "test": at + "/tests"}
}

// clip keeps a note short.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 300)], "") }

// pause waits for d; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

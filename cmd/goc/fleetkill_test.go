package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"goc/ops"
)

// fleetLedger is what a server said of a fleet: what it acknowledged, and what it announced.
type fleetLedger struct {
	mu       sync.Mutex
	acked    int              // beats
	firmware map[string]int   // by device, the latest version that was acknowledged
	seen     map[int64]string // the hash of each event that the feed announced, by its number
}

const (
	fleetKillStores  = 6
	fleetKillDevices = 12 // of a store. All of them fit into one event's list of changes.
)

// beats sends batches of one store until the server no longer answers. Half of its devices fall silent now and then, so
// that the server announces changes of its own accord.
func (l *fleetLedger) beats(p *process, store string, rng *rand.Rand, version *int) {
	for {
		*version++
		var batch []map[string]any
		for d := range fleetKillDevices {
			if d%2 == 0 || rng.IntN(40) == 0 {
				batch = append(batch, map[string]any{
					"store": store, "device": fmt.Sprint("d", d), "kind": "pos", "firmware": fmt.Sprint("v", *version),
					"status": []string{"ok", "fault"}[rng.IntN(2)],
				})
			}
		}
		var out struct{ Accepted int }
		if p.call("POST", "/api/v1/heartbeats", batch, &out) != 202 {
			return
		}
		l.mu.Lock()
		l.acked += len(batch)
		for _, b := range batch {
			l.firmware[store+"/"+b["device"].(string)] = *version
		}
		l.mu.Unlock()
		wait(time.Duration(rng.IntN(30)) * time.Millisecond)
	}
}

// listen follows the event feed until the server is gone.
func (l *fleetLedger) listen(p *process, since int64) {
	for {
		var page ops.List[ops.Event]
		if p.call("GET", "/api/v1/events?limit=1000&since="+strconv.FormatInt(since, 10), nil, &page) != 200 {
			return
		}
		l.mu.Lock()
		for _, e := range page.Items {
			since = e.Seq
			l.seen[e.Seq] = e.Hash
		}
		l.mu.Unlock()
		wait(5 * time.Millisecond)
	}
}

// fleetEvents reads the whole log: the hash of each event by its number, and the state that each device was last told to
// be in.
func fleetEvents(p *process) (hashes map[int64]string, states map[string]string) {
	hashes, states = map[int64]string{}, map[string]string{}
	for since := int64(0); ; {
		var page ops.List[ops.Event]
		if p.call("GET", "/api/v1/events?limit=1000&since="+strconv.FormatInt(since, 10), nil, &page) != 200 || len(page.Items) == 0 {
			return hashes, states
		}
		for _, e := range page.Items {
			since, hashes[e.Seq] = e.Seq, e.Hash
			var d struct {
				Changes []struct{ ID, To string }
			}
			if e.Name != "fleet.changed" {
				continue
			}
			json.Unmarshal(e.Data, &d)
			for _, c := range d.Changes {
				states[c.ID] = c.To
			}
		}
	}
}

// missing lists what was acknowledged or announced and is not there after the restart.
func (l *fleetLedger) missing(p *process) (lost []string) {
	hashes, before := fleetEvents(p)
	for seq, hash := range l.seen {
		if hashes[seq] != hash {
			lost = append(lost, fmt.Sprintf("event %d was announced with the hash %s and has %q", seq, hash, hashes[seq]))
		}
	}
	for id, version := range l.firmware {
		var d ops.Device
		if code := p.call("GET", "/api/v1/devices/"+escapeID(id), nil, &d); code != 200 {
			lost = append(lost, fmt.Sprintf("device %s: %d", id, code))
			continue
		}
		var has int
		fmt.Sscanf(d.Firmware, "v%d", &has)
		if has < version { // the last batch may have been taken and not yet answered
			lost = append(lost, fmt.Sprintf("device %s has firmware %s, acknowledged was v%d", id, d.Firmware, version))
		}
		if state := d.State.String(); state != before[id] {
			if _, after := fleetEvents(p); state != after[id] {
				lost = append(lost, fmt.Sprintf("device %s is %s, announced was %s and then %s", id, state, before[id], after[id]))
			}
		}
		if n := len(d.History); n > 0 && d.History[0].To != d.State {
			lost = append(lost, fmt.Sprintf("device %s is %s, its history ends with %s", id, d.State, d.History[0].To))
		}
	}
	return lost
}

// killTheFleet runs the load, kills the server at a random moment, again and again, and returns what got lost.
func killTheFleet(t *testing.T, rounds int, env ...string) (lost []string, acked, announced int) {
	config, listen := serveYAML(t, `metrics: {sample_interval: 1h}
alertrules: {builtin: false}
catalog: {device_kinds: [{name: pos, interval: 1s, grace: 500ms}]}
heartbeats: {flap: {changes: 16, window: 1s}}
`)
	rng := rand.New(rand.NewPCG(7, uint64(rounds)))
	l := &fleetLedger{firmware: map[string]int{}, seen: map[int64]string{}}
	versions := make([]int, fleetKillStores)
	for range rounds {
		p := serve(t, config, listen, env...)
		var wg sync.WaitGroup
		wg.Go(func() { l.listen(p, 0) })
		for s := range fleetKillStores {
			r := rand.New(rand.NewPCG(rng.Uint64(), uint64(s)))
			wg.Go(func() { l.beats(p, fmt.Sprint("S-", s), r, &versions[s]) })
		}
		wait(time.Duration(1500+rng.IntN(1500)) * time.Millisecond)
		p.kill()
		wg.Wait()
		p = serve(t, config, listen, env...)
		lost = l.missing(p)
		p.kill()
		acked, announced = l.acked, len(l.seen)
		if len(lost) > 0 {
			return lost, acked, announced
		}
	}
	return lost, acked, announced
}

func TestNoChangeOfADeviceThatWasAcknowledgedOrAnnouncedIsLostByKill9(t *testing.T) {
	lost, acked, announced := killTheFleet(t, 5)
	if len(lost) > 0 {
		t.Errorf("%d acknowledged or announced things are gone, the first: %q", len(lost), lost[:min(5, len(lost))])
	}
	t.Logf("%d acknowledgements and %d announcements checked", acked, announced)
	if acked < 500 || announced < 50 {
		t.Errorf("only %d acknowledgements and %d announcements: that is no load", acked, announced)
	}
}

// The negative control: with acknowledgement before the commit the same test must find losses.
func TestWithDurabilitySwitchedOffTheFleetsKillTestFails(t *testing.T) {
	if lost, acked, _ := killTheFleet(t, 5, "GOC_UNSAFE_EARLY_ACK=1"); len(lost) == 0 {
		t.Errorf("%d acknowledgements before their commit all survived: the test cannot see a loss", acked)
	}
}

package incidents_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goc/incidents/engine"
	"goc/ops"
)

var update = flag.Bool("update", false, "write what the scenarios in testdata print")

// midnight is time 0 of every scenario.
var midnight = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

// TestScenarios runs testdata/*.txt. A file is blocks of commands, a line ----, and what they print, parted by empty
// lines; a line that begins with # is a comment. Commands:
//
//	catalog                                the lines that follow name services and stores; it begins anew
//	@30s firing alertname=X service=cart   an alert; other words are labels, summary="…" its summary
//	@30s resolved alertname=X …            with the same labels
//	                                       an alert that ends in "with" comes in one batch with the next
//	@30s change CHG-1 kind=release …       a change; started unless planned
//	@30s stage CHG-1 1 finished units=a,b stores=SH-001
//	@30s sample cart success_ratio 0.5 store=SH-001 [from=-5m every=10s]
//	                                       [to=0.9]: a straight line from the value to this one
//	@30s keep cart success_ratio 0.5 store=SH-001   from now on it says so every five seconds; gap: nothing
//	@30s tick                              time goes on, second by second, from where it stood
//	@30s acknowledge INC-1 by=ann [note="…"]; mitigate, resolve, reopen, note, severity, role, merge, confirm, reject
//	@30s split INC-1 alerts="pay fails;cart fails" title=… by=ann; unlink; alerts by their summaries or names
//	@30s restart                           from what was written
//	@30s declare title="…" service=cart by=ann
//	@30s silence alertname=X for=10m;      expire
//	@30s task_add INC-1 title="…" owner=bob due=2h kind=action_item by=ann; task_change INC-1 task=1 done=true due=none
//	@30s cause INC-1 text="…" change=CHG-1; update INC-1 text="…"; attach INC-1 url=… title=…; detach INC-1 link=1
//	show INC-1 [alerts]                    how it now is; alerts leaves its suspects out
//	signs INC-1                            where its onset was found, its signs and its impact
//	work INC-1                             what people do about it
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScenario(t, string(raw))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(raw), got); diff != "" {
				t.Errorf("%s prints something else (-want +got):\n%s", file, diff)
			}
		})
	}
}

type scenario struct {
	t       *testing.T
	cfg     engine.Config
	cat     *ops.Catalog
	rows    rows
	e       *engine.Engine
	now     time.Time
	latest  map[string]ops.Incident
	silence string
	kept    []kept
	batch   []ops.Alert // to be sent with the next alert
	out     strings.Builder
}

// kept is what is measured as time passes.
type kept struct {
	words []string // service, indicator, value
	args  map[string]string
}

// runScenario runs every block of a file and returns the file with what the blocks print now.
func runScenario(t *testing.T, text string) string {
	s := &scenario{t: t}
	s.begin(engine.Config{}, &ops.Catalog{})
	var file strings.Builder
	for i, block := range strings.Split(strings.TrimRight(text, "\n"), "\n\n") {
		if i > 0 {
			file.WriteString("\n")
		}
		commands, _, _ := strings.Cut(block, "\n----")
		file.WriteString(commands + "\n")
		s.out.Reset()
		if s.block(strings.Split(commands, "\n")) {
			if s.out.Len() == 0 {
				s.out.WriteString("ok\n")
			}
			file.WriteString("----\n" + s.out.String())
		}
	}
	return file.String()
}

// block runs the commands of one block and says whether there were any.
func (s *scenario) block(lines []string) bool {
	ran := false
	for i, l := range lines {
		words := split(l)
		if len(words) == 0 || strings.HasPrefix(l, "#") {
			continue
		}
		ran = true
		if words[0] == "catalog" {
			s.catalog(words[1:], lines[i+1:])
			return true
		}
		s.command(words)
	}
	return ran
}

// split cuts a line into words; a quoted part of a word may hold spaces.
func split(l string) []string {
	var words []string
	var w strings.Builder
	quoted, any := false, false
	for _, r := range l {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case r == ' ' && !quoted:
			if w.Len() > 0 || any {
				words = append(words, w.String())
			}
			w.Reset()
			any = false
		default:
			w.WriteRune(r)
		}
	}
	if w.Len() > 0 || any {
		words = append(words, w.String())
	}
	return words
}

// args reads the words name=value.
func args(words []string) map[string]string {
	m := map[string]string{}
	for _, w := range words {
		if k, v, ok := strings.Cut(w, "="); ok {
			m[k] = v
		}
	}
	return m
}

func list(v string) []string {
	if v == "" {
		return nil
	}
	return strings.Split(v, ",")
}

func (s *scenario) duration(v string) time.Duration {
	s.t.Helper()
	d, err := time.ParseDuration(v)
	if err != nil {
		s.t.Fatalf("%q is no duration", v)
	}
	return d
}

func (s *scenario) catalog(words, lines []string) {
	cat, cfg := &ops.Catalog{}, engine.Config{}
	for k, v := range args(words) {
		switch k {
		case "hold":
			cfg.RecoverHold = s.duration(v)
		case "resolve_after":
			cfg.ResolveAfter = s.duration(v)
		case "believe_unknown":
			cfg.BelieveUnknown = s.duration(v)
		case "believe_off":
			cfg.BelieveOff = s.duration(v)
		}
	}
	for _, l := range lines {
		w := split(l)
		a := args(w)
		switch w[0] {
		case "service":
			sv := ops.Service{Name: w[1], Tier: a["tier"], Core: slices.Contains(w, "core"), Owner: a["owner"], Calls: list(a["calls"])}
			if slices.Contains(w, "orders") { // it measures how many orders come in
				sv.Indicators = []ops.Indicator{{Name: "orders_per_min", Expr: "orders", Good: ops.GoodHigher}}
			}
			cat.Services = append(cat.Services, sv)
		case "store":
			for _, id := range list(w[1]) {
				cat.Stores = append(cat.Stores, ops.Store{ID: id, City: a["city"], Network: a["network"]})
			}
		default:
			s.t.Fatalf("no such line of a catalog: %s", l)
		}
	}
	s.begin(cfg, cat)
}

// begin makes a new world at time 0.
func (s *scenario) begin(cfg engine.Config, cat *ops.Catalog) {
	if err := cat.Index(); err != nil {
		s.t.Fatal(err)
	}
	s.cfg, s.cat, s.now, s.rows, s.kept, s.latest = cfg, cat, midnight, rows{}, nil, map[string]ops.Incident{}
	s.e = engine.New(cfg, cat, engine.Hooks{})
}

// step lets something happen at s.now and prints the events of incidents and silences.
func (s *scenario) step(in engine.Input) engine.Outputs {
	out := s.e.Step(in, s.now)
	s.rows.write(out.Mutation())
	for _, inc := range out.Changed {
		s.latest[inc.ID] = inc
	}
	for _, ev := range out.Events {
		var d struct {
			Text  string
			Quiet bool
		}
		if err := json.Unmarshal(ev.Data, &d); err != nil {
			s.t.Fatal(err)
		}
		if ev.Topic == "incidents" && !d.Quiet {
			fmt.Fprintf(&s.out, "%s %s %s: %s\n", s.now.Sub(midnight), ev.Subject, strings.TrimPrefix(ev.Name, "incident."), d.Text)
		}
		if strings.HasPrefix(ev.Name, "silence.") {
			fmt.Fprintf(&s.out, "%s %s: %s\n", s.now.Sub(midnight), ev.Name, d.Text)
		}
	}
	for _, r := range out.Rejected {
		fmt.Fprintf(&s.out, "rejected %d: %s\n", r.Index, r.Reason)
	}
	if out.Err != nil {
		fmt.Fprintf(&s.out, "error: %s\n", out.Err)
	}
	return out
}

// until lets time pass, second by second, like the service's own loop.
func (s *scenario) until(at time.Time) {
	for s.now.Add(time.Second).Before(at) {
		s.now = s.now.Add(time.Second)
		s.measure()
		s.step(engine.Tick{})
	}
	s.now = at
	s.measure()
}

// measure takes the samples that are due every five seconds.
func (s *scenario) measure() {
	for _, k := range s.kept {
		if s.now.Sub(midnight)%(5*time.Second) == 0 && k.words[2] != "gap" {
			s.sample(k.words[0], k.words[1], k.words[2], k.args)
		}
	}
}

// keep says what is measured from now on, of all series that it names.
func (s *scenario) keep(w []string, a map[string]string) {
	for _, store := range strings.Split(a["store"], ",") {
		for _, unit := range strings.Split(a["unit"], ",") {
			one := kept{w, map[string]string{"store": store, "unit": unit, "caller": a["caller"]}}
			s.kept = slices.DeleteFunc(s.kept, func(k kept) bool {
				return k.words[0] == w[0] && k.words[1] == w[1] && k.args["store"] == store && k.args["unit"] == unit && k.args["caller"] == a["caller"]
			})
			s.kept = append(s.kept, one)
		}
	}
}

func (s *scenario) command(w []string) {
	switch w[0] {
	case "show":
		inc := s.latest[w[1]]
		if len(w) > 2 {
			inc.Suspects = nil
		}
		s.show(inc)
		return
	case "signs":
		s.signs(s.latest[w[1]])
		return
	case "work":
		s.work(s.latest[w[1]])
		return
	}
	s.until(midnight.Add(s.duration(strings.TrimPrefix(w[0], "@"))))
	a := args(w[2:])
	who := ops.Principal{Name: a["by"], Role: ops.Responder}
	switch do := w[1]; do {
	case "restart":
		s.e = engine.New(s.cfg, s.cat, engine.Hooks{})
		s.e.Restore(s.rows.saved(s.t), s.now)
	case "split", "unlink":
		s.step(engine.Action{Do: do, Who: who, ID: w[2], Note: a["note"], Title: a["title"], Alerts: s.fingerprints(w[2], a["alerts"])})
	case "tick":
		s.step(engine.Tick{})
	case "firing", "resolved":
		s.alert(do, a, slices.Contains(w, "with"))
	case "change":
		s.change(w[2], a)
	case "stage":
		n, _ := strconv.Atoi(w[3])
		s.step(engine.Stage{ChangeID: w[2], Stage: n, State: w[4], Units: list(a["units"]), Replaces: list(a["replaces"]), Stores: list(a["stores"]), At: ops.At(s.now)})
	case "keep":
		s.keep(w[2:5], a)
	case "sample":
		s.sample(w[2], w[3], w[4], a)
	case "declare":
		s.step(engine.Declare{Who: who, Declaration: ops.Declaration{Title: a["title"], Severity: ops.Severity(a["severity"]), Scope: ops.Scope{Service: list(a["service"]), Store: list(a["store"])}}})
	case "silence":
		sil := ops.Silence{EndsAt: ops.At(s.now.Add(s.duration(a["for"]))), Comment: a["note"]}
		for _, k := range []string{"alertname", "service", "store"} {
			if a[k] != "" {
				sil.Matchers = append(sil.Matchers, ops.Matcher{Name: k, Value: a[k], IsEqual: true, IsRegex: strings.ContainsAny(a[k], ".*")})
			}
		}
		s.silence = s.step(engine.PutSilence{Who: who, Silence: sil}).Silence.ID
	case "expire":
		s.step(engine.ExpireSilence{Who: who, ID: s.silence})
	case "confirm", "reject":
		s.step(engine.Action{Do: "judge", Who: who, ID: w[2], Change: w[3], Confirmed: do == "confirm", Note: a["note"]})
	case "task_add", "task_change", "cause", "update", "attach", "detach":
		s.step(s.workOf(do, who, w[2], a))
	default:
		s.step(engine.Action{Do: do, Who: who, ID: w[2], Note: a["note"], Severity: ops.Severity(a["severity"]), Role: a["role"], Person: a["person"], Into: a["into"]})
	}
}

func (s *scenario) alert(status string, a map[string]string, with bool) {
	al := ops.Alert{Status: ops.AlertStatus(status), Labels: map[string]string{}, Annotations: map[string]string{}, EndsAt: ops.At(s.now.Add(time.Hour))}
	for k, v := range a {
		switch k {
		case "summary":
			al.Annotations[k] = v
		case "began":
			al.StartsAt = ops.At(midnight.Add(s.duration(v)))
		case "lease":
			al.EndsAt = ops.At(s.now.Add(s.duration(v)))
		case "started":
			al.StartsAt = ops.At(s.now.Add(s.duration(v)))
		default:
			al.Labels[k] = v
		}
	}
	if status == "resolved" {
		al.EndsAt = ops.At(s.now)
	}
	s.batch = append(s.batch, al)
	if with {
		return
	}
	s.step(engine.Alerts{Source: "rules", Alerts: s.batch})
	s.batch = nil
}

// fingerprints finds alerts of an incident by their summaries, parted by semicolons.
func (s *scenario) fingerprints(id, summaries string) []string {
	var out []string
	for _, name := range strings.Split(summaries, ";") {
		fp := name
		for _, a := range s.latest[id].Alerts {
			if a.Summary() == name {
				fp = a.Fingerprint
			}
		}
		out = append(out, fp)
	}
	return out
}

func (s *scenario) change(id string, a map[string]string) {
	c := ops.Change{
		ID: id, Kind: ops.ChangeKind(a["kind"]), Title: a["title"], Service: a["service"], Risk: a["risk"], Status: ops.ChangeStarted,
		Scope: ops.Scope{Store: list(a["store"]), City: list(a["city"]), Kind: list(a["device"])}, CreatedAt: ops.At(s.now),
	}
	if old, known := s.e.Change(id); known {
		c = *old
	}
	if a["status"] != "" {
		c.Status = ops.ChangeStatus(a["status"])
	}
	if c.Status == ops.ChangeRolledBack {
		c.FinishedAt = ops.At(s.now)
	}
	s.step(engine.Change{Change: c})
}

func (s *scenario) sample(service, indicator, value string, a map[string]string) {
	v, err := strconv.ParseFloat(value, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	from, every, slope := s.now, time.Second, 0.0
	if a["from"] != "" {
		from, every = midnight.Add(s.duration(a["from"])), s.duration(a["every"])
	}
	if a["to"] != "" {
		to, err := strconv.ParseFloat(a["to"], 64)
		if err != nil {
			s.t.Fatal(err)
		}
		slope = (to - v) / s.now.Sub(from).Seconds()
	}
	var samples []ops.Sample
	for at := from; !at.After(s.now); at = at.Add(every) {
		for _, store := range strings.Split(a["store"], ",") {
			for _, unit := range strings.Split(a["unit"], ",") {
				samples = append(samples, ops.Sample{At: ops.At(at), Indicator: indicator, Service: service, Caller: a["caller"], Unit: unit, Store: store, Value: v + slope*at.Sub(from).Seconds()})
			}
		}
	}
	s.step(engine.Samples{Samples: samples})
}

func (s *scenario) show(inc ops.Incident) {
	fmt.Fprintf(&s.out, "%s %s %s: %s\n  scope: %s\n  because: %s\n", inc.ID, inc.Severity, inc.State, inc.Title, inc.Scope, inc.SeverityEvidence)
	for _, l := range []struct {
		name string
		leg  ops.Leg
	}{{"detect", inc.Clock.Detect}, {"locate", inc.Clock.Locate}, {"recover", inc.Clock.Recover}} {
		met := "-"
		if l.leg.Met != nil {
			met = strconv.FormatBool(*l.leg.Met)
		}
		fmt.Fprintf(&s.out, "  %s: %gs of %gs, running %v, met %s, %s\n", l.name, l.leg.ElapsedS, l.leg.TargetS, l.leg.Running, met, l.leg.StoppedBy)
	}
	for _, a := range inc.Alerts {
		hidden := map[bool]string{true: " (silenced)"}[a.Silenced != ""]
		for _, by := range inc.Alerts {
			if by.Fingerprint == a.InhibitedBy {
				hidden += " (hidden by: " + by.Summary() + ")"
			}
		}
		fmt.Fprintf(&s.out, "  %s %s: %s%s\n", a.Status, a.Summary(), a.Reason, hidden)
	}
	for _, sus := range inc.Suspects {
		fmt.Fprintf(&s.out, "  %d. %s %.0f%% %s\n", sus.Rank, sus.ChangeID, 100*sus.Probability, sus.Verdict)
		for _, e := range slices.Concat(sus.Reasons, sus.Against) {
			fmt.Fprintf(&s.out, "     %+.1f %s: %s\n", e.Weight, e.Term, e.Text)
		}
	}
	if len(inc.Suspects) > 0 {
		fmt.Fprintf(&s.out, "  no change: %.0f%%\n", 100*inc.NoChange)
	}
}

func (s *scenario) signs(inc ops.Incident) {
	fmt.Fprintf(&s.out, "onset %s: %s\n", inc.OnsetAt.Sub(midnight), inc.OnsetFrom)
	for _, g := range inc.Signs {
		fmt.Fprintf(&s.out, "  %s since %s: %s\n", g.State, g.Since.Sub(midnight), g.Text)
	}
	fmt.Fprintf(&s.out, "  impact: %+g orders a minute; %s\n", inc.Impact.OrdersPerMin, inc.Impact.Evidence)
}

package fleet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"goc/ops"
)

func of(v float64) *float64 { return &v }

func printer(n int) ops.Heartbeat {
	return ops.Heartbeat{Store: "SH-001", Device: fmt.Sprint("printer-", n), Kind: "printer"}
}

func paper(v float64) ops.Heartbeat {
	h := printer(1)
	h.Paper = &v
	return h
}

func (f *fixture) printer() ops.Device {
	f.t.Helper()
	d, err := f.Service.Device(f.t.Context(), "SH-001", "printer-1")
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

func TestAReadingBeyondItsLimitMakesADeviceDegradedAndSaysWhy(t *testing.T) {
	f := newFixture(t, Config{})
	for _, c := range []struct {
		paper float64
		want  ops.DeviceState
		why   string
	}{
		{0.8, ops.Online, ""},
		{0.05, ops.Online, ""},
		{0.03, ops.Degraded, "paper 3 % is below 5 %"},
		{0.051, ops.Degraded, "paper 5.1 % is not yet back at 10 %"},
		{0.0999, ops.Degraded, "paper 9.99 % is not yet back at 10 %"},
		{0.1, ops.Online, ""},
		{0.0999, ops.Online, ""},
	} {
		f.beat(paper(c.paper))
		d := f.printer()
		if d.State != c.want || strings.Join(d.Why, "; ") != c.why || d.Paper == nil || *d.Paper != c.paper {
			t.Errorf("with %v of its paper it is %s because of %q and shows %v, want %s, %q", c.paper, d.State, d.Why, d.Paper, c.want, c.why)
		}
	}
	if n := f.j.count(); n != 3 {
		t.Errorf("%d events, want one for the device and one for each change", n)
	}
}

func TestWhatADeviceSaysOfItselfAndItsReadingsAreBothWhy(t *testing.T) {
	f := newFixture(t, Config{})
	h := paper(0.5)
	h.Status, h.Temperature, h.Battery = "fault", of(71.5), of(0.1)
	f.beat(h)
	d := f.printer()
	want := []string{"it says so itself: fault", "battery 10 % is below 15 %", "temperature 71.5 °C is above 70 °C"}
	if !slices.Equal(d.Why, want) || len(d.Readings) != 3 || !d.Readings[1].Beyond || *d.Readings[1].High != 70 || d.Readings[1].Low != nil {
		t.Errorf("why is %q, readings %+v", d.Why, d.Readings)
	}
	h.Status, h.Temperature, h.Battery = "", of(68.1), of(0.25)
	f.beat(h)
	if d := f.printer(); !slices.Equal(d.Why, []string{"temperature 68.1 °C is not yet back at 68 °C"}) {
		t.Errorf("why is %q", d.Why)
	}
}

func TestALimitWithATimeWaitsForIt(t *testing.T) {
	f := newFixture(t, Config{})
	queue := func(n float64, want ops.DeviceState) {
		t.Helper()
		h := printer(1)
		h.Queue = &n
		f.beat(h)
		f.want("SH-001", "printer-1", want)
		f.pass(20 * time.Second)
	}
	for range 14 { // 4:40
		queue(13, ops.Online)
	}
	queue(12, ops.Online) // it begins anew
	for range 15 {
		queue(13, ops.Online)
	}
	queue(13, ops.Degraded)
	queue(11, ops.Degraded)
	queue(10, ops.Online)
}

func TestAReadingThatIsNoLongerSentIsForgotten(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(paper(0.01))
	for range 45 { // 15 min
		f.pass(20 * time.Second)
		f.beat(printer(1))
		f.want("SH-001", "printer-1", ops.Degraded)
	}
	f.pass(20 * time.Second)
	f.beat(printer(1))
	if d := f.printer(); d.State != ops.Online || d.Readings != nil || d.Paper != nil {
		t.Errorf("it is %s with %+v", d.State, d.Readings)
	}
	f.beat(paper(0.01)) // in the place of the one that was given back
	f.want("SH-001", "printer-1", ops.Degraded)
	if n := f.shards[shardOf("SH-001")].gauge.all.n; n != 1 {
		t.Errorf("%d tracks were made for one reading", n)
	}
}

func TestWhatMadeADeviceDegradedOutlivesARestart(t *testing.T) {
	f := newFixture(t, Config{})
	h := paper(0.03)
	h.Temperature = of(-18.5)
	f.beat(h)
	h.Paper = of(0.07)
	f.beat(h)
	f.restart(Config{})
	f.pass(tick)
	d := f.printer()
	if d.State != ops.Degraded || !slices.Equal(d.Why, []string{"paper 3 % is below 5 %"}) || *d.Temperature != -18.5 || len(d.Readings[0].History) != 1 {
		t.Errorf("it is %s because of %q with %+v", d.State, d.Why, d.Readings)
	}
	f.beat(paper(0.07)) // still not well: that it was beyond is known
	f.want("SH-001", "printer-1", ops.Degraded)
	f.beat(paper(0.5))
	f.want("SH-001", "printer-1", ops.Online)
}

func TestALimitThatChangesIsJudgedAtOnce(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(paper(0.2))
	for _, c := range []struct {
		low  float64
		want ops.DeviceState
	}{{0.3, ops.Degraded}, {0.1, ops.Online}} {
		cat := catalog(t)
		cat.DeviceKinds[2].Telemetry.Paper.Low = &c.low
		if err := f.Reload(cat); err != nil {
			t.Fatal(err)
		}
		f.pass(2 * tick)
		f.want("SH-001", "printer-1", c.want)
	}
}

func TestTheHistoryIsShortAndInOrder(t *testing.T) {
	f := newFixture(t, Config{})
	var want []ops.ReadingPoint
	for i := range 60 {
		v := float64(100-i) / 100
		if i%3 == 0 { // each 20 s; a point a minute
			want = append(want, ops.ReadingPoint{At: ops.At(f.c.t), Value: v})
		}
		f.beat(paper(v))
		f.c.t = f.c.t.Add(20 * time.Second)
	}
	d := f.printer()
	if diff := cmp.Diff(want[len(want)-16:], d.Readings[0].History); diff != "" || d.Readings[0].Value != 0.41 {
		t.Errorf("now %v, history (-want +got):\n%s", d.Readings[0].Value, diff)
	}
	f.c.t = f.c.t.Add(20 * time.Hour)
	f.beat(paper(1))
	if h := f.printer().Readings[0].History; len(h) != 1 || !h[0].At.Equal(f.c.t) {
		t.Errorf("after 20 hours its history is %+v", h)
	}
}

func TestDevicesWithoutReadingsHaveNoTracks(t *testing.T) {
	f := newFixture(t, Config{})
	h := pos("SH-001", 1)
	h.Battery = of(0.01) // its kind has no limit for it
	f.beat(h)
	if d, _ := f.Service.Device(t.Context(), "SH-001", "pos-01"); d.State != ops.Online || *d.Battery != 0.01 || d.Readings != nil {
		t.Errorf("it is %+v", d)
	}
	h.Battery = nil
	f.beat(h)
	if d, _ := f.Service.Device(t.Context(), "SH-001", "pos-01"); d.Battery != nil {
		t.Errorf("it still has a battery of %v", *d.Battery)
	}
	if sh := &f.shards[shardOf("SH-001")]; sh.gauge.all.n != 0 || sh.gauge.of.n != 0 {
		t.Error("it has a track")
	}
}

func TestARetiredDeviceGivesItsTracksBack(t *testing.T) {
	f := newFixture(t, Config{})
	f.beat(paper(0.01))
	if err := f.retire("SH-001", "printer-1"); err != nil {
		t.Fatal(err)
	}
	f.beat(paper(0.01)) // it knows nothing of it
	other := printer(2)
	other.Queue = of(1)
	f.beat(other)
	if sh := &f.shards[shardOf("SH-001")]; sh.gauge.all.n != 1 || f.printer().Readings != nil {
		t.Errorf("%d tracks, %+v", sh.gauge.all.n, f.printer())
	}
}

func TestABeatWithAReadingThatCannotBeIsRefused(t *testing.T) {
	for body, want := range map[string]string{
		`{"store":"s","device":"d","battery":1.1}`:          badBattery,
		`{"store":"s","device":"d","temperature":300.1}`:    badDegrees,
		`{"store":"s","device":"d","temperature":"warm"}`:   "temperature must be a number",
		`{"store":"s","device":"d","paper":-0.01}`:          badPaper,
		`{"store":"s","device":"d","queue":1e9}`:            badQueue,
		`{"store":"s","device":"d","queue":-1}`:             badQueue,
		`{"store":"s","device":"d","queue":[1]}`:            "queue must be a number",
		`{"store":"s","device":"d","queue":null,"paper":1}`: "",
	} {
		beats, _, rejected, err := Decode([]byte(body))
		if err != nil || want == "" && len(beats) != 1 || want != "" && (len(rejected) != 1 || rejected[0].Reason != want) {
			t.Errorf("%s: %v, %v, %v, want %q", body, beats, rejected, err, want)
		}
	}
}

func TestNumbersAreReadAsTheyAre(t *testing.T) {
	beats, _, _, err := Decode([]byte(`[{"store":"s","device":"d","temperature":-18.25,"paper":0.0301,"queue":7},{"store":"s","device":"d","temperature":7e1,"paper":1,"queue":10000}]`))
	if err != nil || len(beats) != 2 {
		t.Fatal(beats, err)
	}
	for i, want := range [][3]float64{{-18.25, 0.0301, 7}, {70, 1, 10000}} {
		if b := beats[i]; *b.Temperature != want[0] || *b.Paper != want[1] || *b.Queue != want[2] {
			t.Errorf("beat %d has %v, %v, %v, want %v", i, *b.Temperature, *b.Paper, *b.Queue, want)
		}
	}
}

// The quick way of reading a number gives what the library does, or leaves it alone.
func TestAQuickNumberIsTheLibrarysNumber(t *testing.T) {
	quick := func(text string) (float64, bool, int) {
		d := decoder{reader: reader{b: []byte(text + "}")}}
		v, ok := d.decimal()
		return v, ok, d.i
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := strconv.FormatFloat(rapid.Float64Range(-1e6, 1e6).Draw(rt, "v"), 'f', rapid.IntRange(-1, 9).Draw(rt, "digits"), 64)
		want, _ := strconv.ParseFloat(text, 64)
		if v, ok, end := quick(text); ok && (v != want || end != len(text)) || !ok && len(text) < 15 {
			rt.Fatalf("%s is read as %v, %v up to %d", text, v, ok, end)
		}
	})
	for _, text := range []string{"", "-", "01", "-00.5", ".5", "1.", "1e3", "1.5E3", "null", "0.1234567890123456", "99999999999999999999"} {
		if v, ok, end := quick(text); ok || end != 0 {
			t.Errorf("%q is read as %v up to %d", text, v, end)
		}
	}
}

// What a reading costs is documented.
func TestATrackIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(track{}); n != 88 {
		t.Errorf("a track has %d bytes, the documents say 88", n)
	}
}

// Whatever comes and goes, a device is degraded just when one of its readings is beyond its limit, and no track is lost.
func TestTracksAreWhatANaiveModelComesTo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t, Config{})
		type key struct {
			device, reading int
		}
		low := []float64{0.15, -1000, 0.05, -1000}
		back := []float64{0.25, -1000, 0.10, -1000}
		beyond, at, retired := map[key]bool{}, map[key]time.Time{}, map[int]bool{}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			d := rapid.IntRange(1, 4).Draw(rt, "device")
			h := printer(d)
			if rapid.IntRange(0, 15).Draw(rt, "what") == 0 {
				f.beat(h)
				f.retire(h.Store, h.Device)
				retired[d] = true
				for g := range readings {
					delete(beyond, key{d, g})
					delete(at, key{d, g})
				}
			}
			for g, to := range []**float64{&h.Battery, nil, &h.Paper} {
				k := key{d, g}
				if to == nil || !rapid.Bool().Draw(rt, "said") {
					continue
				}
				v := float64(rapid.IntRange(0, 30).Draw(rt, "value")) / 100
				*to = &v
				if !retired[d] {
					beyond[k], at[k] = v < low[g] || beyond[k] && v < back[g], f.c.t
				}
			}
			f.beat(h)
			for g := range readings {
				if k := (key{d, g}); f.c.t.Sub(at[k]) > 15*time.Minute {
					delete(beyond, k)
					delete(at, k)
				}
			}
			dev, _ := f.Service.Device(t.Context(), h.Store, h.Device)
			unwell, n := false, 0
			for g := range readings {
				unwell = unwell || beyond[key{d, g}]
				if _, ok := at[key{d, g}]; ok {
					n++
				}
			}
			if len(dev.Readings) != n || !retired[d] && (dev.State == ops.Degraded) != unwell {
				rt.Fatalf("%s is %s with %+v, want %d readings, unwell %v", dev.ID, dev.State, dev.Readings, n, unwell)
			}
			f.pass(time.Duration(rapid.SampledFrom([]int{1, 20, 400}).Draw(rt, "s")) * time.Second)
		}
		p, free := &f.shards[shardOf("SH-001")].gauge, 0
		for i := p.free; i != 0; i = p.all.at(i - 1).next {
			free++
		}
		if int(p.all.n) != free+len(at) {
			rt.Fatalf("%d tracks, %d free and %d used", p.all.n, free, len(at))
		}
	})
}

// Whatever was said before, after a crash the same readings are beyond their limits, and the device is degraded or not as
// before.
func TestACrashChangesNothingOfWhatIsBeyondItsLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t, Config{})
		beyondNow := func() string {
			var out []string
			for _, r := range f.printer().Readings {
				if r.Beyond {
					out = append(out, r.Name)
				}
			}
			return fmt.Sprint(f.printer().State, out)
		}
		for range rapid.IntRange(1, 20).Draw(rt, "beats") {
			h := printer(1)
			h.Status = rapid.SampledFrom([]string{"ok", "fault"}).Draw(rt, "status")
			for g, to := range []**float64{&h.Battery, &h.Temperature, &h.Paper} {
				if rapid.Bool().Draw(rt, "said") {
					v := rapid.Float64Range(0, 0.3).Draw(rt, "value")
					if g == 1 {
						v = 60 + 50*v
					}
					*to = &v
				}
			}
			f.beat(h)
			if rapid.IntRange(0, 3).Draw(rt, "what") == 0 {
				before := beyondNow()
				f.restart(Config{})
				f.pass(tick)
				if after := beyondNow(); after != before {
					rt.Fatalf("it was %s, and is %s after a crash", before, after)
				}
			}
			f.pass(time.Duration(rapid.IntRange(1, 5).Draw(rt, "s")) * time.Second)
		}
	})
}

func TestReadingsAreAggregatedByCityAndKind(t *testing.T) {
	f := newFixture(t, Config{})
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(collector{f.Service})
	for i, v := range []float64{0.02, 0.5, 0.98} {
		h := printer(i)
		h.Paper = &v
		f.beat(h)
	}
	gone := printer(9)
	gone.Paper = of(0)
	f.beat(gone)
	f.retire("SH-001", "printer-9")
	want := `# HELP goc_fleet_telemetry What devices that are alive tell, by city, kind and reading: the least, the mean and the greatest.
# TYPE goc_fleet_telemetry gauge
goc_fleet_telemetry{city="Shanghai",kind="printer",reading="paper",stat="avg"} 0.5
goc_fleet_telemetry{city="Shanghai",kind="printer",reading="paper",stat="max"} 0.98
goc_fleet_telemetry{city="Shanghai",kind="printer",reading="paper",stat="min"} 0.02
# HELP goc_fleet_telemetry_devices Devices that are alive and tell a reading, by city, kind and reading: those within its limit, or that have none, and those beyond.
# TYPE goc_fleet_telemetry_devices gauge
goc_fleet_telemetry_devices{city="Shanghai",kind="printer",limit="beyond",reading="paper"} 1
goc_fleet_telemetry_devices{city="Shanghai",kind="printer",limit="within",reading="paper"} 2
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "goc_fleet_telemetry", "goc_fleet_telemetry_devices"); err != nil {
		t.Error(err)
	}
	f.pass(2 * time.Minute) // what was said long ago says nothing of now
	if n, _ := testutil.GatherAndCount(reg, "goc_fleet_telemetry"); n != 0 {
		t.Errorf("%d series of devices that are offline", n)
	}
}

// BenchmarkReadings says what a device with readings costs: one beat with three of them, its memory, and a scrape.
func BenchmarkReadings(b *testing.B) {
	c := &clock{start}
	s, err := New(b.Context(), Options{Catalog: catalog(b), Journal: &discard{}, Now: c.now})
	if err != nil {
		b.Fatal(err)
	}
	const devices = 100_000
	batches := make([][]beat, devices/1000)
	for i := range batches {
		for d := range 1000 {
			h := ops.Heartbeat{Store: fmt.Sprintf("ST-%05d", i*10+d/100), Device: fmt.Sprintf("dev-%02d", d%100), Kind: "printer", Paper: of(0.5), Temperature: of(40), Queue: of(1)}
			batches[i] = append(batches[i], beatOf(&h, d))
		}
	}
	b.Run("a beat with three readings", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if i%len(batches) == 0 {
				c.t = c.t.Add(20 * time.Second)
			}
			s.receive(b.Context(), ops.System, batches[i%len(batches)])
		}
		b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/1000, "ns/beat")
		bytes := 0
		for i := range s.shards {
			bytes += len(s.shards[i].gauge.all.chunks)*chunkLen*int(unsafe.Sizeof(track{})) + len(s.shards[i].gauge.of.chunks)*chunkLen*4
		}
		b.ReportMetric(float64(bytes)/devices, "B/device")
	})
	b.Run("a scrape", func(b *testing.B) {
		for b.Loop() {
			s.measured()
		}
		b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/devices/3, "ns/reading")
	})
}

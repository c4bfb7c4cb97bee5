package simulate

import (
	"slices"
	"testing"
	"time"
)

func TestThePowerCutIsDarkAndComesBackAtOnceOnNewConnections(t *testing.T) {
	s, sum, err := drive(t, Options{Devices: 2000, PerStore: 50, For: 8 * time.Minute, Scenarios: []string{"power-cut"}, Share: 0.1}, nil)
	if err != nil || sum.Broken != 0 {
		t.Fatal(sum, err)
	}
	conns := map[string]bool{}
	for _, store := range []int{0, 3} { // two of the twenty cities are cut, with two stores each
		back := 0
		for _, h := range s.of(store) {
			if h.at >= 2*time.Minute && h.at < 4*time.Minute {
				t.Fatalf("a dark device beat at %s", h.at)
			}
			if h.at == 4*time.Minute {
				back++
				conns[h.conn] = true
			}
		}
		if back < 50 {
			t.Errorf("%d of store %d were back at once", back, store)
		}
	}
	if len(conns) < 6 {
		t.Errorf("six gateways of two stores came back over %d connections", len(conns))
	}
	if n := len(s.of(4)); n != 16*50 {
		t.Errorf("a store that had power beat %d times", n)
	}
}

func TestFirmwareTellsOnceAndFallsSilentUntilTheOldOneIsBack(t *testing.T) {
	s, _, err := drive(t, Options{Devices: 1000, PerStore: 50, For: 20 * time.Minute, Scenarios: []string{"firmware"}, Share: 0.5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]time.Duration{}
	for _, h := range s.beats {
		id := h.Store + "/" + h.Device
		at, gone := told[id]
		switch {
		case h.Firmware == freshFirmware && (gone || h.Kind != "pos" || h.at < 5*time.Minute || h.at > 10*time.Minute+30*time.Second):
			t.Fatalf("%s tells the new firmware at %s; before at %s", id, h.at, at)
		case h.Firmware == freshFirmware:
			told[id] = h.at
		case gone && h.at < 15*time.Minute:
			t.Fatalf("%s is silent from %s, and beat at %s", id, at, h.at)
		}
	}
	if len(told) < 40 || len(told) > 160 || len(told)%10 != 0 { // ten POS in each of about half of twenty stores
		t.Errorf("%d devices told the new firmware", len(told))
	}
}

func TestLinksFlapOnTheirOwnRhythm(t *testing.T) {
	s, _, err := drive(t, Options{Devices: 1000, PerStore: 50, For: 12 * time.Minute, Scenarios: []string{"flapping"}, Share: 0.5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	flapped := 0
	for store := range 20 {
		switch n := len(s.of(store)); n {
		case 24 * 50:
		case 12 * 50:
			flapped++
		default:
			t.Errorf("store %d beat %d times", store, n)
		}
	}
	if flapped < 4 || flapped > 16 {
		t.Errorf("%d of 20 links flapped", flapped)
	}
}

func TestClocksRunWrong(t *testing.T) {
	s, _, err := drive(t, Options{Devices: 5000, For: 30 * time.Second, Scenarios: []string{"clock-skew"}, Share: 0.2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	off := map[time.Duration]int{}
	for _, h := range s.beats {
		off[h.At.Sub(s.start.Add(h.at)).Round(time.Minute)]++
	}
	for skew, want := range map[time.Duration]int{0: 4000, 10 * time.Minute: 480, -2 * time.Hour: 500, -10 * 365 * 24 * time.Hour: 20} {
		if n := off[skew]; n < want*3/5 || n > want*8/5 {
			t.Errorf("%d clocks are %s off, expected about %d", n, skew, want)
		}
	}
}

func TestTheHerdBringsWhatItHadToKeepTheOldestFirst(t *testing.T) {
	s, _, err := drive(t, Options{Devices: 200, PerStore: 50, For: 8 * time.Minute, Scenarios: []string{"herd"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	brought := map[string][]time.Duration{}
	for _, h := range s.beats {
		if h.at >= 3*time.Minute && h.at < 4*time.Minute {
			t.Fatalf("a beat at %s, while the server was lost", h.at)
		}
		if h.at == 4*time.Minute {
			id := h.Store + "/" + h.Device
			brought[id] = append(brought[id], h.At.Sub(s.start).Round(time.Second))
		}
	}
	if len(brought) != 200 {
		t.Errorf("%d devices came back", len(brought))
	}
	for id, ages := range brought {
		if !slices.Equal(ages[:3], []time.Duration{3 * time.Minute, 210 * time.Second, 4 * time.Minute}) {
			t.Fatalf("%s brought %v", id, ages)
		}
	}
}

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"goc/collectors/fleet"
	"goc/ops"
	"goc/storage"
)

func rss() string {
	b, _ := os.ReadFile("/proc/self/status")
	for _, l := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(l, "VmRSS") || strings.HasPrefix(l, "RssAnon") {
			fmt.Print(l, " ")
		}
	}
	return ""
}

func TestZZRestart(t *testing.T) {
	dir := os.Getenv("ZZ")
	if dir == "" {
		t.Skip()
	}
	cat := &ops.Catalog{}
	if err := cat.Index(); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		rss()
		st, err := storage.Open(t.Context(), storage.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		s, err := fleet.New(t.Context(), fleet.Options{Catalog: cat, Journal: st})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("load took", time.Since(began))
		rss()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println("heap", m.HeapAlloc>>20, "sys", m.Sys>>20, "GCs", m.NumGC)
		rss()
		if round == 0 {
			began = time.Now()
			for i := range 1000 {
				var batch []ops.Heartbeat
				for d := range 1000 {
					batch = append(batch, ops.Heartbeat{Store: fmt.Sprintf("ST-%05d", i*10+d/100), Device: fmt.Sprintf("dev-%02d", d%100), Kind: []string{"pos", "scale", "scanner", "label"}[d%4], Model: "X", Firmware: fmt.Sprint("4.", d%5)})
				}
				if n, _, err := s.Receive(t.Context(), ops.System, batch); n != 1000 || err != nil {
					t.Fatal(n, err)
				}
			}
			fmt.Println("enrol took", time.Since(began))
			rss()
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"time"
)

// A collection marks all that is live, and has a quarter of the processors while it does. With a small state that is soon
// over. With a large one (100,000 changes on record) a gate check that comes meanwhile waits for milliseconds, which at the
// usual pace is what its p99 shows. So where the machine has memory to spare, a large heap is collected less often.
const (
	smallHeap = 128 << 20 // live bytes up to which the heap may double, as is usual
	largeHeap = 256 << 20 // from which it may grow to five times what is live
	heapShare = 8         // but to no more than one part in so many of the machine's memory
	paceEvery = 5 * time.Second
)

// heapGrowth is by how many percent of what is live the heap may grow before it is collected.
func heapGrowth(live, machine uint64) int {
	const usual, most = 100, 400
	if live <= smallHeap {
		return usual
	}
	percent := usual + (most-usual)*int(min(live, largeHeap)-smallHeap)/(largeHeap-smallHeap)
	room := int64(machine/heapShare) - int64(live)
	return max(usual, min(percent, int(room*100/int64(live))))
}

// paceCollector keeps the collector's pace until ctx ends, unless the environment says GOGC or GOMEMLIMIT.
func paceCollector(ctx context.Context) error {
	machine := machineMemory(os.ReadFile)
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" || machine == 0 {
		<-ctx.Done()
		return nil
	}
	every := time.NewTicker(paceEvery)
	defer every.Stop()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for was := 100; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		metrics.Read(sample)
		if now := heapGrowth(sample[0].Value.Uint64(), machine); now-was > 10 || was-now > 10 {
			debug.SetGCPercent(now)
			was = now
		}
	}
}

// machineMemory is how much memory there is for us: the machine's, or what its control group may have; 0 when unknown.
func machineMemory(read func(string) ([]byte, error)) uint64 {
	var total uint64
	if b, err := read("/proc/meminfo"); err == nil {
		if f := bytes.Fields(b); len(f) > 1 && string(f[0]) == "MemTotal:" {
			kb, _ := strconv.ParseUint(string(f[1]), 10, 54)
			total = kb << 10
		}
	}
	if b, err := read("/sys/fs/cgroup/memory.max"); err == nil {
		if group, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64); err == nil && (total == 0 || group < total) {
			total = group
		}
	}
	return total
}

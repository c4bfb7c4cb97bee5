package main

import (
	"errors"
	"testing"
)

func TestALargeHeapIsCollectedLessOftenWhereThereIsMemory(t *testing.T) {
	for name, c := range map[string]struct {
		live, machine uint64
		want          int
	}{
		"a small state":                      {40 << 20, 24 << 30, 100},
		"between":                            {192 << 20, 24 << 30, 250},
		"a large state":                      {300 << 20, 24 << 30, 400},
		"a large state on a middling one":    {300 << 20, 8 << 30, 241},
		"a large state on a small machine":   {300 << 20, 2 << 30, 100},
		"more live than the share of it all": {4 << 30, 24 << 30, 100},
	} {
		if got := heapGrowth(c.live, c.machine); got != c.want {
			t.Errorf("%s: %d %%, want %d", name, got, c.want)
		}
	}
}

func TestTheMemoryIsTheMachinesOrItsGroups(t *testing.T) {
	files := func(meminfo, group string) func(string) ([]byte, error) {
		return func(name string) ([]byte, error) {
			text := map[string]string{"/proc/meminfo": meminfo, "/sys/fs/cgroup/memory.max": group}[name]
			if text == "" {
				return nil, errors.New("there is none")
			}
			return []byte(text), nil
		}
	}
	const info = "MemTotal:       24684148 kB\nMemFree: 1 kB\n"
	for name, c := range map[string]struct {
		info, group string
		want        uint64
	}{
		"a machine":              {info, "", 24684148 << 10},
		"a group without bound":  {info, "max\n", 24684148 << 10},
		"a group with a bound":   {info, "1073741824\n", 1 << 30},
		"a group larger than it": {info, "999999999999\n", 24684148 << 10},
		"neither":                {"", "", 0},
	} {
		if got := machineMemory(files(c.info, c.group)); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

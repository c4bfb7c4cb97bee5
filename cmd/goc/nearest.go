package main

import (
	"reflect"
	"strings"
)

// keysByType lists the YAML keys of every struct type that can be reached from v, by the type's name as yaml says it.
func keysByType(v any) map[string][]string {
	out := map[string][]string{}
	collectKeys(reflect.TypeOf(v), out)
	return out
}

func collectKeys(t reflect.Type, out map[string][]string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t.Kind() == reflect.Array {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	if _, seen := out[t.String()]; seen {
		return
	}
	out[t.String()] = []string{}
	for f := range t.Fields() {
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		collectKeys(f.Type, out)
		switch {
		case opts == "inline":
			out[t.String()] = append(out[t.String()], out[f.Type.String()]...)
		case name != "":
			out[t.String()] = append(out[t.String()], name)
		}
	}
}

// nearest finds the known key that is closest to a misspelt one: at most a third of its letters, or two, differ.
func nearest(key string, known []string) string {
	best, bestDist := "", max(2, len(key)/3)+1
	for _, k := range known {
		if d := editDistance(strings.ToLower(key), k); d < bestDist {
			best, bestDist = k, d
		}
	}
	return best
}

// editDistance is Levenshtein's: how many letters must be put in, taken out or changed.
func editDistance(a, b string) int {
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		cur := make([]int, len(b)+1)
		cur[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			cur[j+1] = min(prev[j+1]+1, cur[j]+1, prev[j]+cost)
		}
		prev = cur
	}
	return prev[len(b)]
}

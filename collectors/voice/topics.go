package voice

import (
	"context"
	"math"
	"sort"
	"time"

	"goc/ops"
)

const maxSamples = 3

// Topics answers the topics of the last 24 hours, the loudest now first: the count of the last ten minutes and its
// rate, the rate of normal over the 24 hours before that, the stores, and up to three of the latest texts.
func (s *Service) Topics(context.Context) ([]ops.Topic, error) {
	now := s.now()
	s.mu.RLock()
	defer s.mu.RUnlock()
	byName := map[string]*ops.Topic{}
	before := map[string]int{}
	minutes := s.eachVoice(now, func(v *ops.Voice, recent bool) {
		t := byName[v.Topic]
		if t == nil {
			t = &ops.Topic{Name: v.Topic, Stores: map[string]int{}}
			byName[v.Topic] = t
		}
		if !recent {
			before[v.Topic]++
			return
		}
		t.Count++
		if v.Store != "" {
			t.Stores[v.Store]++
		}
		t.Samples = append(t.Samples, v.Text)
		if len(t.Samples) > maxSamples {
			t.Samples = t.Samples[1:]
		}
	})
	out := make([]ops.Topic, 0, len(byName))
	for name, t := range byName {
		t.PerMin = float64(t.Count) / window.Minutes()
		t.NormalPerMin = float64(before[name]) / minutes
		out = append(out, *t)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Count != out[j].Count {
			return out[i].Count > out[j].Count
		}
		return out[i].Name < out[j].Name
	})
	return out, nil
}

// Above says how many more voices the scope has had in the last ten minutes than is normal for it; 0 when not more. A
// voice that does not say its service is taken for those of its topic, if the topic lists any.
func (s *Service) Above(scope ops.Scope) int {
	now := s.now()
	s.mu.RLock()
	defer s.mu.RUnlock()
	in := s.filter(scope)
	recent, before := 0, 0
	minutes := s.eachVoice(now, func(v *ops.Voice, isRecent bool) {
		switch {
		case !in(v):
		case isRecent:
			recent++
		default:
			before++
		}
	})
	normal := float64(before) / minutes * window.Minutes()
	return max(0, int(math.Round(float64(recent)-normal)))
}

// filter says which voices are in a scope: by place through the catalog, and by service.
func (s *Service) filter(scope ops.Scope) func(*ops.Voice) bool {
	var stores map[string]bool
	if len(scope.Store)+len(scope.City)+len(scope.Region) > 0 {
		stores = map[string]bool{}
		for _, id := range append(s.catalog.StoresIn(scope), scope.Store...) {
			stores[id] = true
		}
	}
	services := map[string]bool{}
	for _, name := range scope.Service {
		services[name] = true
	}
	of := map[string][]string{}
	for _, t := range s.topics {
		of[t.Name] = t.Services
	}
	return func(v *ops.Voice) bool {
		if stores != nil && v.Store != "" && !stores[v.Store] {
			return false
		}
		about := of[v.Topic]
		if v.Service != "" {
			about = []string{v.Service}
		}
		for _, name := range about {
			if services[name] {
				return true
			}
		}
		return len(services) == 0 || len(about) == 0
	}
}

// eachVoice calls fn for every voice of the last ten minutes (recent) and of the 24 hours before, and returns over how
// many minutes those before were gathered: since the first that is known, but an hour at least.
func (s *Service) eachVoice(now time.Time, fn func(v *ops.Voice, recent bool)) (minutes float64) {
	edge := now.Add(-window)
	first := edge
	for i := range s.batches {
		for j := range s.batches[i].said {
			v := &s.batches[i].said[j]
			switch {
			case v.At.After(now) || now.Sub(v.At.Time) > keep:
			case v.At.After(edge):
				fn(v, true)
			default:
				fn(v, false)
				if v.At.Before(first) {
					first = v.At.Time
				}
			}
		}
	}
	return min(max(edge.Sub(first), learned), history).Minutes()
}

package incidents

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"goc/ops"
)

// line is one series of an indicator, wherever it came from.
type line struct {
	service, store, unit string
	times                []float64 // Unix seconds
	values               []float64
}

// maxPoints bounds one series of a chart.
const maxPoints = 400

// lines reads an indicator of services between two times: from memory, else, where that has nothing, from the metrics.
func (s *Service) lines(ctx context.Context, indicator string, services []string, from, to time.Time) []line {
	out := s.remembered(indicator, services, from, to)
	if len(out) > 0 || s.querier == nil || len(services) == 0 {
		return out
	}
	expr := fmt.Sprintf(`goc_indicator{indicator=%q,service=~%q}`, indicator, strings.Join(services, "|"))
	curves, err := s.querier.QueryRange(ctx, expr, from, to, stepOf(from, to))
	if err != nil {
		s.log.Warn("a curve could not be read from the metrics", "indicator", indicator, "err", err)
		return nil
	}
	for _, c := range curves {
		l := line{service: c.Labels["service"], store: c.Labels["store"], unit: c.Labels["unit"], values: c.Values}
		for _, t := range c.Times {
			l.times = append(l.times, float64(t.UnixMilli())/1000)
		}
		out = append(out, l)
	}
	return out
}

// remembered copies the series out of the engine's memory.
func (s *Service) remembered(indicator string, services []string, from, to time.Time) []line {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []line
	for _, name := range services {
		for _, se := range s.engine.Samples().OfService(name) {
			if se.Indicator != indicator {
				continue
			}
			l := line{service: name, store: se.Store, unit: se.Unit}
			for _, p := range se.Between(from, to) {
				l.times, l.values = append(l.times, float64(p.At)/1000), append(l.values, p.Value)
			}
			if len(l.times) > 0 {
				out = append(out, l)
			}
		}
	}
	return out
}

// stepOf is the width of one point of a chart.
func stepOf(from, to time.Time) time.Duration {
	return max(time.Second, (to.Sub(from)/maxPoints + time.Second - 1).Truncate(time.Second))
}

// firstSample is when the lines begin, where that is after from: a chart has no use for time of which nothing is known.
func firstSample(lines []line, from, to time.Time) time.Time {
	first := to
	for _, l := range lines {
		if len(l.times) > 0 {
			if t := time.UnixMilli(int64(l.times[0] * 1000)); t.Before(first) {
				first = t
			}
		}
	}
	if first.After(from) && first.Before(to) {
		return first
	}
	return from
}

// fold makes one series of lines: a counted indicator is summed over them, any other averaged. A point without any
// sample is null. Every line counts once in a point, however often it was sampled.
func fold(name, indicator string, lines []line, from, to time.Time) ops.Series {
	step := stepOf(from, to).Seconds()
	start := math.Floor(float64(from.Unix())/step) * step
	n := min(maxPoints+2, int((float64(to.Unix())-start)/step)+1)
	sums, counts := make([]float64, n), make([]float64, n)
	for _, l := range lines {
		own, seen := make([]float64, n), make([]float64, n)
		for i, t := range l.times {
			if at := int((t - start) / step); at >= 0 && at < n {
				own[at] += l.values[i]
				seen[at]++
			}
		}
		for i := range own {
			if seen[i] > 0 {
				sums[i] += own[i] / seen[i]
				counts[i]++
			}
		}
	}
	out := ops.Series{Name: name, Times: make([]float64, n), Values: make([]*float64, n)}
	for i := range sums {
		out.Times[i] = start + float64(i)*step
		if counts[i] == 0 {
			continue
		}
		v := sums[i]
		if !counted(indicator) {
			v /= counts[i]
		}
		out.Values[i] = &v
	}
	return out
}

// counted says whether an indicator adds up over stores and units.
func counted(indicator string) bool {
	return strings.HasSuffix(indicator, "_per_min") || strings.HasSuffix(indicator, "_per_s") || strings.HasSuffix(indicator, "_total")
}

// unitOf is the unit in which an indicator is drawn.
func unitOf(indicator string) string {
	switch {
	case strings.HasSuffix(indicator, "_ratio"):
		return "ratio"
	case strings.HasSuffix(indicator, "_seconds"):
		return "s"
	case strings.HasSuffix(indicator, "_per_min"):
		return "1/min"
	case strings.HasSuffix(indicator, "_per_s"):
		return "1/s"
	}
	return ""
}

// marksOf are the moves of changes between two times, oldest first.
func marksOf(changes []*ops.Change, from, to time.Time) []ops.Mark {
	marks := []ops.Mark{}
	for _, c := range changes {
		moves := []time.Time{c.StartedAt.Time}
		for _, st := range c.Stages {
			moves = append(moves, st.StartedAt.Time)
		}
		slices.SortFunc(moves, time.Time.Compare)
		for i, at := range moves {
			if at.Before(from) || at.After(to) || i > 0 && at.Sub(moves[i-1]) < time.Second {
				continue
			}
			marks = append(marks, ops.Mark{At: ops.At(at), Kind: "change", Label: c.ID + " " + cmp.Or(c.Service, c.Title), ChangeID: c.ID})
		}
	}
	sortMarks(marks)
	return marks
}

func sortMarks(marks []ops.Mark) {
	slices.SortStableFunc(marks, func(a, b ops.Mark) int { return a.At.Compare(b.At.Time) })
}

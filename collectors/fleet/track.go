package fleet

import (
	"slices"
	"strconv"
	"strings"

	"goc/ops"
)

// tracks are the readings of a shard's devices: 88 bytes for each that a device sends, and 4 bytes a row once one does.
// Devices that send none have none. Nothing of it holds a pointer.
type tracks struct {
	of   slab[uint32] // by row: its first track plus one
	all  slab[track]
	free uint32 // the first that nobody has plus one
}

// track is one reading of one device. Times are Unix seconds.
type track struct {
	at      uint32 // of the value
	laid    uint32 // of the newest point
	since   uint32 // since when it has been outside of its limit, 0 when it is not
	row     uint32
	next    uint32 // the next track of the row plus one; of a free one the next that is free
	value   int16
	reading uint8 // with isBeyond; noReading when it is free
	ring    uint8 // the newest point, and above it how many there are less one
	values  [trackPoints]int16
	gaps    [trackPoints]uint16 // s from the point before
}

const (
	trackPoints = 16
	pointGap    = 60 // s from one point to the next at least
	isBeyond    = 1 << 7
	noReading   = isBeyond - 1
	maxPointGap = 1<<16 - 1

	// staleReading is how long a device that beats may leave a reading out before it is forgotten, if that is longer than
	// four beats. In s.
	staleReading = 15 * 60
)

func (t *track) which() uint8 { return t.reading &^ isBeyond }

func (t *track) beyond() bool { return t.reading&isBeyond != 0 }

// find returns a row's track of a reading, nil when it has none.
func (p *tracks) find(row uint32, reading uint8) *track {
	if row >= p.of.n {
		return nil
	}
	for i := *p.of.at(row); i != 0; {
		t := p.all.at(i - 1)
		if t.which() == reading {
			return t
		}
		i = t.next
	}
	return nil
}

// addTrack gives a row a track of a reading that it has none of, with its first value.
func (s *shard) addTrack(row uint32, reading uint8, v int16, now int64) *track {
	p := &s.gauge
	for p.of.n <= row {
		p.of.add(0, s)
	}
	i := p.free
	if i != 0 {
		p.free = p.all.at(i - 1).next
	} else {
		i = p.all.add(track{}, s) + 1
	}
	t, first := p.all.at(i-1), p.of.at(row)
	*t = track{row: row, reading: reading, next: *first, value: v, at: uint32(now), laid: uint32(now)}
	t.values[0] = v
	*first = i
	s.rows.at(row).flags |= gauged
	return t
}

// drop frees the tracks of a row for which gone says so.
func (s *shard) drop(row uint32, gone func(*track) bool) {
	if row >= s.gauge.of.n {
		return
	}
	at := s.gauge.of.at(row)
	for *at != 0 {
		i := *at
		t := s.gauge.all.at(i - 1)
		if !gone(t) {
			at = &t.next
			continue
		}
		*at = t.next
		*t = track{reading: noReading, next: s.gauge.free}
		s.gauge.free = i
	}
	if *s.gauge.of.at(row) == 0 {
		s.rows.at(row).flags &^= gauged
	}
}

// dropTracks forgets all readings of a row.
func (s *shard) dropTracks(row uint32) {
	s.drop(row, func(*track) bool { return true })
}

// put takes a value, and judges it.
func (t *track) put(v int16, l *limit, now int64) {
	t.value, t.at = v, uint32(now)
	if gap := now - int64(t.laid); gap >= pointGap {
		t.lay(v, gap)
		t.laid = uint32(now)
	}
	t.judge(l, now)
}

// lay adds a point to the history. After a gap that cannot be said it begins anew.
func (t *track) lay(v int16, gap int64) {
	newest, n := t.ring%trackPoints, t.ring/trackPoints
	newest = (newest + 1) % trackPoints
	if n = min(n+1, trackPoints-1); gap > maxPointGap {
		n, gap = 0, 0
	}
	t.values[newest], t.gaps[newest] = v, uint16(gap)
	t.ring = n*trackPoints + newest
}

// judge sets whether the value is beyond its limit, and says whether that is news.
func (t *track) judge(l *limit, now int64) (news bool) {
	was := t.beyond()
	is, since := l.judge(t.value, was, int64(t.since), now)
	t.since, t.reading = uint32(since), t.which()
	if is {
		t.reading |= isBeyond
	}
	return is != was
}

// history lists the points, the oldest first.
func (t *track) history() []ops.ReadingPoint {
	n := int(t.ring/trackPoints) + 1
	out := make([]ops.ReadingPoint, n)
	at, i := int64(t.laid), t.ring%trackPoints
	for k := n - 1; k >= 0; k-- {
		out[k] = ops.ReadingPoint{At: when(at * 1000), Value: gauges[t.which()].value(t.values[i])}
		at -= int64(t.gaps[i])
		i = (i + trackPoints - 1) % trackPoints
	}
	return out
}

// measure takes the readings of a beat that is the newest of its device. The battery alone is kept in the row, unless
// the catalog names it for the kind.
func (t *turn) measure(id uint32, r *row, b *beat) {
	r.battery = noBattery
	if b.said&(1<<battery) != 0 {
		r.battery = uint16(b.gauges[battery])
	}
	m := &t.makes[t.sh.cells.at(r.cell).mk]
	if !m.limits.names(battery) {
		b.said &^= 1 << battery
	}
	if b.said == 0 && r.flags&gauged == 0 || r.state == ops.Retired {
		return
	}
	was, now := t.sh.beyondOf(id), t.now/1000
	for g := range uint8(readings) {
		if b.said&(1<<g) != 0 {
			t.sh.take(id, g, b.gauges[g], m.limits.of(g), now)
		}
	}
	stale := now - max(staleReading, 4*m.interval/1000)
	if t.s.ready/1000 < stale {
		t.sh.drop(id, func(tr *track) bool { return int64(tr.at) < stale })
	}
	if t.sh.beyondOf(id) != was {
		t.batch.add(t.sh, change{id: id, from: r.state, facts: true})
	}
}

// take puts a value into a row's track, which is made if need be.
func (s *shard) take(row uint32, reading uint8, v int16, l *limit, now int64) {
	tr := s.gauge.find(row, reading)
	if tr == nil {
		tr = s.addTrack(row, reading, v, now)
	}
	tr.put(v, l, now)
}

// beyondOf has a bit for each reading of a row that is beyond its limit.
func (s *shard) beyondOf(row uint32) (bits uint8) {
	if row >= s.gauge.of.n {
		return 0
	}
	for i := *s.gauge.of.at(row); i != 0; {
		t := s.gauge.all.at(i - 1)
		if t.beyond() {
			bits |= 1 << t.which()
		}
		i = t.next
	}
	return bits
}

// rejudge holds every reading against limits that may be others than before. Whoever calls it looks at every row after.
func (s *shard) rejudge(makes []mk, now int64) {
	for i := range s.gauge.all.n {
		tr := s.gauge.all.at(i)
		if tr.which() == noReading {
			continue
		}
		r := s.rows.at(tr.row)
		tr.judge(makes[s.cells.at(r.cell).mk].limits.of(tr.which()), now)
	}
}

// readingsOf lists the readings of a row as the outside sees them, and what is wrong with them.
func (s *shard) readingsOf(row uint32, l *limits) (out []ops.Reading, why []string) {
	for g := range uint8(readings) {
		tr := s.gauge.find(row, g)
		if tr == nil {
			continue
		}
		rd := ops.Reading{
			Name: gauges[g].name, Value: gauges[g].value(tr.value), At: when(int64(tr.at) * 1000),
			Beyond: tr.beyond(), History: tr.history(),
		}
		if lim := l.of(g); lim != nil {
			rd.Low, rd.High = gauges[g].bound(lim.low), gauges[g].bound(lim.high)
			if rd.Beyond {
				why = append(why, lim.why(g, tr.value))
			}
		}
		out = append(out, rd)
	}
	return out, why
}

// bound is a limit as the outside sees it, nil where there is none.
func (g *gauge) bound(kept int16) *float64 {
	if kept == noLow || kept == noHigh {
		return nil
	}
	v := g.value(kept)
	return &v
}

// appendReadings writes what a row's record says of its readings. The battery stands there already, unless the last beat
// left it out.
func (s *shard) appendReadings(b []byte, row uint32) []byte {
	for g := range uint8(readings) {
		if tr := s.gauge.find(row, g); tr != nil && (g != battery || s.rows.at(row).battery == noBattery) {
			b = append(append(append(b, `,"`...), gauges[g].name...), `":`...)
			b = strconv.AppendFloat(b, gauges[g].value(tr.value), 'f', -1, 64)
		}
	}
	var names []string
	for g, bits := 0, s.beyondOf(row); g < readings; g++ {
		if bits&(1<<g) != 0 {
			names = append(names, gauges[g].name)
		}
	}
	return appendText(b, `,"beyond":`, strings.Join(names, ","))
}

// restoreReadings takes the readings of a record. Their history is not on disk; what was beyond its limit is still, unless
// the limit is another by now.
func (t *turn) restoreReadings(id uint32, d *record) {
	sh := t.sh
	lim := t.makes[sh.cells.at(sh.rows.at(id).cell).mk].limits
	for g, v := range [readings]*float64{d.Battery, d.Temperature, d.Paper, d.Queue} {
		if v == nil || g == battery && !lim.names(battery) {
			continue
		}
		tr := sh.addTrack(id, uint8(g), gauges[g].kept(min(max(*v, gauges[g].min), gauges[g].max)), d.Seen/1000)
		if slices.Contains(strings.Split(d.Beyond, ","), gauges[g].name) {
			tr.reading |= isBeyond
		}
		tr.judge(lim.of(uint8(g)), t.s.ready/1000)
	}
}

// liveTracks calls fn with every reading of a device that is alive.
func (s *shard) liveTracks(fn func(t *track, r *row)) {
	for i := range s.gauge.all.n {
		t := s.gauge.all.at(i)
		if t.which() == noReading {
			continue
		}
		if r := s.rows.at(t.row); r.state == ops.Online || r.state == ops.Degraded {
			fn(t, r)
		}
	}
}

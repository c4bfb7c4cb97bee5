package fleet

import (
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // stores have time zones on machines that have none

	"goc/ops"
)

// hours are a store's opening hours, the same on all days. The zero value is always open.
type hours struct {
	from, to int // minutes after midnight; to is beyond 24 h when the store closes after midnight
	zone     *time.Location
}

// parseHours reads "08:00-22:00" or "18:00-02:00" in a time zone (empty: UTC); "" and "00:00-24:00" are always open.
func parseHours(text, zone string) (hours, error) {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return hours{}, ops.Errorf(ops.Invalid, "is no time zone that this machine knows").At("timezone").WithHint("write it like Asia/Shanghai")
	}
	if text == "" {
		return hours{}, nil
	}
	a, b, _ := strings.Cut(text, "-")
	from, ok1 := parseClock(a)
	to, ok2 := parseClock(b)
	if !ok1 || !ok2 || from == to || from == 24*60 {
		return hours{}, ops.Errorf(ops.Invalid, "must be opening hours like 08:00-22:00").At("hours")
	}
	if from == 0 && to == 24*60 {
		return hours{}, nil
	}
	if to < from {
		to += 24 * 60
	}
	return hours{from: from, to: to, zone: loc}, nil
}

// parseClock reads 00:00 to 24:00 as minutes.
func parseClock(s string) (int, bool) {
	h, m, ok := strings.Cut(strings.TrimSpace(s), ":")
	hh, err1 := strconv.ParseUint(h, 10, 8)
	mm, err2 := strconv.ParseUint(m, 10, 8)
	if !ok || err1 != nil || err2 != nil || len(m) != 2 || mm > 59 || hh*60+mm > 24*60 {
		return 0, false
	}
	return int(hh*60 + mm), true
}

// at says whether the store is open at now, since when (or since when closed), and when that changes. Both times are
// zero for a store that never closes.
func (h hours) at(now time.Time) (open bool, since, until time.Time) {
	if h.zone == nil {
		return true, time.Time{}, time.Time{}
	}
	y, m, d := now.In(h.zone).Date()
	for day := d - 2; day <= d+2; day++ {
		from := time.Date(y, m, day, 0, h.from, 0, 0, h.zone)
		to := time.Date(y, m, day, 0, h.to, 0, 0, h.zone)
		if now.Before(from) {
			return false, since, from
		}
		if now.Before(to) {
			return true, from, to
		}
		since = to
	}
	return false, since, since.Add(24 * time.Hour) // not reached: one of five days lies ahead
}

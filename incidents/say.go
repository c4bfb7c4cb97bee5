package incidents

import (
	"fmt"
	"strings"
	"time"

	"goc/ops"
)

// tongue is a language that the program writes to people in.
type tongue string

const (
	english tongue = "en"
	chinese tongue = "zh"
)

// tongueOf reads a language; "" is English.
func tongueOf(lang string) (tongue, error) {
	switch lang {
	case "", "en":
		return english, nil
	case "zh":
		return chinese, nil
	}
	return "", ops.Errorf(ops.Invalid, "a language must be en or zh").At("query.lang")
}

// say is a sentence of the table with its facts filled in.
func (l tongue) say(key string, facts ...any) string { return fmt.Sprintf(sentences[l][key], facts...) }

// many counts things: 1 store, 37 stores, 37 家门店.
func (l tongue) many(n int, thing string) string {
	if l == english && n == 1 {
		return l.say("1 " + thing)
	}
	return l.say("n "+thing, n)
}

// list joins words as the language does: a, b and c.
func (l tongue) list(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], l.say("comma")) + l.say("and") + words[n-1]
	}
	return strings.Join(words, "")
}

// join joins what is longer than words.
func (l tongue) join(parts []string) string { return strings.Join(parts, l.say("semi")) }

// clock is the zone in which a story is told.
type clock struct{ *time.Location }

// at is a time of day, with the date when it is not that of now.
func (c clock) at(t ops.Time, now time.Time) string {
	day, form := t.In(c.Location).Format(time.DateOnly), "15:04"
	if day != now.In(c.Location).Format(time.DateOnly) {
		form = "2006-01-02 15:04"
	}
	return t.In(c.Location).Format(form) + " " + c.name(t)
}

// name is the zone as everybody reads it: UTC, UTC+8, UTC+5:30.
func (c clock) name(t ops.Time) string {
	_, off := t.In(c.Location).Zone()
	if off == 0 {
		return "UTC"
	}
	name := fmt.Sprintf("UTC%+d", off/3600)
	if m := max(off, -off) % 3600 / 60; m > 0 {
		name += fmt.Sprintf(":%02d", m)
	}
	return name
}

// span is a length of time to the minute: less than a minute, 12 minutes, 3 h 05 min.
func (l tongue) span(d time.Duration) string {
	m := int(d.Round(time.Minute) / time.Minute)
	switch {
	case d < time.Minute:
		return l.say("moments")
	case m < 60:
		return l.many(m, "minute")
	case m < 48*60:
		return l.say("hours", m/60, m%60)
	}
	return l.many(m/(24*60), "day")
}

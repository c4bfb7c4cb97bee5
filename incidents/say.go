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
		return l.say("1 "+thing, n)
	}
	return l.say("n "+thing, n)
}

// list joins words as the language does.
func (l tongue) list(words []string) string { return strings.Join(words, l.say("comma")) }

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

// at is a time of day in UTC, with the date when it is not that of now.
func (l tongue) at(t ops.Time, now time.Time) string {
	if t.UTC().Format(time.DateOnly) == now.UTC().Format(time.DateOnly) {
		return t.UTC().Format("15:04 UTC")
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

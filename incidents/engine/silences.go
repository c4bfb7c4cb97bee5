package engine

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"time"

	"goc/ops"
)

// Bounds of silences.
const (
	MaxSilences = 1_000
	MaxMatchers = 32
	MaxRegexp   = 1_024 // bytes
	// keepSilences is how long an expired silence stays listed.
	keepSilences = 24 * time.Hour
)

// silence is an ops.Silence with its matchers compiled.
type silence struct {
	ops.Silence
	match []*regexp.Regexp // nil where the matcher compares
	told  bool             // that it ended
}

// compile checks a silence. A regular expression is anchored at both ends and runs in linear time.
func compile(s ops.Silence) (*silence, error) {
	if len(s.Matchers) == 0 || len(s.Matchers) > MaxMatchers {
		return nil, ops.Errorf(ops.Invalid, "a silence needs 1 to %d matchers", MaxMatchers).At("body.matchers")
	}
	if !s.EndsAt.After(s.StartsAt.Time) {
		return nil, ops.Errorf(ops.Invalid, "a silence must end after it starts").At("body.endsAt")
	}
	out := &silence{Silence: s, match: make([]*regexp.Regexp, len(s.Matchers))}
	every := true
	for i, m := range s.Matchers {
		at := fmt.Sprintf("body.matchers[%d]", i)
		if m.Name == "" || len(m.Name) > ops.MaxLabelName || len(m.Value) > ops.MaxLabelValue {
			return nil, ops.Errorf(ops.Invalid, "a matcher's name must have 1 to %d bytes and its value at most %d", ops.MaxLabelName, ops.MaxLabelValue).At(at)
		}
		if m.IsRegex {
			if len(m.Value) > MaxRegexp {
				return nil, ops.Errorf(ops.TooLarge, "a regular expression may have at most %d bytes", MaxRegexp).At(at + ".value")
			}
			re, err := regexp.Compile("^(?:" + m.Value + ")$")
			if err != nil {
				return nil, ops.Errorf(ops.Invalid, "this is no regular expression").At(at + ".value")
			}
			out.match[i] = re
		}
		every = every && out.matches(i, "")
	}
	if every {
		return nil, ops.Errorf(ops.Invalid, "at least one matcher must not match the empty value").At("body.matchers").WithHint("such a silence would hide everything")
	}
	return out, nil
}

func (s *silence) matches(i int, value string) bool {
	m := s.Matchers[i]
	ok := value == m.Value
	if s.match[i] != nil {
		ok = s.match[i].MatchString(value)
	}
	return ok == m.IsEqual
}

func (s *silence) hides(labels map[string]string) bool {
	for i, m := range s.Matchers {
		if !s.matches(i, labels[m.Name]) {
			return false
		}
	}
	return true
}

// silencedBy is the id of the first silence, by id, that hides such labels at now; "" when none does.
func (e *Engine) silencedBy(labels map[string]string, now time.Time) string {
	best := ""
	for id, s := range e.silences {
		if (best == "" || id < best) && s.Active(now) && s.hides(labels) {
			best = id
		}
	}
	return best
}

// putSilence sets a silence. One that is changed in what it hides gets a new id and the old one expires, as in Alertmanager.
func (e *Engine) putSilence(in PutSilence, now time.Time) {
	s := in.Silence
	if s.StartsAt.IsZero() || s.StartsAt.Before(now) {
		s.StartsAt = ops.At(now)
	}
	s.UpdatedAt, s.CreatedBy = ops.At(now), cmp.Or(clip(s.CreatedBy, ops.MaxNameLength), in.Who.Name)
	s.Comment = clip(s.Comment, MaxNote)
	old := e.silences[s.ID]
	if s.ID != "" && old == nil {
		e.refuse(ops.Errorf(ops.NotFound, "there is no such silence").At("body.id"))
		return
	}
	compiled, err := compile(s)
	switch {
	case err != nil:
		e.refuse(err)
		return
	case !s.EndsAt.After(now):
		e.refuse(ops.Errorf(ops.Invalid, "a silence must end in the future").At("body.endsAt"))
		return
	case old == nil && len(e.silences) >= MaxSilences:
		e.refuse(ops.Errorf(ops.TooLarge, "%d silences are kept already, which is the most", MaxSilences))
		return
	}
	if old != nil && (!slices.Equal(old.Matchers, s.Matchers) || !old.EndsAt.After(now)) {
		e.endSilence(old, in.Who.Name, now)
		old = nil
	}
	if old == nil {
		compiled.ID = e.silenceID(s)
	} else {
		compiled.StartsAt = old.StartsAt
	}
	e.silences[compiled.ID] = compiled
	e.out.Put = append(e.out.Put, ops.Encode("silence", compiled.ID, compiled.Silence))
	e.tellSilence(compiled, "silence.added", in.Who.Name, fmt.Sprintf("%s silenced %s until %s: %s", compiled.CreatedBy, compiled.sentence(), compiled.EndsAt, compiled.Comment), now)
	e.out.Silence = compiled.Silence
	e.recheckSilences(now)
}

// silenceID is a UUID made of the silence and its place in the sequence, so that a replay gives the same.
func (e *Engine) silenceID(s ops.Silence) string {
	for n := len(e.silences); ; n++ {
		h := sha256.Sum256([]byte(fmt.Sprintf("%v/%s/%s/%d", s.Matchers, s.UpdatedAt, s.CreatedBy, n)))
		h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80 // version 8: of our own making
		id := fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
		if e.silences[id] == nil {
			return id
		}
	}
}

func (s *silence) sentence() string {
	out := ""
	for i, m := range s.Matchers {
		op := map[[2]bool]string{{false, true}: "=", {false, false}: "!=", {true, true}: "=~", {true, false}: "!~"}[[2]bool{m.IsRegex, m.IsEqual}]
		if i > 0 {
			out += ", "
		}
		out += m.Name + op + m.Value
	}
	return clip(out, 200)
}

func (e *Engine) expireSilence(in ExpireSilence, now time.Time) {
	s := e.silences[in.ID]
	if s == nil {
		e.refuse(ops.Errorf(ops.NotFound, "there is no such silence").At("path.id"))
		return
	}
	if s.EndsAt.After(now) {
		e.endSilence(s, in.Who.Name, now)
	}
	e.recheckSilences(now)
}

func (e *Engine) endSilence(s *silence, actor string, now time.Time) {
	s.EndsAt, s.UpdatedAt, s.told = ops.At(now), ops.At(now), true
	if s.StartsAt.After(now) {
		s.StartsAt = ops.At(now)
	}
	e.out.Put = append(e.out.Put, ops.Encode("silence", s.ID, s.Silence))
	e.tellSilence(s, "silence.expired", actor, "the silence of "+s.sentence()+" was ended", now)
}

func (e *Engine) tellSilence(s *silence, name, actor, text string, now time.Time) {
	e.out.SilencesChanged = true
	e.out.Events = append(e.out.Events, ops.NewEvent(ops.At(now), name, "alerts", s.ID, actor, map[string]any{"text": text, "silence": s.Silence}))
}

// sweepSilences tells of the silences that ended by themselves, forgets old ones, and looks again at what each hides.
func (e *Engine) sweepSilences(now time.Time) {
	if len(e.silences) == 0 {
		return
	}
	for _, id := range sortedKeys(e.silences) {
		s := e.silences[id]
		switch {
		case now.Sub(s.EndsAt.Time) > keepSilences:
			delete(e.silences, id)
			e.out.SilencesChanged = true
			e.out.Delete = append(e.out.Delete, ops.Record{Kind: "silence", ID: id})
		case !s.EndsAt.After(now) && !s.told:
			s.told = true
			e.tellSilence(s, "silence.expired", ops.System.Name, "the silence of "+s.sentence()+" ended", now)
		}
	}
	e.recheckSilences(now)
}

// recheckSilences marks what is hidden now, when other silences hold than the last time. An alert that comes out of a
// silence while it fires is placed then.
func (e *Engine) recheckSilences(now time.Time) {
	hold := e.silencesOf(now)
	if e.holding != nil && slices.Equal(hold, e.holding) {
		return
	}
	e.holding = hold
	changed := 0
	for _, fp := range sortedKeys(e.alerts) {
		a := e.alerts[fp]
		by := e.silencedBy(a.Labels, now)
		if by == a.Silenced {
			continue
		}
		if changed++; changed > maxPerStep {
			e.holding = nil // the rest follows with the next step
			return
		}
		a.Silenced = by
		e.touchAlert(a)
		if a.incident != nil {
			e.touch(a.incident)
		} else if by == "" {
			e.place(a, now)
		}
	}
}

// silencesOf lists the silences that hold at now, by id; never nil.
func (e *Engine) silencesOf(now time.Time) []string {
	out := []string{}
	for id, s := range e.silences {
		if s.Active(now) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// Silences lists the silences that are kept, by id.
func (e *Engine) Silences() []ops.Silence {
	out := make([]ops.Silence, 0, len(e.silences))
	for _, id := range sortedKeys(e.silences) {
		out = append(out, e.silences[id].Silence)
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

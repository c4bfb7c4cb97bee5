package intake

import (
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"time"

	"goc/ops"
)

const alertmanagerVersion = "0.28.0"

// amMatcher is a matcher as Alertmanager writes it; isEqual that is absent is true.
type amMatcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual *bool  `json:"isEqual"`
}

// amSilence is a silence as Alertmanager's clients send and expect it.
type amSilence struct {
	ID          string            `json:"id,omitempty"`
	Status      *silenceStatus    `json:"status,omitempty"`
	UpdatedAt   *ops.Time         `json:"updatedAt,omitempty"`
	Matchers    []amMatcher       `json:"matchers"`
	StartsAt    ops.Time          `json:"startsAt"`
	EndsAt      ops.Time          `json:"endsAt"`
	CreatedBy   string            `json:"createdBy"`
	Comment     string            `json:"comment"`
	Annotations map[string]string `json:"annotations"`
}

type silenceStatus struct {
	State string `json:"state"` // active, pending, expired
}

// stateOf is where a silence stands at now.
func stateOf(s ops.Silence, now time.Time) string {
	switch {
	case s.Active(now):
		return "active"
	case now.Before(s.StartsAt.Time):
		return "pending"
	}
	return "expired"
}

func gettableSilence(s ops.Silence, now time.Time) amSilence {
	g := amSilence{
		ID: s.ID, Status: &silenceStatus{stateOf(s, now)}, UpdatedAt: &s.UpdatedAt, Matchers: []amMatcher{}, StartsAt: s.StartsAt, EndsAt: s.EndsAt,
		CreatedBy: s.CreatedBy, Comment: s.Comment, Annotations: map[string]string{},
	}
	if s.UpdatedAt.IsZero() {
		g.UpdatedAt = &s.StartsAt
	}
	for _, m := range s.Matchers {
		g.Matchers = append(g.Matchers, amMatcher{Name: m.Name, Value: m.Value, IsRegex: m.IsRegex, IsEqual: &m.IsEqual})
	}
	return g
}

// parseSilence reads the body of POST /api/v2/silences.
func parseSilence(body []byte, now time.Time) (ops.Silence, error) {
	var p amSilence
	if err := json.Unmarshal(body, &p); err != nil {
		return ops.Silence{}, badJSON(err, "body")
	}
	s := ops.Silence{ID: p.ID, StartsAt: p.StartsAt, EndsAt: p.EndsAt, CreatedBy: p.CreatedBy, Comment: p.Comment}
	if s.StartsAt.IsZero() || s.StartsAt.Before(now) && s.ID == "" {
		s.StartsAt = ops.At(now)
	}
	switch {
	case len(p.Matchers) == 0 || len(p.Matchers) > maxFilters:
		return s, ops.Errorf(ops.Invalid, "must hold 1 to %d matchers", maxFilters).At("body.matchers")
	case !s.EndsAt.After(s.StartsAt.Time):
		return s, ops.Errorf(ops.Invalid, "a silence must end after it starts").At("body.endsAt")
	case !s.EndsAt.After(now):
		return s, ops.Errorf(ops.Invalid, "a silence must not end in the past").At("body.endsAt")
	case len(s.Comment) > ops.MaxAnnotation || len(s.CreatedBy) > ops.MaxNameLength:
		return s, ops.Errorf(ops.Invalid, "the comment or the author is too long").At("body.comment")
	}
	return s, addMatchers(&s, p.Matchers)
}

// addMatchers checks the matchers; one of them at least must not match what is absent, or it would silence everything.
func addMatchers(s *ops.Silence, matchers []amMatcher) error {
	narrow := false
	for _, m := range matchers {
		t, err := compile(ops.Matcher{Name: m.Name, Value: m.Value, IsRegex: m.IsRegex, IsEqual: m.IsEqual == nil || *m.IsEqual})
		if err != nil {
			return ops.Errorf(ops.Invalid, "%s", err).At("body.matchers")
		}
		narrow = narrow || !t.holds("")
		s.Matchers = append(s.Matchers, t.Matcher)
	}
	if !narrow {
		return ops.Errorf(ops.Invalid, "at least one matcher must not match the empty string").At("body.matchers")
	}
	return nil
}

// mayChange says whether a silence may be changed in place: the same matchers, not over, and its start only while it
// has not come. Otherwise the old one expires and a new one takes its place.
func mayChange(old, s ops.Silence, now time.Time) bool {
	if !slices.Equal(old.Matchers, s.Matchers) {
		return false
	}
	switch stateOf(old, now) {
	case "active":
		return s.StartsAt.Truncate(time.Millisecond).Equal(old.StartsAt.Truncate(time.Millisecond)) // as it goes over the wire
	case "pending":
		return !s.StartsAt.Before(now)
	}
	return false
}

func (s *Service) amPostSilence(w http.ResponseWriter, r *http.Request) {
	id, err := s.putSilence(w, r)
	if err != nil {
		s.amError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"silenceID": id})
}

func (s *Service) putSilence(w http.ResponseWriter, r *http.Request) (string, error) {
	body, err := readBody(w, r, MaxHookBody)
	if err != nil {
		return "", err
	}
	sil, err := parseSilence(body, s.now())
	if err != nil {
		return "", err
	}
	who := s.who(r)
	if sil.ID != "" {
		old, err := s.silence(r, sil.ID)
		if err != nil {
			return "", err
		}
		if !mayChange(old, sil, s.now()) {
			if stateOf(old, s.now()) != "expired" {
				if err := s.alerts.ExpireSilence(r.Context(), who, old.ID); err != nil {
					return "", err
				}
			}
			sil.ID, sil.StartsAt = "", later(sil.StartsAt, s.now())
		}
	}
	sil, err = s.alerts.PutSilence(r.Context(), who, sil)
	return sil.ID, err
}

func later(t ops.Time, now time.Time) ops.Time {
	if t.Before(now) {
		return ops.At(now)
	}
	return t
}

// silence finds one silence; NotFound when there is none.
func (s *Service) silence(r *http.Request, id string) (ops.Silence, error) {
	all, err := s.alerts.Silences(r.Context())
	if err != nil {
		return ops.Silence{}, err
	}
	for _, sil := range all {
		if sil.ID == id {
			return sil, nil
		}
	}
	return ops.Silence{}, ops.Errorf(ops.NotFound, "silence not found")
}

func (s *Service) amSilences(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	tests, err := parseFilters(q["filter"])
	want := map[string]bool{}
	for _, state := range []string{"active", "pending", "expired"} {
		if err == nil {
			want[state], err = flag(q.Get(state), state)
		}
	}
	var all []ops.Silence
	if err == nil {
		all, err = s.alerts.Silences(r.Context())
	}
	if err != nil {
		s.amError(w, err)
		return
	}
	out, now := []amSilence{}, s.now()
	for _, sil := range all {
		values := map[string]string{} // a silence is tested by its matchers' values, as Alertmanager does
		for _, m := range sil.Matchers {
			values[m.Name] = m.Value
		}
		if want[stateOf(sil, now)] && allHold(tests, values) {
			out = append(out, gettableSilence(sil, now))
		}
	}
	sortSilences(out)
	writeJSON(w, http.StatusOK, out)
}

// sortSilences puts the active ones first, those that end soonest before the others; then what is to come; then what
// is over, the latest first.
func sortSilences(list []amSilence) {
	rank := map[string]int{"active": 0, "pending": 1, "expired": 2}
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		switch ra, rb := rank[a.Status.State], rank[b.Status.State]; {
		case ra != rb:
			return ra < rb
		case ra == 1:
			return a.StartsAt.Before(b.StartsAt.Time)
		case ra == 2:
			return a.EndsAt.After(b.EndsAt.Time)
		}
		return a.EndsAt.Before(b.EndsAt.Time)
	})
}

func (s *Service) amSilence(w http.ResponseWriter, r *http.Request) {
	sil, err := s.silence(r, r.PathValue("id"))
	if err != nil {
		s.amError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, gettableSilence(sil, s.now()))
}

func (s *Service) amDeleteSilence(w http.ResponseWriter, r *http.Request) {
	sil, err := s.silence(r, r.PathValue("id"))
	if err == nil && stateOf(sil, s.now()) != "expired" {
		err = s.alerts.ExpireSilence(r.Context(), s.who(r), sil.ID)
	}
	if err != nil {
		s.amError(w, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

package incidents_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"goc/incidents/engine"
	"goc/incidents/suspects"
	"goc/ops"
)

// rows is what a journal holds: the bodies of records by kind and id.
type rows map[[2]string][]byte

func (r rows) write(m ops.Mutation) {
	for _, d := range m.Delete {
		delete(r, [2]string{d.Kind, d.ID})
	}
	for _, p := range m.Put {
		r[[2]string{p.Kind, p.ID}] = p.Body
	}
}

// saved reads back what an engine starts from, as the service does.
func (r rows) saved(t testing.TB) engine.Saved {
	t.Helper()
	saved, err := r.read()
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func (r rows) read() (saved engine.Saved, err error) {
	saved.Priors = suspects.Priors{}
	for k, body := range r {
		switch k[0] {
		case "incident":
			var s engine.Stored
			err = errors.Join(err, json.Unmarshal(body, &s))
			saved.Incidents = append(saved.Incidents, s)
		case "alert":
			a := engine.SavedAlert{ID: k[1]}
			err = errors.Join(err, json.Unmarshal(body, &a.StoredAlert))
			saved.Alerts = append(saved.Alerts, a)
		case "silence":
			var s ops.Silence
			err = errors.Join(err, json.Unmarshal(body, &s))
			saved.Silences = append(saved.Silences, s)
		case "prior":
			var c suspects.Count
			err = errors.Join(err, json.Unmarshal(body, &c))
			saved.Priors[ops.ChangeKind(k[1])] = c
		}
	}
	slices.SortFunc(saved.Alerts, func(a, b engine.SavedAlert) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(saved.Incidents, func(a, b engine.Stored) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(saved.Silences, func(a, b ops.Silence) int { return strings.Compare(a.ID, b.ID) })
	return saved, err
}

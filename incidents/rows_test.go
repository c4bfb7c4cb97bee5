package incidents_test

import (
	"encoding/json"
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
	saved := engine.Saved{Priors: suspects.Priors{}}
	decode := func(body []byte, v any) {
		if err := json.Unmarshal(body, v); err != nil {
			t.Fatal(err)
		}
	}
	for k, body := range r {
		switch k[0] {
		case "incident":
			var s engine.Stored
			decode(body, &s)
			saved.Incidents = append(saved.Incidents, s)
		case "alert":
			a := engine.SavedAlert{ID: k[1]}
			decode(body, &a.StoredAlert)
			saved.Alerts = append(saved.Alerts, a)
		case "silence":
			var s ops.Silence
			decode(body, &s)
			saved.Silences = append(saved.Silences, s)
		case "prior":
			var c suspects.Count
			decode(body, &c)
			saved.Priors[ops.ChangeKind(k[1])] = c
		}
	}
	slices.SortFunc(saved.Alerts, func(a, b engine.SavedAlert) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(saved.Incidents, func(a, b engine.Stored) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(saved.Silences, func(a, b ops.Silence) int { return strings.Compare(a.ID, b.ID) })
	return saved
}

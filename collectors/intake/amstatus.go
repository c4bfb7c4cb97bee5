package intake

import (
	"net/http"
	"runtime"

	"goc/ops"
)

// amConfig is what clients that ask for the configuration are shown: a valid one, with the only receiver there is.
const amConfig = "route:\n  receiver: goc\n  group_by: [alertname]\nreceivers:\n- name: goc\n"

func (s *Service) amStatus(w http.ResponseWriter, _ *http.Request) {
	type config struct {
		Original string `json:"original"`
	}
	type cluster struct {
		Name   string   `json:"name"`
		Status string   `json:"status"`
		Peers  []string `json:"peers"`
	}
	writeJSON(w, http.StatusOK, struct {
		Cluster     cluster           `json:"cluster"`
		VersionInfo map[string]string `json:"versionInfo"`
		Config      config            `json:"config"`
		Uptime      ops.Time          `json:"uptime"`
	}{
		cluster{Name: "goc", Status: "disabled", Peers: []string{}},
		map[string]string{"version": alertmanagerVersion, "revision": "goc", "branch": "goc", "buildUser": "goc", "buildDate": "", "goVersion": runtime.Version()},
		config{amConfig},
		ops.At(s.started),
	})
}

func (s *Service) amReceivers(w http.ResponseWriter, r *http.Request) {
	tests, err := parseFilters(r.URL.Query()["receiver_matchers"])
	if err != nil {
		s.amError(w, err)
		return
	}
	out := []receiver{}
	if allHold(tests, nil) { // our receiver has no labels
		out = append(out, us)
	}
	writeJSON(w, http.StatusOK, out)
}

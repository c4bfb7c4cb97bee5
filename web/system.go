package web

import (
	"net/http"
	"runtime"
	"strings"

	"goc/ops"
)

// Version is what runs here.
type Version struct {
	Version   string   `json:"version"`
	Go        string   `json:"go"`
	StartedAt ops.Time `json:"started_at"`
	Anonymous bool     `json:"anonymous"` // anyone on this machine is admin: no sign-in is needed
}

func (s *Server) version(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, Version{s.o.Version, runtime.Version(), ops.At(s.started), s.o.Config.Anonymous && local(r)})
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("OK\n"))
}

// readyz says 503 and what is missing while the server may not take traffic.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	var missing []string
	if err := s.o.Journal.Err(); err != nil {
		missing = append(missing, "the journal has stopped: "+err.Error())
	}
	if s.o.Ready != nil {
		missing = append(missing, s.o.Ready()...)
	}
	if len(missing) == 0 {
		s.healthz(w, r)
		return
	}
	p := refuse(http.StatusServiceUnavailable, "not ready: "+strings.Join(missing, "; "))
	for _, m := range missing {
		p.Errors = append(p.Errors, problemItem{"ready", m})
	}
	p.write(w)
}

// reload reads the configuration again. A bad one leaves the old one working and says why.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	if s.o.Reload == nil {
		refuse(http.StatusNotImplemented, "there is no configuration file to read again").write(w)
		return
	}
	if err := s.o.Reload(r.Context()); err != nil {
		p := refuse(http.StatusUnprocessableEntity, "the configuration was not taken over: "+err.Error()).hint("the one before goes on working")
		p.write(w)
		return
	}
	s.healthz(w, r)
}

func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/openapi+json")
	_, _ = w.Write(s.document)
}

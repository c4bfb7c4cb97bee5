package web

import (
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"goc/ops"
)

// historyTime bounds how long a client may take to read a history.
const historyTime = 10 * time.Minute

// getHistory sends what was recorded from ?from= to ?to=.
func (s *Server) getHistory(w http.ResponseWriter, r *http.Request) {
	var span [2]time.Time
	for i, name := range []string{"from", "to"} {
		at, err := ops.ParseTime(r.URL.Query().Get(name))
		if err != nil {
			s.fail(r, ops.Errorf(ops.Invalid, "%w", err).At("query."+name)).write(w)
			return
		}
		span[i] = at
	}
	h, err := s.o.Incidents.History(r.Context(), span[0], span[1])
	s.sendHistory(w, r, "history", h, err)
}

// getIncidentHistory sends what was recorded around an incident.
func (s *Server) getIncidentHistory(w http.ResponseWriter, r *http.Request) {
	h, err := s.o.Incidents.IncidentHistory(r.Context(), r.PathValue("id"))
	s.sendHistory(w, r, r.PathValue("id"), h, err)
}

// sendHistory sends a replay file. It is read from the disk while it is sent, so an error in the middle can only end it.
func (s *Server) sendHistory(w http.ResponseWriter, r *http.Request, name string, h io.WriterTo, err error) {
	if err != nil {
		s.fail(r, err).write(w)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(historyTime)) // not every writer has one
	w.Header().Set("Content-Type", "application/gzip")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.jsonl.gz"`)
	if _, err := h.WriteTo(w); err != nil && r.Context().Err() == nil {
		s.o.Logger.Error("a history was not sent whole", "err", err)
		panic(http.ErrAbortHandler) // so that the client sees that it ended too early
	}
}

// span documents ?from= and ?to=.
func span(op *huma.Operation) {
	for _, name := range []string{"from", "to"} {
		op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Schema: &huma.Schema{Type: huma.TypeString}, Description: "RFC 3339, Unix seconds or milliseconds; open when left out"})
	}
}

// replayFile documents an answer that is a replay file.
func replayFile(op *huma.Operation) {
	op.Responses["200"] = &huma.Response{
		Description: "gzip of JSON lines, for goc replay",
		Content:     map[string]*huma.MediaType{"application/gzip": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}
}

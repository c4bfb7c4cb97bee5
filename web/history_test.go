package web_test

import (
	"testing"

	"goc/ops"
)

func TestTheHistoryIsForCommandersAndComesAsAReplayFile(t *testing.T) {
	w := newWorld(t)
	w.must(201, w.do(ops.Responder, "POST", "/api/v1/incidents", `{"title":"cart fails"}`))
	for path, want := range map[string]int{
		"/api/v1/history":                    200,
		"/api/v1/history?from=1&to=2":        200,
		"/api/v1/history?from=yesterday":     422,
		"/api/v1/history?from=200&to=100":    422,
		"/api/v1/incidents/INC-1/history":    200,
		"/api/v1/incidents/INC-9999/history": 404,
	} {
		a := w.must(want, w.do(ops.Commander, "GET", path, ""))
		if want == 200 && (a.Header.Get("Content-Type") != "application/gzip" || string(a.body) != "gzip of lines") {
			t.Errorf("%s answered %s, %q", path, a.Header.Get("Content-Type"), a.body)
		}
		w.must(403, w.do(ops.Responder, "GET", path, ""))
	}
}

package intake

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"goc/ops"
)

// statusOfKind is what HTTP calls a kind of error.
var statusOfKind = map[ops.Kind]int{
	ops.Invalid: http.StatusBadRequest, ops.NotFound: http.StatusNotFound, ops.Conflict: http.StatusConflict,
	ops.Denied: http.StatusForbidden, ops.Unauthenticated: http.StatusUnauthorized,
	ops.Unavailable: http.StatusServiceUnavailable, ops.TooLarge: http.StatusRequestEntityTooLarge,
}

func codeOf(err error) int {
	if code, ok := statusOfKind[ops.KindOf(err)]; ok {
		return code
	}
	return http.StatusInternalServerError
}

// writeProblem writes an error as RFC 9457 has it, for a Service without Options.Problem.
func writeProblem(w http.ResponseWriter, _ *http.Request, err error) {
	type item struct {
		Location string `json:"location"`
		Message  string `json:"message"`
	}
	code := codeOf(err)
	p := struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail,omitempty"`
		Errors []item `json:"errors,omitempty"`
		Hint   string `json:"hint,omitempty"`
	}{Title: http.StatusText(code), Status: code}
	var e *ops.Error
	if errors.As(err, &e) {
		p.Detail, p.Hint = e.Message, e.Hint
		if e.Location != "" {
			p.Errors = []item{{e.Location, e.Message}}
		}
	}
	body, _ := json.Marshal(p)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	w.Write(body)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		code, body = http.StatusInternalServerError, []byte(`"the answer cannot be written as JSON"`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(body)
}

// readBody reads a body within its bound.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, ops.Errorf(ops.TooLarge, "may have at most %d bytes", limit).At("body")
	case err != nil:
		return nil, ops.Errorf(ops.Invalid, "could not be read to its end").At("body")
	}
	return body, nil
}

// badJSON says where a body is no JSON, or not of the right types; it never repeats what was sent.
func badJSON(err error, place string) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return ops.Errorf(ops.Invalid, "is not valid JSON at byte %d", syntax.Offset).At(place)
	case errors.As(err, &kind):
		if kind.Field != "" {
			place += "." + kind.Field
		}
		return ops.Errorf(ops.Invalid, "is a JSON %s, which does not fit here", kind.Value).At(place)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return ops.Errorf(ops.Invalid, "is not valid JSON: it ends too early").At(place)
	}
	var e *ops.Error
	if errors.As(err, &e) {
		return ops.Errorf(e.Kind, "%s", e.Message).At(place)
	}
	return ops.Errorf(ops.Invalid, "cannot be read").At(place)
}

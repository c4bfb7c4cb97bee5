package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"goc/ops"
)

// Bounds of a request's body, in bytes.
const (
	maxJSON       = 1 << 20  // of the native routes
	maxHeartbeats = 16 << 20 // as sent; the fleet room bounds what it unpacks to
	maxForeign    = 10 << 20 // of mounted routes: alerts and hooks
)

// jsonFormat is the only format of the native routes.
var jsonFormat = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal}

// unmarshal is json.Unmarshal with errors that say where, and never what stood there.
func unmarshal(data []byte, v any) error { return placed(data, json.Unmarshal(data, v)) }

// placed says a JSON error by its place.
func placed(data []byte, err error) error {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return malformed(data, syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return malformed(data, int64(len(data)))
	case errors.As(err, &typ):
		return ops.Errorf(ops.Invalid, "%s does not fit here", typ.Type.Kind()).At(strings.TrimSuffix("body."+typ.Field, "."))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return ops.Errorf(ops.Invalid, "there is no such field").At("body." + strings.Trim(name, `"`))
	}
	return err
}

// malformed says where data stops being JSON: line and column from 1, and the byte.
func malformed(data []byte, offset int64) error {
	before := data[:min(max(offset, 0), int64(len(data)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n') - 1
	msg := fmt.Sprintf("malformed JSON at line %d, column %d (byte %d)", line, max(column, 1), offset)
	p := refuse(http.StatusBadRequest, "body: "+msg)
	p.Errors = []problemItem{{"body", msg}}
	return p
}

// decodeStrict reads one JSON document into v and refuses unknown fields, as the validated routes do.
func decodeStrict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return placed(data, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return malformed(data, d.InputOffset())
	}
	return nil
}

// readBody reads the whole body, which the guard has bounded.
func readBody(r *http.Request) ([]byte, error) {
	b, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	if err != nil && !errors.As(err, &large) {
		return nil, refuse(http.StatusBadRequest, "the body ended before it was complete")
	}
	return b, err
}

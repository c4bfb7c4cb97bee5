package web

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"goc/ops"
)

// prefix stands before every native route.
const prefix = "/api/v1"

// newAPI makes the OpenAPI document's owner. It serves no pages of its own and adds nothing to bodies.
func newAPI(s *Server) huma.API {
	config := huma.Config{
		OpenAPI:       newDocument(s.o.Version),
		Formats:       map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{withoutValues},
	}
	config.FieldsOptionalByDefault = true // the rooms say what they need; a noun is sent back as it was read
	return huma.NewAPI(config, adapter{s})
}

// withoutValues turns huma's errors, which echo what was rejected, into problems, which do not.
func withoutValues(_ huma.Context, _ string, v any) (any, error) {
	if m, ok := v.(*huma.ErrorModel); ok {
		return problemOfModel(m), nil
	}
	return v, nil
}

// adapter puts huma's handlers behind the guard.
type adapter struct{ s *Server }

// Handle implements huma.Adapter.
func (a adapter) Handle(op *huma.Operation, h func(huma.Context)) {
	allowed, _ := op.Metadata["access"].(access)
	a.s.handle(op.Method+" "+op.Path, allowed, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ct := r.Header.Get("Content-Type"); strings.HasPrefix(ct, "application/x-www-form-urlencoded") {
			r.Header.Set("Content-Type", "application/json") // what curl -d says of JSON
		}
		h(humago.NewContext(op, r, w))
	}))
}

// ServeHTTP implements huma.Adapter.
func (a adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.s.mux.ServeHTTP(w, r) }

// handle puts a handler behind the guard and into the mux.
func (s *Server) handle(pattern string, a access, h http.Handler) {
	s.mux.Handle(pattern, s.guard(a, h))
}

// answer is what huma sends of a T.
type answer[T any] struct{ Body T }

// option changes an operation before it is registered.
type option func(*huma.Operation)

// created says that the answer is a new thing: 201.
func created(op *huma.Operation) { op.DefaultStatus = http.StatusCreated }

// get, post and del register a native route: roles that may, one line that says what it is, and a method of Server.
func get[I, T any](s *Server, path string, roles []ops.Role, summary string, h func(context.Context, *I) (T, error), o ...option) {
	register(s, http.MethodGet, path, roles, summary, h, o...)
}

func post[I, T any](s *Server, path string, roles []ops.Role, summary string, h func(context.Context, *I) (T, error), o ...option) {
	register(s, http.MethodPost, path, roles, summary, h, o...)
}

func register[I, T any](s *Server, method, path string, roles []ops.Role, summary string, h func(context.Context, *I) (T, error), o ...option) {
	op := s.operation(method, prefix+path, access{roles: roles}, summary)
	for _, apply := range o {
		apply(&op)
	}
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*answer[T], error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, s.failOperation(ctx, op.Path, err)
		}
		return &answer[T]{out}, nil
	})
}

// del registers a native route that takes something away: 204.
func del[I any](s *Server, path string, roles []ops.Role, summary string, h func(context.Context, *I) error) {
	op := s.operation(http.MethodDelete, prefix+path, access{roles: roles}, summary)
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*struct{}, error) {
		if err := h(ctx, in); err != nil {
			return nil, s.failOperation(ctx, op.Path, err)
		}
		return nil, nil
	})
}

// plain registers a route whose handler reads and writes by itself. The document says of it what doc adds.
func (s *Server) plain(method, path string, a access, summary string, h http.Handler, doc ...option) {
	op := s.operation(method, path, a, summary)
	op.Responses["200"] = &huma.Response{Description: http.StatusText(http.StatusOK)}
	for _, apply := range doc {
		apply(&op)
	}
	s.api.OpenAPI().AddOperation(&op)
	s.handle(method+" "+path, a, h)
}

// operation is what the document says of a route before its input and output are known.
func (s *Server) operation(method, path string, a access, summary string) huma.Operation {
	op := huma.Operation{
		OperationID: operationID(method, path),
		Method:      method,
		Path:        path,
		Summary:     summary,
		Tags:        []string{tagOf(path)},
		Metadata:    map[string]any{"access": a},
		Responses:   map[string]*huma.Response{"default": problemResponse(s.api.OpenAPI().Components.Schemas)},
	}
	if a.public {
		op.Security = []map[string][]string{}
		return op
	}
	op.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	op.Extensions = map[string]any{"x-roles": strings.Split(roleNames(a.roles), ", ")}
	return op
}

// operationID names an operation after its method and path: post-incidents-id-notes.
func operationID(method, path string) string {
	path = strings.TrimPrefix(path, prefix)
	words := strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune("/{}-._", r) })
	return strings.ToLower(method) + "-" + strings.Join(words, "-")
}

// tagOf groups the operations by the noun that their path begins with.
func tagOf(path string) string {
	rest, native := strings.CutPrefix(path, prefix+"/")
	if !native {
		return "outside"
	}
	noun, _, _ := strings.Cut(rest, "/")
	return noun
}

// schemaOf documents a plain route's answer as JSON of T.
func schemaOf[T any](s *Server, status, description string) option {
	return func(op *huma.Operation) {
		delete(op.Responses, "200")
		op.Responses[status] = &huma.Response{Description: description, Content: map[string]*huma.MediaType{
			"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")},
		}}
	}
}

// failOperation is fail for a handler that knows no request.
func (s *Server) failOperation(ctx context.Context, path string, err error) error {
	r := (&http.Request{Pattern: path}).WithContext(ctx)
	return s.fail(r, err)
}

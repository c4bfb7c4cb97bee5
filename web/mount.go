package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// methods are those that a path may be asked with.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// machines are the paths below which no page of the application lies.
var machines = []string{"/api/", "/hooks/", "/prometheus/", "/v2/", "/-/"}

// mount puts the other rooms' handlers behind the guard and into the document.
func (s *Server) mount() {
	for _, m := range s.o.Mounts {
		a := access{roles: m.Roles, public: m.Public, limit: maxForeign}
		s.handle(m.Pattern, a, m.Handler)
		method, path, ok := strings.Cut(m.Pattern, " ")
		if !ok {
			method, path = http.MethodGet, m.Pattern
			if !strings.HasPrefix(path, "/prometheus/") {
				method = http.MethodPost // hooks
			}
		}
		s.documentMount(method, path, a, m.Summary)
	}
}

// documentMount says in the document that a mounted route is there. Its shapes are those of the format that it speaks.
func (s *Server) documentMount(method, path string, a access, summary string) {
	if strings.HasSuffix(path, "/") {
		path += "{path}"
	}
	path = strings.NewReplacer("...}", "}", "{$}", "").Replace(path)
	op := s.operation(method, path, a, summary)
	op.Tags = []string{"foreign"}
	op.Responses["200"] = &huma.Response{Description: http.StatusText(http.StatusOK)}
	for _, part := range strings.Split(path, "/") {
		if strings.HasPrefix(part, "{") {
			pathParams(strings.Trim(part, "{}"))(&op)
		}
	}
	s.api.OpenAPI().AddOperation(&op)
}

// fallback answers what no route is for: 405 where another method would do, 404 below the machines' paths, else a page.
func (s *Server) fallback(p pages) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if allowed := s.allowed(r); len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			refuse(http.StatusMethodNotAllowed, r.Method+" is not for this path").hint("it takes " + strings.Join(allowed, ", ")).write(w)
			return
		}
		if slices.ContainsFunc(machines, func(m string) bool { return strings.HasPrefix(r.URL.Path+"/", m) }) {
			refuse(http.StatusNotFound, "no such path").hint("GET /openapi.json lists them").write(w)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			refuse(http.StatusMethodNotAllowed, "pages can only be read").write(w)
			return
		}
		found, ok := p.find(r)
		if !ok {
			refuse(http.StatusNotFound, "no such page").write(w)
			return
		}
		found.serve(w, r)
	})
}

// allowed lists the methods with which the path of r has a route of its own.
func (s *Server) allowed(r *http.Request) (out []string) {
	for _, m := range methods {
		try := &http.Request{Method: m, URL: r.URL, Host: r.Host}
		if _, pattern := s.mux.Handler(try); pattern != "/" && pattern != "" {
			out = append(out, m)
		}
	}
	return out
}

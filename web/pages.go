package web

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
)

// policy lets a page load and do only what comes from here. Nothing inline. connect-src goes before it.
const policy = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
	"worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// plainHost is a host that may stand in a header: what r.Host says comes from the client.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]{1,255}$`)

// policyFor adds to policy where a page may connect to: here, also by WebSocket, which older browsers do not take 'self' for.
func policyFor(host string) string {
	if !plainHost.MatchString(host) {
		return "connect-src 'self'; " + policy
	}
	return "connect-src 'self' ws://" + host + " wss://" + host + "; " + policy
}

// page is one file of the bundle, packed once at start.
type page struct {
	kind   string
	etag   string
	raw    []byte
	packed map[string][]byte // by content coding: br where the bundle brings it, gzip
}

// pages are the files of the bundle by path. The bundle is small and does not change while the program runs.
type pages map[string]page

// newPages reads the bundle; nil has no pages.
func newPages(bundle fs.FS) (pages, error) {
	all := pages{}
	if bundle == nil {
		return all, nil
	}
	err := fs.WalkDir(bundle, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".br") || strings.HasSuffix(name, ".gz") {
			return err
		}
		p, err := newPage(bundle, name)
		all["/"+name] = p
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the browser's bundle: %w", err)
	}
	return all, nil
}

func newPage(bundle fs.FS, name string) (page, error) {
	raw, err := fs.ReadFile(bundle, name)
	if err != nil {
		return page{}, err
	}
	p := page{kind: kindOf(name, raw), etag: `"` + hexOf(raw)[:32] + `"`, raw: raw, packed: map[string][]byte{}}
	if br, err := fs.ReadFile(bundle, name+".br"); err == nil {
		p.packed["br"] = br
	} else if !errors.Is(err, fs.ErrNotExist) {
		return page{}, err
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return page{}, err
	}
	if _, err := z.Write(raw); err != nil {
		return page{}, err
	}
	if err := z.Close(); err != nil {
		return page{}, err
	}
	if b.Len() < len(raw)*9/10 {
		p.packed["gzip"] = b.Bytes()
	}
	return p, nil
}

// kindOf is the content type by the name's end; what browsers are strict about does not depend on the machine's tables.
func kindOf(name string, raw []byte) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".json", ".map":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".woff2":
		return "font/woff2"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return http.DetectContentType(raw)
}

// serve sends the file, packed if the client can unpack it. Names are stable, so it is asked for again each time and
// answered by 304 when it is the same.
func (p page) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", p.kind)
	h.Set("Content-Security-Policy", policyFor(r.Host))
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", p.etag)
	if slices.Contains(strings.Split(strings.ReplaceAll(r.Header.Get("If-None-Match"), "W/", ""), ", "), p.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	data := p.raw
	for _, coding := range []string{"br", "gzip"} {
		if packed, ok := p.packed[coding]; ok && accepts(r, coding) {
			h.Set("Content-Encoding", coding)
			data = packed
			break
		}
	}
	h.Set("Content-Length", fmt.Sprint(len(data)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(data)
	}
}

// accepts says whether the client can unpack a coding.
func accepts(r *http.Request, coding string) bool {
	for _, part := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == coding && strings.ReplaceAll(q, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

// find is the file of a path; a page of the application, which has no file of its own, is index.html.
func (p pages) find(r *http.Request) (page, bool) {
	if found, ok := p[path.Clean("/"+r.URL.Path)]; ok {
		return found, true
	}
	accept := r.Header.Get("Accept")
	if path.Ext(r.URL.Path) != "" && !strings.Contains(accept, "text/html") {
		return page{}, false
	}
	if accept != "" && !strings.Contains(accept, "text/html") && !strings.Contains(accept, "*/*") {
		return page{}, false
	}
	index, ok := p["/index.html"]
	return index, ok
}

package intake

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"

	"goc/ops"
)

const (
	exportDays    = 14 // of freezes in a ConfigMap, when the query names none
	maxExportDays = 90
	maxExport     = 900 << 10 // bytes of its calendar; a ConfigMap holds a mebibyte
)

// kubeConfigMap is the export. Data holds calendar, a line per closed time and service (seconds of the epoch from and to,
// the service or *, the freeze's name); closed, what of it is closed now, as ",a,b,"; names, of the freezes closed now;
// and until, the end of the calendar.
type kubeConfigMap struct {
	APIVersion string            `json:"apiVersion" yaml:"apiVersion"`
	Kind       string            `json:"kind" yaml:"kind"`
	Metadata   kubeMetadata      `json:"metadata" yaml:"metadata"`
	Data       map[string]string `json:"data" yaml:"data"`
}

type kubeMetadata struct {
	Name        string            `json:"name" yaml:"name"`
	Namespace   string            `json:"namespace" yaml:"namespace"`
	Annotations map[string]string `json:"annotations" yaml:"annotations"`
}

// export is what a cluster asks for.
type export struct {
	name, namespace string
	kind            ops.ChangeKind
	place           ops.Scope // where the cluster is; empty is everywhere
	days            int
}

// parseExport reads the query.
func parseExport(q url.Values) (export, error) {
	e := export{name: "goc-freezes", namespace: "goc", kind: ops.KindRelease, days: exportDays}
	for key, values := range q {
		v := values[0]
		switch key {
		case "name":
			e.name = v
		case "namespace":
			e.namespace = v
		case "kind":
			e.kind = ops.ChangeKind(v)
		case "store", "city", "region":
			*e.place.Key(key) = strings.Split(v, ",")
		case "days":
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 || n > maxExportDays {
				return e, ops.Errorf(ops.Invalid, "must be 1 to %d", maxExportDays).At("query.days")
			}
			e.days = n
		case "format":
		default:
			return e, ops.Errorf(ops.Invalid, "is not known here").At("query." + cut(key, 40)).WithHint("name, namespace, kind, store, city, region, days, format")
		}
	}
	for place, v := range map[string]string{"query.name": e.name, "query.namespace": e.namespace} {
		if !dnsLabel(v) {
			return e, ops.Errorf(ops.Invalid, "must be a name as Kubernetes has them").At(place)
		}
	}
	return e, nil
}

// dnsLabel says whether Kubernetes takes s as a name.
func dnsLabel(s string) bool {
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	return s != "" && len(s) <= 63 && !strings.ContainsFunc(s, odd) && s[0] != '-' && s[len(s)-1] != '-'
}

// configMap answers the freezes of the next days as a ConfigMap: YAML, or JSON when the query or the header says so.
func (s *Service) configMap(w http.ResponseWriter, r *http.Request) {
	e, err := parseExport(r.URL.Query())
	var m kubeConfigMap
	if err == nil {
		m, err = s.export(r, e)
	}
	if err != nil {
		s.problem(w, r, err)
		return
	}
	if r.URL.Query().Get("format") == "json" || r.Header.Get("Accept") == "application/json" {
		writeJSON(w, http.StatusOK, m)
		return
	}
	b, err := yaml.Marshal(m)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Write(b)
}

func (s *Service) export(r *http.Request, e export) (kubeConfigMap, error) {
	now := s.now()
	until := now.AddDate(0, 0, e.days)
	freezes, err := s.gate.Freezes(r.Context())
	if err != nil {
		return kubeConfigMap{}, err
	}
	spans, err := s.gate.Calendar(r.Context(), now, until)
	if err != nil {
		return kubeConfigMap{}, err
	}
	data := e.data(s.catalog(), freezes, spans, now)
	if len(data["calendar"]) > maxExport {
		return kubeConfigMap{}, ops.Errorf(ops.TooLarge, "the calendar has more than %d bytes", maxExport).At("query.days").WithHint("ask for fewer days")
	}
	data["until"] = strconv.FormatInt(until.Unix(), 10)
	return kubeConfigMap{
		APIVersion: "v1", Kind: "ConfigMap", Data: data,
		Metadata: kubeMetadata{Name: e.name, Namespace: e.namespace, Annotations: map[string]string{"goc/exported-at": ops.At(now).String()}},
	}, nil
}

// data writes the calendar, and what of it is closed at now.
func (e export) data(catalog *ops.Catalog, freezes []ops.Freeze, spans []ops.FreezeSpan, now time.Time) map[string]string {
	holds := map[string][]string{} // services by freeze
	for _, f := range freezes {
		if !slices.Contains(f.Exempt.Kinds, e.kind) && catalog.Overlap(f.Scope, e.place) {
			holds[f.ID] = heldServices(catalog, f.Scope)
		}
	}
	var calendar, closed, names strings.Builder
	for _, span := range spans {
		name := plain(span.Name)
		within := !now.Before(span.From.Time) && now.Before(span.To.Time) && len(holds[span.FreezeID]) > 0
		if within {
			names.WriteString(name + "; ")
		}
		for _, service := range holds[span.FreezeID] {
			calendar.WriteString(strconv.FormatInt(span.From.Unix(), 10) + " " + strconv.FormatInt(span.To.Unix(), 10) + " " + service + " " + name + "\n")
			if within {
				closed.WriteString(service + ",")
			}
		}
	}
	return map[string]string{"calendar": calendar.String(), "closed": "," + closed.String(), "names": names.String()}
}

// heldServices lists the services that a freeze holds: * for all, when it names none by name, tier or business.
func heldServices(catalog *ops.Catalog, s ops.Scope) (out []string) {
	if len(s.Service)+len(s.Tier)+len(s.Business) == 0 {
		return []string{"*"}
	}
	out = append(out, s.Service...)
	for _, service := range catalog.Services {
		if catalog.Overlap(s, ops.Scope{Service: []string{service.Name}}) {
			out = append(out, service.Name)
		}
	}
	slices.Sort(out)
	odd := func(name string) bool { return strings.ContainsAny(name, ", \t\r\n\"\\") } // no object can be called so
	return slices.DeleteFunc(slices.Compact(out), odd)
}

// plain is a name that fits in a line and in a shell's quotes.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || strings.ContainsRune("\"\\;`$", r) {
			return ' '
		}
		return r
	}, name)
}

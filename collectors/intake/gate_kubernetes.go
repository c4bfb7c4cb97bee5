package intake

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"goc/ops"
)

// KubernetesConfig says how clusters ask the gate.
type KubernetesConfig struct {
	Secret `yaml:",inline"` // the last part of the path of a cluster that cannot send a token
	// Exempt are namespaces in which anything may change; kube-system, kube-public and kube-node-lease always are.
	Exempt      []string `yaml:"exempt"`
	Environment string   `yaml:"environment"` // of all objects, whatever they say; absent: what they say, else production
}

// Kubernetes' own namespaces: to hold them back can take a cluster down, and the gate with it.
var ownNamespaces = []string{"kube-system", "kube-public", "kube-node-lease"}

const (
	admissionVersion = "admission.k8s.io/v1"
	maxWarning       = 256  // Kubernetes cuts longer warnings
	maxDenial        = 2048 // kept short for a terminal
)

// admissionReview is what we read of admission.k8s.io/v1.
type admissionReview struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Request    *admissionRequest `json:"request"`
}

type admissionRequest struct {
	UID  string `json:"uid"`
	Kind struct {
		Kind string `json:"kind"`
	} `json:"kind"`
	SubResource string `json:"subResource"`
	Name        string `json:"name"`
	Namespace   string `json:"namespace"`
	Operation   string `json:"operation"`
	UserInfo    struct {
		Username string `json:"username"`
	} `json:"userInfo"`
	Object    *kubeObject `json:"object"`
	OldObject *kubeObject `json:"oldObject"`
	DryRun    bool        `json:"dryRun"`
}

// kubeObject is what matters of an object: what it is called, and what it runs or holds.
type kubeObject struct {
	Metadata struct {
		Name         string `json:"name"`
		GenerateName string `json:"generateName"`
		Labels       loose  `json:"labels"`
		Annotations  loose  `json:"annotations"`
	} `json:"metadata"`
	Spec       map[string]any `json:"spec"`
	Data       any            `json:"data"`
	BinaryData any            `json:"binaryData"`
}

// admissionAnswer is the response, in its envelope.
type admissionAnswer struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Response   admissionResponse `json:"response"`
}

type admissionResponse struct {
	UID      string            `json:"uid"`
	Allowed  bool              `json:"allowed"`
	Status   *kubeStatus       `json:"status,omitempty"`
	Warnings []string          `json:"warnings,omitempty"`
	Audit    map[string]string `json:"auditAnnotations,omitempty"`
}

type kubeStatus struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// parseAdmission reads a review, which must be a request of version v1 with a uid.
func parseAdmission(body []byte) (*admissionRequest, error) {
	var p admissionReview
	if err := decode(body, &p); err != nil {
		return nil, err
	}
	switch {
	case p.Kind != "AdmissionReview":
		return nil, ops.Errorf(ops.Invalid, "must be AdmissionReview").At("body.kind")
	case p.APIVersion != admissionVersion:
		return nil, ops.Errorf(ops.Invalid, "must be %s", admissionVersion).At("body.apiVersion").WithHint("set admissionReviewVersions: [v1] in the webhook's configuration")
	case p.Request == nil || p.Request.UID == "" || len(p.Request.UID) > 128:
		return nil, ops.Errorf(ops.Invalid, "must hold a request with a uid").At("body.request.uid")
	}
	return p.Request, nil
}

// keyedAdmission is admission for a cluster that proves itself by the key in the path.
func (s *Service) keyedAdmission(r *http.Request, _ ops.Principal, body []byte) (int, any, error) {
	if !same(s.kubernetes, r.PathValue("key")) {
		return 0, nil, s.forged("kubernetes", ops.Errorf(ops.Unauthenticated, "the key in the path is wrong").WithHint("it must be the one in the configuration, section hooks.kubernetes"))
	}
	return s.admission(r, ops.Principal{Name: "kubernetes", Role: ops.CI}, body)
}

// admission answers a cluster that asks whether an object may change. An error of ours is an HTTP error, upon which the
// cluster does what its failurePolicy says.
func (s *Service) admission(r *http.Request, who ops.Principal, body []byte) (int, any, error) {
	q, err := parseAdmission(body)
	if err != nil {
		return 0, nil, err
	}
	answer := admissionAnswer{APIVersion: admissionVersion, Kind: "AdmissionReview", Response: admissionResponse{UID: q.UID, Allowed: true}}
	if why := s.uninteresting(q); why != "" {
		answer.Response.Audit = map[string]string{"decision": "not asked: " + why}
		return http.StatusOK, answer, nil
	}
	ask := s.gate.Check
	if q.DryRun {
		ask = s.gate.Consider
	}
	d, err := ask(r.Context(), who, q.question(s.cfg.Kubernetes.Environment))
	switch ops.KindOf(err) {
	case "":
		answer.Response.decided(d)
	case ops.Invalid, ops.NotFound, ops.Conflict: // what the object says of itself is wrong
		answer.Response.deny(err.Error())
	default:
		return 0, nil, err
	}
	s.taken.WithLabelValues("kubernetes").Inc()
	return http.StatusOK, answer, nil
}

// uninteresting says why an object's change is none for the gate, "" when it is one.
func (s *Service) uninteresting(q *admissionRequest) string {
	switch {
	case slices.Contains(ownNamespaces, q.Namespace) || slices.Contains(s.cfg.Kubernetes.Exempt, q.Namespace):
		return "the namespace is exempt"
	case q.Operation != "CREATE" && q.Operation != "UPDATE":
		return "nothing goes out by " + strings.ToLower(cut(q.Operation, 20))
	case q.SubResource != "":
		return "a subresource is not what runs"
	case q.Object == nil:
		return "there is no object"
	case q.OldObject != nil && reflect.DeepEqual(q.Object.payload(), q.OldObject.payload()):
		return "what runs stays the same"
	}
	return ""
}

// payload is what goes out with an object: its spec and its data. How many there are of it is no part of it.
func (o *kubeObject) payload() any {
	spec := maps.Clone(o.Spec)
	delete(spec, "replicas")
	delete(spec, "parallelism")
	return []any{spec, o.Data, o.BinaryData}
}

// says is what the object says under goc/NAME, in an annotation or a label.
func (o *kubeObject) says(name string) string {
	return first(text(o.Metadata.Annotations["goc/"+name]), text(o.Metadata.Labels["goc/"+name]))
}

// question is what the gate is asked about an object.
func (q *admissionRequest) question(environment string) ops.GateRequest {
	o := q.Object
	labels := o.Metadata.Labels
	name := first(text(q.Name), text(o.Metadata.Name), text(o.Metadata.GenerateName))
	c := ops.Change{
		Kind: ops.ChangeKind(first(text(o.says("kind")), text(kindOfObject(q.Kind.Kind)))), Source: "kubernetes", Author: q.UserInfo.Username,
		Title:       cut(q.Kind.Kind+" "+q.Namespace+"/"+name, 200),
		Service:     first(text(o.says("service")), text(labels["app.kubernetes.io/name"]), text(labels["app"]), text(name)),
		Version:     first(text(o.says("version")), text(labels["app.kubernetes.io/version"]), text(o.imageTag())),
		Environment: first(text(environment), text(o.says("environment")), "production"), Risk: o.says("risk"),
		Labels: map[string]string{"namespace": q.Namespace},
	}
	for _, key := range []string{"store", "city", "region"} {
		if v := o.says(key); v != "" {
			*c.Scope.Key(key) = []string{v}
		}
	}
	back := o.says("rollback")
	// It names the version that it goes back to: left standing, it does not let the next one through.
	return ops.GateRequest{ChangeID: o.says("change"), Rollback: back != "" && back == c.Version, Change: &c}
}

func kindOfObject(kind string) string {
	if kind == "ConfigMap" || kind == "Secret" {
		return string(ops.KindConfig)
	}
	return string(ops.KindRelease)
}

// imageTag is the tag, or the digest, of the first container's image.
func (o *kubeObject) imageTag() string {
	b, _ := json.Marshal(o.Spec["template"])
	var t struct {
		Spec struct {
			Containers []struct {
				Image string `json:"image"`
			} `json:"containers"`
		} `json:"spec"`
	}
	if json.Unmarshal(b, &t) != nil || len(t.Spec.Containers) == 0 {
		return ""
	}
	image := t.Spec.Containers[0].Image
	if _, digest, ok := strings.Cut(image, "@"); ok {
		return digest
	}
	image = image[strings.LastIndexByte(image, '/')+1:]
	_, tag, _ := strings.Cut(image, ":")
	return tag
}

// decided writes a decision into the response. A cluster knows no "wait": it is denied, and told when to ask again.
func (a *admissionResponse) decided(d ops.Decision) {
	a.Audit = map[string]string{"decision": d.Decision}
	if d.DecisionID != "" {
		a.Audit["decision_id"] = d.DecisionID
	}
	if d.Decision != ops.EffectAllow {
		a.deny(explain(d))
		return
	}
	for _, r := range d.Reasons {
		a.Warnings = append(a.Warnings, cut(r.Rule+": "+r.Message, maxWarning))
	}
}

func (a *admissionResponse) deny(message string) {
	a.Allowed = false
	a.Status = &kubeStatus{Code: http.StatusForbidden, Reason: "Forbidden", Message: cut("goc: "+message, maxDenial)}
}

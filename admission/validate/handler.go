package validate

import (
	"net/http"
	"slices"
)

// Handler answers the API server. Its zero value has no compiler, and denies.
type Handler struct {
	Compiler Compiler
	// Enforce tells whether a namespace wants changes of its applications denied that
	// break a policy; nil: none does.
	Enforce func(namespace string) bool
	// Exempt are namespaces in which nothing is judged: the control plane's own.
	// kube-system always is.
	Exempt []string
	// Decided is told every answer, for metrics and events; nil: nobody is.
	Decided func(*Request, *Response)
}

const (
	reviewVersion = "admission.k8s.io/v1"
	reviewKind    = "AdmissionReview"
	// maxReview bounds a request, in bytes: two objects of etcd's greatest size.
	maxReview = 8 << 20
)

// ServeHTTP answers one AdmissionReview. What is none is refused, and the API server
// then does as the webhook's failurePolicy says: fail.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, err := ReadReview(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if h.Compiler == nil {
		http.Error(w, "the mesh is not loaded yet", http.StatusServiceUnavailable)
		return
	}
	answer := h.decide(request)
	if h.Decided != nil {
		h.Decided(request, answer)
	}
	answer.Write(w)
}

func (h *Handler) decide(r *Request) *Response {
	if r.Namespace == "kube-system" || slices.Contains(h.Exempt, r.Namespace) {
		return &Response{UID: r.UID, Allowed: true}
	}
	return Decide(h.Compiler, r, h.Enforce != nil && h.Enforce(r.Namespace))
}

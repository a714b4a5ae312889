package validate

import (
	"encoding/json"
	"io"
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
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReview))
	if err != nil {
		http.Error(w, "the review cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	var review Review
	switch err := json.Unmarshal(body, &review); {
	case err != nil:
		http.Error(w, "the review is not JSON: "+err.Error(), http.StatusBadRequest)
		return
	case review.APIVersion != reviewVersion || review.Kind != reviewKind || review.Request == nil || review.Request.UID == "":
		http.Error(w, "this is no "+reviewKind+" of "+reviewVersion, http.StatusBadRequest)
		return
	case h.Compiler == nil:
		http.Error(w, "the mesh is not loaded yet", http.StatusServiceUnavailable)
		return
	}
	answer := h.decide(review.Request)
	if h.Decided != nil {
		h.Decided(review.Request, answer)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(Review{APIVersion: reviewVersion, Kind: reviewKind, Response: answer}) // who asked is gone
}

func (h *Handler) decide(r *Request) *Response {
	if r.Namespace == "kube-system" || slices.Contains(h.Exempt, r.Namespace) {
		return &Response{UID: r.UID, Allowed: true}
	}
	return Decide(h.Compiler, r, h.Enforce != nil && h.Enforce(r.Namespace))
}

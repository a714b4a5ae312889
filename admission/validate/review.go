package validate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Review is an AdmissionReview of admission.k8s.io/v1, as far as it is read and
// answered.
type Review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *Request  `json:"request,omitempty"`
	Response   *Response `json:"response,omitempty"`
}

// Request is what somebody asks of the API server.
type Request struct {
	UID       string          `json:"uid"`
	Kind      GroupKind       `json:"kind"`
	Name      string          `json:"name"`
	Namespace string          `json:"namespace"`
	Operation string          `json:"operation"` // CREATE, UPDATE, DELETE, CONNECT
	Object    json.RawMessage `json:"object"`
	OldObject json.RawMessage `json:"oldObject"`
	Options   json.RawMessage `json:"options"` // of the operation, such as DeleteOptions
	DryRun    bool            `json:"dryRun"`
	UserInfo  UserInfo        `json:"userInfo"`
}

// UserInfo is who asks, as the API server knows them.
type UserInfo struct {
	Username string `json:"username"`
}

// ReadReview reads the review of a call. An error is for a refusal of HTTP: an API
// server then does as the webhook's failurePolicy says.
func ReadReview(w http.ResponseWriter, r *http.Request) (*Request, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReview))
	if err != nil {
		return nil, fmt.Errorf("the review cannot be read: %w", err)
	}
	var review Review
	if err := json.Unmarshal(body, &review); err != nil {
		return nil, fmt.Errorf("the review is not JSON: %w", err)
	}
	if review.APIVersion != reviewVersion || review.Kind != reviewKind || review.Request == nil || review.Request.UID == "" {
		return nil, errors.New("this is no " + reviewKind + " of " + reviewVersion)
	}
	return review.Request, nil
}

// Write writes an answer.
func (a *Response) Write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(Review{APIVersion: reviewVersion, Kind: reviewKind, Response: a}) // who asked is gone
}

// GroupKind names a kind in one version.
type GroupKind struct {
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
}

// Response is the answer. Warnings are shown by kubectl; most controllers drop them.
type Response struct {
	UID              string            `json:"uid"`
	Allowed          bool              `json:"allowed"`
	Status           *Status           `json:"status,omitempty"`
	Warnings         []string          `json:"warnings,omitempty"`
	AuditAnnotations map[string]string `json:"auditAnnotations,omitempty"`
	// Patch is what a mutating webhook does to the object; PatchType is then "JSONPatch".
	Patch     []byte `json:"patch,omitempty"`
	PatchType string `json:"patchType,omitempty"`
}

// Status is why a request is denied.
type Status struct {
	Status  string   `json:"status"`
	Code    int      `json:"code"`
	Reason  string   `json:"reason"`
	Message string   `json:"message"`
	Details *Details `json:"details,omitempty"`
}

// Details has a cause for each finding that denies.
type Details struct {
	Causes []Cause `json:"causes"`
}

// Cause is a finding: its code, its message and the field.
type Cause struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
}

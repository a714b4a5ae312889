package validate

import "encoding/json"

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
	DryRun    bool            `json:"dryRun"`
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

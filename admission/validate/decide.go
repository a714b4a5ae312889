// Package validate answers whether an object may come into a mesh, change or go:
// one AdmissionReview in, one answer out, by what the compiler would find with the
// object laid over the live state. Decide is pure; Handler is its HTTP shell. It does
// not know how the cluster is watched.
package validate

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
)

// Compiler tells what a change would be found with; *compiler.Session is one, made
// with Options.Stage policies.Admission.
type Compiler interface {
	Try(compiler.Change) diag.List
}

// policyKinds are those that only a mesh reads: a fault in one is denied. Anything
// else that is judged belongs to who runs applications.
var policyKinds = map[string][]string{
	"access.smi-spec.io": {"TrafficTarget", "IdentityBinding"},
	"specs.smi-spec.io":  {"HTTPRouteGroup", "TCPRoute", "UDPRoute"},
	"split.smi-spec.io":  {"TrafficSplit"},
	"meshc.dev":          {"Mesh", "Waivers", glassKind},
}

// coreKinds may break a policy by how they change.
var coreKinds = []string{"Namespace", "Service", "ServiceAccount"}

// kindOf tells whether a kind is judged, and whether only a mesh reads it.
func kindOf(k GroupKind) (judged, policy bool) {
	for _, kind := range policyKinds[k.Group] {
		if kind == k.Kind {
			return true, true
		}
	}
	for _, kind := range coreKinds {
		if k.Group == "" && kind == k.Kind {
			return true, false
		}
	}
	return isWorkload(k), false
}

// Decide answers a request. With enforce, what a change of an application breaks is
// denied like a faulty policy; else it is a warning. The answer to a dry run is that
// to the run itself: nothing is remembered.
func Decide(c Compiler, r *Request, enforce bool) *Response {
	out := &Response{UID: r.UID, Allowed: true}
	judged, policy := kindOf(r.Kind)
	if !judged || r.Operation != "CREATE" && r.Operation != "UPDATE" && r.Operation != "DELETE" {
		return out
	}
	data, differs, err := changeOf(r)
	if err != nil {
		return deny(out, diag.List{undecodable(r, err)}, nil)
	}
	if !differs {
		return out
	}
	name := nameOf(r)
	path := strings.TrimPrefix(name.Namespace+"/"+name.Name, "/")
	own := r.Kind.Kind + "/" + path
	var errors, warnings diag.List
	found := c.Try(compiler.Change{Path: own, Data: data, Object: &name})
	if r.Kind.Kind == glassKind {
		errors = recordFaults(r, found)
	}
	for _, f := range found {
		switch {
		case !f.Counts() || f.Severity == diag.Info || r.Operation == "CREATE" && f.Severity == diag.Warning && awaited(f, own):
		case f.Severity == diag.Error && (policy || enforce), enforce && !policy && r.Operation != "CREATE" && (breaks(f) || unserved(f, own)):
			errors.Add(f)
		default:
			warnings.Add(f)
		}
	}
	return Answer(r.UID, errors, warnings)
}

// changeOf is what the object of a request would be, nil where it goes, and whether it
// would be another to a mesh. It settles the request's name, which may not be made yet.
func changeOf(r *Request) (data []byte, differs bool, err error) {
	if isWorkload(r.Kind) {
		data, r.Name, differs, err = judgedWorkload(r)
		return data, differs, err
	}
	if r.Operation == "DELETE" {
		return nil, !slices.Contains(cleaners, r.UserInfo.Username), nil
	}
	object, err := judgedPart(r.Object, r)
	if err != nil {
		return nil, true, err
	}
	old, err := judgedPart(r.OldObject, r)
	if err == nil && (bytes.Equal(old.data, object.data) || object.leaving && bytes.Equal(old.body, object.body)) {
		// A status, or one that loses its finalizers, which nobody must hinder. While it
		// waits for that it counts, so what it says is judged as ever.
		return nil, false, nil
	}
	r.Name = object.name
	return object.data, true, nil
}

// awaited tells whether a finding is that an object refers to what may come with the
// objects that are applied after it.
func awaited(f diag.Finding, own string) bool {
	e, ok := diag.Lookup(f.Code)
	return ok && e.Awaited && f.At().File == own
}

// breaks tells whether a build would fail for it. At admission much of that is a
// warning, since objects come in any order, and what was applied a moment before may not
// have been seen yet; applications that change or go do not.
func breaks(f diag.Finding) bool {
	e, ok := diag.Lookup(f.Code)
	return ok && e.Build == diag.Error
}

// part is what of an object is judged.
type part struct {
	data    []byte
	body    []byte // data without metadata
	name    string
	leaving bool
}

// judgedPart takes an object as the API server has it, without what the API server
// itself writes: a manifest would not have it.
func judgedPart(raw json.RawMessage, r *Request) (part, error) {
	var o map[string]json.RawMessage
	if err := json.Unmarshal(raw, &o); err != nil {
		return part{}, err
	}
	var meta struct {
		Name              string            `json:"name,omitempty"`
		GenerateName      string            `json:"generateName,omitempty"`
		Namespace         string            `json:"namespace,omitempty"`
		Labels            map[string]string `json:"labels,omitempty"`
		Annotations       map[string]string `json:"annotations,omitempty"`
		DeletionTimestamp *string           `json:"deletionTimestamp,omitempty"`
		// Of whom an object is says what it may mean (SEMANTICS 46).
		OwnerReferences []struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Name       string `json:"name"`
		} `json:"ownerReferences,omitempty"`
	}
	if err := json.Unmarshal(o["metadata"], &meta); err != nil {
		return part{}, err
	}
	out := part{leaving: meta.DeletionTimestamp != nil}
	if meta.Name == "" {
		meta.Name = meta.GenerateName + "new" // its name is made after this
	}
	out.name = meta.Name
	meta.GenerateName, meta.DeletionTimestamp = "", nil
	delete(meta.Annotations, "kubectl.kubernetes.io/last-applied-configuration")
	if meta.Namespace == "" && r.Kind.Kind != "Namespace" {
		meta.Namespace = r.Namespace
	}
	head, err := json.Marshal(meta)
	if err != nil {
		return part{}, err
	}
	delete(o, "status")
	delete(o, "metadata")
	spec := o["spec"]
	if r.Kind.Kind == "Namespace" {
		delete(o, "spec") // finalizers of its own, and nothing else
	}
	if out.body, err = json.Marshal(o); err != nil { // keys in order
		return part{}, err
	}
	if o["metadata"] = head; spec != nil {
		o["spec"] = spec
	}
	out.data, err = json.Marshal(o)
	return out, err
}

// undecodable is an object that is no JSON object: an API server never sends one.
func undecodable(r *Request, err error) diag.Finding {
	return diag.New("MSH0102", diag.Span{File: r.Kind.Kind}, "the object of the request cannot be read: %v", err)
}

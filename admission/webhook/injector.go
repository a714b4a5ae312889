package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/meshc/meshc/admission/inject"
	"github.com/meshc/meshc/admission/patch"
	"github.com/meshc/meshc/admission/validate"
	"github.com/meshc/meshc/compiler/diag"
)

// Injector answers the API server for pods that are made: with the patch that puts
// interception and a proxy into those of the mesh. It writes nothing anywhere, so a
// dry run is answered like the run itself.
type Injector struct {
	// Settings are those of this moment; required.
	Settings func() inject.Settings
	// Namespace tells what a namespace says of itself; required. An error refuses the pod.
	Namespace func(ctx context.Context, name string) (inject.Namespace, error)
	// Trusted waits until a namespace has the mesh's trust bundle, without which a pod
	// does not start; nil: it is there.
	Trusted func(ctx context.Context, namespace string) error
	// Exempt are namespaces in which nothing is injected: the control plane's own.
	// kube-system always is.
	Exempt []string
	// Decided is told every answer, for metrics and events; nil: nobody is.
	Decided func(*validate.Request, *validate.Response)
}

// ServeHTTP answers one AdmissionReview. What is none, and a pod of a namespace that
// cannot be told, is refused by HTTP: the API server then does as the webhook's
// failurePolicy says.
func (i *Injector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, err := validate.ReadReview(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := i.Answer(r.Context(), request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	if i.Decided != nil {
		i.Decided(request, answer)
	}
	answer.Write(w)
}

// Answer decides on one request. What makes no pod is allowed as it is.
func (i *Injector) Answer(ctx context.Context, r *validate.Request) (*validate.Response, error) {
	out := &validate.Response{UID: r.UID, Allowed: true}
	if r.Kind.Group != "" || r.Kind.Kind != "Pod" || r.Operation != "CREATE" || r.Namespace == "kube-system" || slices.Contains(i.Exempt, r.Namespace) {
		return out, nil
	}
	pod, err := decode(r.Object)
	if err != nil {
		f := diag.New("MSH0102", diag.Span{File: "Pod"}, "the object of the request cannot be read: %v", err)
		return validate.Answer(r.UID, diag.List{f}, nil), nil
	}
	ns, err := i.Namespace(ctx, r.Namespace)
	if err != nil {
		return nil, fmt.Errorf("namespace %s cannot be told: %w", r.Namespace, err)
	}
	result, found := inject.Pod(pod, ns, i.Settings(), func(string) diag.Span { return diag.Span{File: "Pod"} })
	errors, warnings := sorted(found, result.Injected)
	if result.Injected && len(errors) == 0 && i.Trusted != nil {
		if err := i.Trusted(ctx, r.Namespace); err != nil {
			errors = append(errors, diag.New("MSH4040", diag.Span{File: "Pod"}, "namespace %q has no trust bundle of the mesh yet: %v", r.Namespace, err).
				About(diag.Object{Kind: "Pod", Namespace: r.Namespace, Name: r.Name}, ""))
		}
	}
	answer := validate.Answer(r.UID, errors, warnings)
	if answer.AuditAnnotations == nil {
		answer.AuditAnnotations = map[string]string{}
	}
	answer.AuditAnnotations["injected"] = strconv.FormatBool(answer.Allowed && result.Injected)
	answer.AuditAnnotations["why"] = result.Why
	if answer.Allowed {
		err = change(answer, pod, result.Pod)
	}
	return answer, err
}

// sorted divides findings by the table of stages. What injection stopped at denies
// whatever the table says: without a sidecar the pod must not run in the mesh.
func sorted(found diag.List, injected bool) (errors, warnings diag.List) {
	for _, f := range found {
		e, _ := diag.Lookup(f.Code)
		switch {
		case e.Admission == diag.Error, f.Severity == diag.Error && !injected:
			errors = append(errors, f)
		case e.Admission == diag.Warning, f.Severity == diag.Error:
			warnings = append(warnings, f)
		}
	}
	return errors, warnings
}

// change makes the answer's patch of a pod as it was sent and as it is to be.
func change(answer *validate.Response, from, to inject.Object) error {
	ops := patch.Between(from, to)
	if len(ops) == 0 {
		return nil
	}
	text, err := patch.Write(ops)
	if err != nil {
		return fmt.Errorf("the patch cannot be written: %w", err)
	}
	answer.Patch, answer.PatchType = text, "JSONPatch"
	return nil
}

// decode keeps whole numbers as they are written: a patch must not touch them.
func decode(raw json.RawMessage) (inject.Object, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var o inject.Object
	if err := d.Decode(&o); err != nil {
		return nil, err
	}
	if o == nil {
		return nil, fmt.Errorf("it is null")
	}
	return o, nil
}

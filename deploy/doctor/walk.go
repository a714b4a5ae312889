package doctor

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/control"
	"github.com/meshc/meshc/deploy/install"
)

// Walk is a call that is followed from a pod to a service.
type Walk struct {
	Client    *api.Client
	Namespace string // of the control plane
	// Mesh is what the control plane serves.
	Mesh *ir.Mesh
	Now  time.Time

	From api.Ref // a pod
	To   ir.PortID
	HTTP *ir.HTTPRequest // nil: raw bytes

	// Inside is a client of a port in a pod; nil: through the API server.
	Inside func(namespace, pod string, port int) *http.Client
}

// Run goes from step to step: who calls, whether its proxy has what it is to have,
// whether policy lets the call through, who answers, whether the Envoys of both ends hold
// certificates that the other takes, and what the caller's proxy counts.
// It ends at the first that fails, since the later ones rest on it.
func (w *Walk) Run(ctx context.Context) ([]Check, error) {
	state := &walking{Walk: w}
	var out []Check
	for _, step := range []struct {
		name string
		look look
	}{
		{"identity", state.identity}, {"proxy", state.proxy}, {"service", state.service}, {"policy", state.policy},
		{"endpoints", state.endpoints}, {"certificate", state.certificate}, {"envoy", state.envoy},
	} {
		says, found, err := step.look(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return out, ctx.Err()
			}
			found.Add(diag.New("MSH4119", diag.Span{File: step.name}, "%s could not be looked at: %v", step.name, err))
		}
		out = append(out, Check{step.name, says, found})
		if max, any := found.Max(); any && max == diag.Error || err != nil {
			break
		}
	}
	return out, nil
}

type walking struct {
	*Walk
	caller   ir.Identity
	replicas []control.Replica
	verdict  ir.Verdict
	servers  []api.Ref // pods that answer
}

// identity is who the pod calls as.
func (w *walking) identity(ctx context.Context) (string, diag.List, error) {
	pod, err := w.Client.Get(ctx, w.From)
	if api.Gone(err) {
		return "", diag.List{install.About("MSH4131", w.From, "there is no pod %s in namespace %s", w.From.Name, w.From.Namespace)}, nil
	}
	if err != nil {
		return "", nil, err
	}
	w.caller = w.accountOf(pod, w.From.Namespace)
	if api.Text(pod, "metadata", "labels", "meshc.dev/injected") != "true" {
		return w.caller.Short(), diag.List{install.About("MSH4131", w.From, "pod %s has no proxy: it calls in plaintext, as nobody", w.From.Name).
			WithHelp("meshc namespace list tells whether its namespace is of the mesh; then make it anew")}, nil
	}
	if phase := api.Text(pod, "status", "phase"); phase != "Running" {
		return w.caller.Short(), diag.List{install.About("MSH4131", w.From, "pod %s is %s", w.From.Name, phase)}, nil
	}
	return w.caller.Short(), nil, nil
}

// proxy is whether the caller's proxy has what it is to have.
func (w *walking) proxy(ctx context.Context) (string, diag.List, error) {
	var err error
	if w.replicas, err = control.Replicas(ctx, w.Client, w.Namespace); err != nil {
		return "", nil, err
	}
	for _, r := range w.replicas {
		if r.Err != nil {
			return "", nil, fmt.Errorf("the status of replica %s: %w", r.Pod, r.Err)
		}
	}
	p, at, ok := control.Of(w.replicas, w.From.Namespace, w.From.Name)
	var found diag.List
	switch {
	case !ok:
		f := install.About("MSH4132", w.From, "the proxy of pod %s is connected to no replica of the control plane", w.From.Name).
			WithHelp("meshc proxy logs %s/%s", w.From.Namespace, w.From.Name)
		if why := control.Refusal(w.replicas, w.From.Namespace, w.From.Name); why != "" {
			f = f.WithHelp("it was refused: %s", why)
		}
		return "not connected", diag.List{f}, nil
	case p.Denied != "":
		found.Add(install.About("MSH4132", w.From, "the proxy of pod %s gets no configuration: %s", w.From.Name, p.Denied))
	case !p.Expires.IsZero() && p.Expires.Before(w.Now):
		found.Add(install.About("MSH4132", w.From, "the credential of the proxy of pod %s ended on %s", w.From.Name, p.Expires.UTC().Format(time.DateTime)))
	case p.Identity != string(w.caller):
		found.Add(install.About("MSH4132", w.From, "the proxy of pod %s is %s, and its account would be %s", w.From.Name, ir.Identity(p.Identity).Short(), w.caller.Short()))
	}
	for _, t := range p.Types {
		for _, r := range t.Refused {
			found.Add(install.About("MSH4132", w.From, "the proxy of pod %s refused %s %q: %s", w.From.Name, t.Type, r.Name, r.Reason))
		}
	}
	if !p.InSync && len(found) == 0 {
		f := install.About("MSH4132", w.From, "the proxy of pod %s has not acknowledged all that it is to have", w.From.Name)
		f.Severity = diag.Warning
		found.Add(f)
	}
	return "connected to " + at, found, nil
}

// service is whether the mesh knows what is called.
func (w *walking) service(context.Context) (string, diag.List, error) {
	ref := api.Ref{APIVersion: "v1", Kind: "Service", Namespace: w.To.Service.Namespace, Name: w.To.Service.Name}
	svc, ok := w.Mesh.Service(w.To.Service)
	if !ok {
		return "", diag.List{install.About("MSH4133", ref, "the mesh knows no service %s", w.To.Service)}, nil
	}
	var ports []string
	for _, p := range svc.Ports {
		if w.To.Port == 0 && len(svc.Ports) == 1 {
			w.To.Port = p.Number
		}
		if p.Number == w.To.Port {
			return fmt.Sprintf("%s, %s", w.To, p.Protocol), nil, nil
		}
		ports = append(ports, strconv.Itoa(int(p.Number)))
	}
	return "", diag.List{install.About("MSH4133", ref, "service %s has the ports %s: say which with NAMESPACE/SERVICE:PORT", w.To.Service, strings.Join(ports, ", "))}, nil
}

// policy is what the served mesh means of the call. Grants are to accounts, and a
// service's are known of its pods: while there is none, the next step is what fails.
func (w *walking) policy(ctx context.Context) (string, diag.List, error) {
	w.verdict = ir.Decide(w.Mesh, ir.Request{From: w.caller, To: w.To, HTTP: w.HTTP})
	if w.verdict.Outcome == ir.Allow {
		return "allowed by " + strings.Join(w.verdict.By, ", "), nil, nil
	}
	if svc, ok := w.Mesh.Service(w.To.Service); ok && len(svc.Accounts) == 0 && !svc.Outside {
		if ready, _, err := w.behind(ctx, w.To.Service); err != nil || ready == 0 {
			return "not known: there is no pod that tells the account", nil, err
		}
	}
	ref := api.Ref{APIVersion: "v1", Kind: "Service", Namespace: w.To.Service.Namespace, Name: w.To.Service.Name}
	f := install.About("MSH4134", ref, "%s: %s", w.verdict.Outcome, w.verdict.Reason)
	if len(w.verdict.Near) > 0 {
		f = f.WithHelp("near: %s", strings.Join(w.verdict.Near, "; "))
	}
	if w.verdict.Outcome == ir.Mixed {
		f.Severity = diag.Warning
	}
	return string(w.verdict.Outcome), diag.List{f}, nil
}

// endpoints are who would answer: of each service that a share of the calls goes to.
func (w *walking) endpoints(ctx context.Context) (string, diag.List, error) {
	services := []ir.ServiceID{w.To.Service}
	for _, l := range w.verdict.Leaves {
		if !slices.Contains(services, l.Service) {
			services = append(services, l.Service)
		}
	}
	if len(services) > 1 {
		services = services[1:] // a split: the service itself has no share
	}
	var found diag.List
	var says []string
	for _, id := range services {
		ready, outside, err := w.behind(ctx, id)
		if err != nil {
			return "", nil, err
		}
		ref := api.Ref{APIVersion: "v1", Kind: "Service", Namespace: id.Namespace, Name: id.Name}
		if ready == 0 {
			found.Add(install.About("MSH4135", ref, "service %s has no endpoint that is ready", id).WithHelp("kubectl -n %s get endpointslices -l kubernetes.io/service-name=%s", id.Namespace, id.Name))
		}
		for _, pod := range outside {
			f := install.About("MSH4135", api.Ref{APIVersion: "v1", Kind: "Pod", Namespace: id.Namespace, Name: pod}, "the proxy of pod %s, which answers for service %s, is not connected", pod, id)
			f.Severity = diag.Warning
			found.Add(f)
		}
		says = append(says, fmt.Sprintf("%d of %s", ready, id))
	}
	return strings.Join(says, ", "), found, nil
}

// behind counts a service's endpoints that are ready, and names the pods among them
// whose proxies are not connected.
func (w *walking) behind(ctx context.Context, id ir.ServiceID) (ready int, outside []string, err error) {
	parts, err := w.Client.List(ctx, api.Ref{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice", Namespace: id.Namespace}, "kubernetes.io/service-name="+id.Name)
	for _, s := range parts {
		for _, e := range api.List(s, "endpoints") {
			if is, known := api.At(e, "conditions", "ready").(bool); known && !is {
				continue
			}
			ready++
			pod := api.Text(e, "targetRef", "name")
			if api.Text(e, "targetRef", "kind") != "Pod" {
				continue
			}
			w.servers = append(w.servers, api.Ref{APIVersion: "v1", Kind: "Pod", Namespace: id.Namespace, Name: pod})
			if _, _, ok := control.Of(w.replicas, id.Namespace, pod); !ok {
				outside = append(outside, pod)
			}
		}
	}
	return ready, outside, err
}

// envoy is what the caller's proxy counts of the service: its endpoints, and calls
// that did not get through.
func (w *walking) envoy(ctx context.Context) (string, diag.List, error) {
	text, err := control.Counters(ctx, w.Client, w.From.Namespace, w.From.Name)
	if err != nil {
		return "", nil, err
	}
	name := w.To.String()
	healthy, ok := counter(text, "envoy_cluster_membership_healthy", name)
	var found diag.List
	if !ok {
		return "", diag.List{install.About("MSH4136", w.From, "the proxy of pod %s has no cluster %s", w.From.Name, name).
			WithEffect("it does not know the service, though it may call it").WithHelp("meshc status tells whether it is behind")}, nil
	}
	if healthy == 0 {
		found.Add(install.About("MSH4136", w.From, "the proxy of pod %s has no healthy endpoint of %s", w.From.Name, name))
	}
	failed, _ := counter(text, "envoy_cluster_upstream_cx_connect_fail", name)
	verify, _ := counter(text, "envoy_cluster_ssl_connection_error", name)
	if failed+verify > 0 {
		f := install.About("MSH4136", w.From, "of the proxy of pod %s, %.0f connections to %s failed, and %.0f handshakes", w.From.Name, failed, name, verify)
		f.Severity = diag.Warning
		found.Add(f)
	}
	return fmt.Sprintf("%.0f healthy endpoints of %s", healthy, name), found, nil
}

// counter is a metric of a cluster, as Envoy prints it.
func counter(text []byte, metric, cluster string) (float64, bool) {
	label := []byte(`envoy_cluster_name="` + strings.ReplaceAll(cluster, ":", "_") + `"`) // as names of counters go
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(line, []byte(metric+"{")) || !bytes.Contains(line, label) {
			continue
		}
		_, value, _ := bytes.Cut(line, []byte("} "))
		if n, err := strconv.ParseFloat(string(bytes.TrimSpace(value)), 64); err == nil {
			return n, true
		}
	}
	return 0, false
}

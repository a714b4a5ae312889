// Package inject makes a pod a member of the mesh: one manifest of a pod in, the
// same with interception and a stock Envoy out, or findings that say why not. It
// is a pure function and the same one for the webhook and for files; what it did
// before it first undoes, so that injecting twice is injecting once. It knows
// neither policy nor how a cluster is watched.
package inject

import (
	"encoding/json"
	"time"

	"github.com/meshc/meshc/admission/tree"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/dataplane/cni"
)

// Object is a Kubernetes object as JSON decodes it.
type Object = tree.Object

// The names of what injection adds.
const (
	InitContainer  = "meshc-init"
	ProxyContainer = "meshc-proxy"
	volumeName     = "meshc-identity"
	// TrustBundle is the ConfigMap of a namespace with what Trust returns.
	TrustBundle = "meshc-trust"

	// InjectedLabel is on every pod with a sidecar; catalogs tell by it who is meshed.
	InjectedLabel = ir.LabelInjected
	// recordAnnotation holds what is needed to undo an injection.
	recordAnnotation = "meshc.dev/injection"
)

// ProxyUID is the user that Envoy runs as: its own connections are told apart by it.
const ProxyUID = 1500

// Form is how the proxy stands in the pod.
type Form string

// The forms: a container that starts before the others and ends after them
// (kubelets of 1.29 and later), or one beside them.
const (
	Native  Form = "native"
	Classic Form = "classic"
)

// Interception is who hands a pod's connections to its proxy.
type Interception string

// The ways: an init container with NET_ADMIN, or the node's CNI plugin (package
// dataplane/cni), for which pods need no privilege.
const (
	ByInit Interception = "init"
	ByCNI  Interception = "cni"
)

// Settings are what a mesh has decided for all its pods. Images and ControlPlane
// are required.
type Settings struct {
	Mesh         string       // the mesh's name; empty: any namespace that names one is meant
	TrustDomain  string       // cluster.local
	ControlPlane string       // HOST:PORT of its ADS
	ServerName   string       // the name its certificate must have; HOST if empty
	EnvoyImage   string       // a stock Envoy
	InitImage    string       // one with `meshc`, for interception
	PullPolicy   string       // Kubernetes' default if empty
	Form         Form         // Native if empty
	Interception Interception // ByInit if empty
	Audience     string       // of the pod's token: meshc
	TrustBundle  string       // the ConfigMap of each namespace with what Trust returns: meshc-trust
	Drain        time.Duration
	Metrics      bool // ask Prometheus to scrape
	// Defaults are annotations that a pod may override and a namespace may, too.
	Defaults map[string]string
}

func (s Settings) withDefaults() Settings {
	for _, d := range []struct {
		field *string
		value string
	}{{&s.TrustDomain, "cluster.local"}, {&s.Audience, "meshc"}, {&s.TrustBundle, TrustBundle}, {(*string)(&s.Form), string(Native)},
		{(*string)(&s.Interception), string(ByInit)}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if s.Drain == 0 {
		s.Drain = 10 * time.Second
	}
	return s
}

// Namespace is what the pod's namespace says of itself.
type Namespace struct {
	Name                string
	Labels, Annotations map[string]string
}

// Result is what became of a pod.
type Result struct {
	Pod      Object // never the one that was given; without a sidecar where none belongs
	Injected bool
	Why      string // in words, for people and for audit
}

// Pod injects a pod or a pod template. Position gives the place of a path such as
// spec.containers[0].ports in the input. Where a finding is an error the pod comes
// back without a sidecar and must not run in the mesh.
func Pod(given Object, ns Namespace, s Settings, position func(path string) diag.Span) (Result, diag.List) {
	s = s.withDefaults()
	pod := tree.Clone(given).(Object)
	undo(pod)
	i := &injection{pod: pod, spec: child(pod, "spec"), ns: ns, settings: s, position: position}
	inject, why := i.decide()
	if !inject || i.failed() {
		return Result{Pod: pod, Why: why}, i.found
	}
	i.options = i.read()
	i.refuse()
	if i.failed() {
		return Result{Pod: pod, Why: "it cannot be injected as it is"}, i.found
	}
	probes := i.rewriteProbes()
	proxy, err := i.proxy(probes)
	if err != nil {
		// Settings are at fault, not the pod.
		i.add("MSH4036", "", "the proxy cannot be configured: %v", err)
		undo(pod)
		return Result{Pod: pod, Why: "the proxy cannot be configured"}, i.found
	}
	i.place(proxy)
	return Result{Pod: pod, Injected: true, Why: why}, i.found
}

// injection is one pod's way through.
type injection struct {
	pod, spec Object
	ns        Namespace
	settings  Settings
	options   options
	record    record
	position  func(string) diag.Span
	found     diag.List
}

// record is what undo needs.
type record struct {
	Probes      map[string]Object `json:"probes,omitempty"` // by CONTAINER/KIND, as they were
	Annotations []string          `json:"annotations,omitempty"`
}

func (i *injection) add(code diag.Code, path, format string, args ...any) *diag.Finding {
	f := diag.New(code, i.position(path), format, args...).About(diag.Object{Kind: "Pod", Namespace: i.ns.Name, Name: i.name()}, path)
	i.found.Add(f)
	return &i.found[len(i.found)-1]
}

func (i *injection) failed() bool {
	worst, any := i.found.Max()
	return any && worst == diag.Error
}

func (i *injection) name() string {
	if name := text(i.pod, "metadata", "name"); name != "" {
		return name
	}
	return text(i.pod, "metadata", "generateName")
}

// identity is the pod's account in the mesh.
func (i *injection) identity() ir.Identity {
	account := text(i.spec, "serviceAccountName")
	if account == "" {
		account = text(i.spec, "serviceAccount") // the deprecated alias
	}
	if account == "" {
		account = "default"
	}
	return ir.NewIdentity(i.settings.TrustDomain, i.ns.Name, account)
}

// undo takes away what an earlier injection added, whatever became of it since.
func undo(pod Object) {
	spec := child(pod, "spec")
	var r record
	if raw := text(pod, "metadata", "annotations", recordAnnotation); raw != "" {
		// Who spoils the record gets probes that do not fit, on a pod of their own.
		_ = json.Unmarshal([]byte(raw), &r)
	}
	for _, c := range allContainers(spec) {
		restoreProbes(c, r.Probes)
	}
	for _, list := range []string{"initContainers", "containers"} {
		drop(spec, list, InitContainer, ProxyContainer)
	}
	drop(spec, "volumes", volumeName)
	meta := child(pod, "metadata")
	remove(meta, "labels", InjectedLabel)
	remove(meta, "annotations", append(r.Annotations, recordAnnotation, cni.Annotation)...)
}

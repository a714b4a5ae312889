package syntax

// TrafficTarget is the union of v1alpha1 to v1alpha4.
type TrafficTarget struct {
	Destination Subject
	Rules       []Rule
	Sources     []Subject
}

// Subject is a source or a destination.
type Subject struct {
	Kind, Name, Namespace, Group string
	Port                         *int64 // v1alpha1, v1alpha2 destination.port; nil: not written (or 0 in v1alpha1)
}

// Rule refers to a route group of the target's namespace.
type Rule struct {
	Kind, Name string
	Matches    []string // nil: left out, all matches
	HasMatches bool     // matches was written, if only as []
}

// HTTPRouteGroup is the union of v1alpha1 to v1alpha4.
type HTTPRouteGroup struct{ Matches []HTTPMatch }

// HTTPMatch is a named request class as written.
type HTTPMatch struct {
	Name      string
	PathRegex string
	Methods   []string
	Headers   []Header // in the order written, names as written
}

// Header is a header name and its regular expression.
type Header struct{ Name, Regex string }

// PortRoute is a TCPRoute or UDPRoute.
type PortRoute struct {
	Ports    []int64
	HasPorts bool // false: a version or object without ports: all ports
}

// TrafficSplit is the union of v1alpha1 to v1alpha4.
type TrafficSplit struct {
	Service  string
	Backends []SplitBackend
	Matches  []TypedRef // v1alpha3, v1alpha4
}

// SplitBackend has its weight in milli-units in v1alpha1, in whole numbers later.
type SplitBackend struct {
	Service string
	Weight  int64
}

// TypedRef names an object of the same namespace.
type TypedRef struct{ APIGroup, Kind, Name string }

// IdentityBinding is v1alpha4.
type IdentityBinding struct {
	PodLabelSelector map[string]string // nil: not written
	SPIFFEIdentities []string
	ServiceAccount   string
}

// NamespaceObject is a core Namespace; its labels and annotations are in Object.
type NamespaceObject struct{}

// ServiceAccount is a core ServiceAccount.
type ServiceAccount struct{}

// Service is a core Service.
type Service struct {
	Type         string // ClusterIP when left out
	ClusterIP    string // "None": headless; "" unknown
	ClusterIPs   []string
	ExternalName string
	Selector     map[string]string // nil: none
	Ports        []ServicePort
}

// ServicePort is a port of a Service. Protocol is TCP when left out.
type ServicePort struct {
	Name, Protocol, AppProtocol string
	Port                        int64
	TargetPort                  int64  // 0: named, or left out (then Port)
	TargetName                  string // a named target port
}

// Workload is a Pod or anything with a pod template (Deployment, StatefulSet,
// DaemonSet, ReplicaSet, ReplicationController, Job, CronJob, Argo Rollout).
type Workload struct {
	Replicas       *int64 // nil: not written
	ServiceAccount string // "default" when left out
	PodLabels      map[string]string
	PodAnnotations map[string]string
	ServiceName    string // StatefulSet
	HostNetwork    bool
	Containers     []Container
	InitContainers []Container // sidecars among them have RestartAlways
	// MatchLabels is the workload's own pod selector, nil for a Pod.
	MatchLabels map[string]string
	// TemplateRef names another workload whose template is used (Argo Rollout workloadRef).
	TemplateRef *TypedRef
	// TemplatePath is where the pod template lies in the object: nil for a Pod,
	// {"spec","template"} for a Deployment, ... Paths to pod fields start with it.
	TemplatePath []any
	// Canary and Stable services an Argo Rollout rewrites the selectors of; "" if none.
	CanaryService, StableService string
}

// Container is what the mesh reads of a container.
type Container struct {
	Name          string
	Image         string
	Command, Args []string
	Env           []EnvVar
	Ports         []ContainerPort
	RestartAlways bool
}

// EnvVar is a plain variable; ones with valueFrom are left out.
type EnvVar struct{ Name, Value string }

// ContainerPort is a declared port.
type ContainerPort struct {
	Name, Protocol string
	Port           int64
}

// Canary is Flagger's: it creates TARGET-primary (workload) and the services
// NAME, NAME-primary and NAME-canary.
type Canary struct {
	TargetKind, TargetName                string
	ServiceName                           string // spec.service.name, else TargetName
	Port                                  int64
	TargetPort                            int64
	TargetPortName, PortName, AppProtocol string
}

// Package kube is the catalog of one or more Kubernetes clusters: in come Services,
// EndpointSlices, Pods, ServiceAccounts, Namespaces and Nodes as their API servers
// tell them; out go snapshots. What objects mean (Translate) is a pure function.
// It knows nothing of Envoy and nothing of policy; an API server that is away
// changes nothing that it told before.
package kube

import (
	"net/netip"

	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"

	"github.com/meshc/meshc/catalog"
)

// Rules say how objects are read; the zero value is useful.
type Rules struct {
	// TrustDomain of the mesh; cluster.local if empty.
	TrustDomain string
	// Mesh is the mesh's name, as LabelMesh says it; empty: any.
	Mesh string
	// Intended counts a pod as meshed that is to have a sidecar, whether it has it
	// by now or not: for facts, which must not depend on who was restarted when.
	Intended bool
}

// Objects are what one namespace of one cluster holds. Nothing in them is changed.
type Objects struct {
	Name                string
	Exists              bool              // its namespace is known: objects may come before it
	Labels, Annotations map[string]string // of the namespace
	Services            []*core.Service
	Slices              []*discovery.EndpointSlice
	Pods                []*core.Pod
	Accounts            []string
	Localities          map[string]catalog.Locality // of the cluster's nodes, by name
}

func (o *Objects) empty() bool {
	return !o.Exists && len(o.Services)+len(o.Pods)+len(o.Accounts) == 0
}

// Cluster is what a cluster holds, in translated form.
type Cluster struct {
	Name          string // empty for the mesh's own; in names of workloads of others
	Parts         []*Part
	ServiceRanges []netip.Prefix
	PodRanges     []netip.Prefix
}

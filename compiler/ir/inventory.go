package ir

import "net/netip"

// Inventory is what the tree says of running things: what a lab needs to make
// workloads of manifests, and `catalog export`. It is not policy: no digest
// depends on it.
type Inventory struct {
	Namespaces []InventoryNamespace
	Services   []InventoryService
	Workloads  []InventoryWorkload
}

// InventoryNamespace is a namespace that the tree shows: by its manifest, or by
// an object that lies in it.
type InventoryNamespace struct {
	Name   string
	Labels map[string]string // as written in its manifest
}

// InventoryService is a Service of the tree.
type InventoryService struct {
	ID       ServiceID
	Headless bool
	VIPs     []netip.Addr // as written in clusterIPs; often none
	Ports    []Port       // UDP too
}

// InventoryWorkload is a Pod or a workload with a pod template.
type InventoryWorkload struct {
	Kind      string
	Namespace string
	Name      string
	Identity  Identity
	Replicas  int // 1 when not written
	Meshed    bool
	Services  []ServiceID // services that select it, sorted
	// Hostnames are NAME-ORDINAL of a StatefulSet with its governing service; else empty.
	Governing   ServiceID
	Labels      map[string]string
	Annotations map[string]string // of the pod
	Command     string            // annotation lab.meshc.dev/command
	Ports       []ContainerPort
	// TargetPorts leads from each service port it backs to its own port number.
	TargetPorts map[PortID]uint16
}

// ContainerPort is a declared port of a workload.
type ContainerPort struct {
	Name string
	UDP  bool
	Port uint16
}

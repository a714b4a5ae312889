package ir

// Labels and annotations by which objects of Kubernetes say what they are to a mesh.
// The names are for ever.
const (
	// LabelMesh on a namespace names the mesh that it is in.
	LabelMesh = "meshc.dev/mesh"
	// LabelInject on a namespace or pod: enabled or disabled.
	LabelInject = "meshc.dev/inject"
	// LabelInjected is on every pod that has a sidecar.
	LabelInjected = "meshc.dev/injected"
)

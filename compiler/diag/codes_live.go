package diag

// liveCodes are MSH50xx: what is told of a mesh that a cluster's controller serves.
var liveCodes = []Entry{
	same(Warning, "MSH5001", "the mesh is served from a bundle, not from the cluster's objects",
		"The Mesh of the cluster names a bundle (`spec.bundle`). The control plane serves that, and SMI objects in the cluster are judged but change nothing: their status says Programmed=False, reason BundleSource.\n\nChange the sources from which the bundle is built. To serve the cluster's objects instead, take `bundle` out of the Mesh.",
		"apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec: {bundle: {oci: registry.example/mesh:stable}}",
		"apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec: {mode: strict}"),
	same(Error, "MSH5002", "the trust domain of a mesh that runs is changed",
		"Every certificate of the mesh says its trust domain, and grants are held against it. Were another one taken, every proxy that runs would be refused and refuse, until it had a new certificate of a new authority. So the trust domain is that of the authority (the Secret `meshc-ca`), and a Mesh that says another one is refused as a whole: what it said before stays in force.\n\nA mesh of another trust domain is a new one. docs/kubernetes.md says how one follows the other.",
		"spec: {trustDomain: new.example}   # meshc-ca is of cluster.local", "spec: {trustDomain: cluster.local}"),
}

package diag

// liveCodes are MSH50xx: what is told of a mesh that a cluster's controller serves.
var liveCodes = []Entry{
	same(Warning, "MSH5001", "the mesh is served from a bundle, not from the cluster's objects",
		"The Mesh of the cluster names a bundle (`spec.bundle`). The control plane serves that, and SMI objects in the cluster are judged but change nothing: their status says Programmed=False, reason BundleSource.\n\nChange the sources from which the bundle is built. To serve the cluster's objects instead, take `bundle` out of the Mesh.",
		"apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec: {bundle: {oci: registry.example/mesh:stable}}",
		"apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec: {mode: strict}"),
}

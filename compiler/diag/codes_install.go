package diag

// installCodes are MSH41xx: a cluster that a control plane is put into, or runs in.
var installCodes = []Entry{
	same(Error, "MSH4101", "another control plane of meshc is installed",
		"A cluster has one control plane of meshc: the names of its webhooks and definitions are the cluster's. A second one, in another namespace or under another name, would judge the same policy and inject the same pods; one that Helm installed is Helm's to change.",
		"meshc install --namespace mesh-b   # there is one in meshc-system", "meshc upgrade --namespace meshc-system"),
	same(Error, "MSH4102", "another mesh controls the same namespaces",
		"Open Service Mesh puts its own proxy into the pods of the namespaces that say `openservicemesh.io/monitored-by`; Traefik Mesh reads SMI policy of all namespaces. Where both meshes work on a namespace, its pods get two proxies, or one policy has two meanings. Move namespaces from the one to the other, one at a time.",
		"labels: {openservicemesh.io/monitored-by: osm, meshc.dev/mesh: mesh}", "labels: {meshc.dev/mesh: mesh}"),
	same(Error, "MSH4108", "the API server cannot call a webhook of the mesh",
		"Policy is judged and pods are injected when the API server calls the controller. Without the webhook, its authority or an answer, no policy can be written and no pod of the mesh made: both fail closed, and all else goes on.",
		"caBundle: \"\"", "caBundle: LS0t...   # written by the controller, or by cert-manager"),
	same(Error, "MSH4111", "the control plane is not available",
		"The Deployment meshc-controller has fewer replicas available than it is to have, or some that run older settings. Proxies keep what they have meanwhile; new pods of the mesh wait. The message says what its pods say.",
		"status: {replicas: 2, availableReplicas: 0}", "status: {replicas: 2, availableReplicas: 2}"),
	same(Error, "MSH4112", "a value of the chart does not fit",
		"The chart's values are held against values.schema.json: a name that is none, or a value of another type, would silently do nothing or make an object that the API server refuses.",
		"replica: 2", "replicas: 2"),
	same(Info, "MSH4113", "an image is named by a tag",
		"A tag can be moved: replicas and sidecars that start later may run something else than those before. A digest is what was tested.",
		"image: registry.example/meshc:latest", "image: registry.example/meshc@sha256:9f86d081..."),
}

package diag

// linkCodes are MSH46xx: differences between what was compiled and what runs,
// found when a bundle is bound to a catalog. They may close, never open.
var linkCodes = []Entry{
	same(Warning, "MSH4601", "a compiled service is not running",
		`The bundle has policy for a service that the catalog does not know. Nothing is lost: as soon as the catalog has it, it is bound. Until then it has no address, so its callers have no listener for it, and routes that lead to it (a split's share) answer 503.

Start the service, add it to the catalog, or take its manifests away and build again.`,
		"services: []   # catalog.yaml; the bundle has bookstore/bookstore", "services:\n- {namespace: bookstore, name: bookstore, vips: [10.0.0.1]}"),
	same(Warning, "MSH4602", "a running endpoint stays out of its service",
		`Clients accept only the certificates of the accounts that were known behind a service when the bundle was compiled. An endpoint of another account, one without a sidecar behind a meshed service, and one whose target port nobody knows could not be reached safely, so clients are not told of it. "meshc status" lists it.

If the endpoint is right, compile again with the account behind the service (a workload in the tree, "meshc lock --update", or "assume"). If it is wrong, take the workload out of the service: somebody may have started a pod with the service's labels.`,
		"endpoints:\n- {address: 10.1.0.9, identity: bookthief/bookthief}   # behind bookstore/bookstore", "endpoints:\n- {address: 10.1.0.9, identity: bookstore/bookstore}"),
	same(Warning, "MSH4603", "a service port runs otherwise than it was compiled",
		`HTTP and TCP ports are guarded by different configuration. If a port's protocol changes after the build, neither the client's nor the server's side fits any more. The port is closed on both sides: late facts may close what a bundle opens, never open more. The same goes for a compiled port that the running service no longer has.

Build again from manifests with the new protocol.`,
		"ports: [{port: 8080, protocol: tcp}]    # compiled as http", "ports: [{port: 8080, protocol: http}]"),
	same(Warning, "MSH4604", "a service became headless, or stopped being so",
		`A headless service is called by the addresses of its endpoints, any other by its virtual address; the two are compiled differently. A service that changed sides is closed for callers until it is compiled again.`,
		"clusterIP: None      # compiled with a virtual address", "clusterIP: 10.0.0.1"),
	same(Warning, "MSH4605", "service ports that shared a target port have parted",
		`Two service ports that lead to one target port are one door: their grants were compiled together. Now they lead to different target ports. Which grants belong behind which door cannot be told from the bundle, so both stay closed on that workload.

Build again.`,
		"ports:\n- {port: 80, targetPort: 8080}\n- {port: 81, targetPort: 9090}   # was 8080", "ports:\n- {port: 80, targetPort: 8080}\n- {port: 81, targetPort: 8080}"),
	same(Warning, "MSH4606", "a service port moved onto a target port with other grants",
		`A service port now leads to a target port that another service port of the same workload already guards with its own grants. Opening it for both would let the callers of one call the other. It stays closed for the one that moved.

Build again: then the two are judged together, and a finding tells what shares a door.`,
		"ports: [{port: 80, targetPort: 9090}]   # was 8080; 9090 is the admin service's", "ports: [{port: 80, targetPort: 8080}]"),
	same(Info, "MSH4607", "a target port differs from the compiled one",
		`The number behind a target port is bound when a bundle meets the catalog. This one is not the number that was written when it was compiled. Its grants hold on the new number; nothing else has changed.`,
		"targetPort: 8081   # compiled with 8080", "targetPort: 8080"),
	same(Warning, "MSH4608", "a workload has a role that was not compiled",
		`What a workload takes is compiled for its role: its identity together with the services it backs. The catalog has a workload in a combination that the bundle does not have, usually because its labels changed, or a service's selector. It may call what its identity may call; it takes no calls.

Build again, with the lock updated if the workload's manifests are elsewhere.`,
		"workloads:\n- {name: shop/cart-1, identity: shop/cart, services: [shop/cart, shop/admin]}   # compiled: [shop/cart]", "workloads:\n- {name: shop/cart-1, identity: shop/cart, services: [shop/cart]}"),
	same(Warning, "MSH4609", "egress is allowed but the mesh's ranges are unknown",
		`With egress allowed a proxy passes on what it does not know. The mesh's own addresses must be excepted, or egress would lead round the mesh's policy straight to a pod. Neither meshc.yaml nor the catalog says which ranges these are, so egress stays denied.

Set "ranges" in meshc.yaml. A lab and a cluster's catalog supply them by themselves.`,
		"spec: {egress: allow}", "spec:\n  egress: allow\n  ranges: {services: [10.96.0.0/12], pods: [10.244.0.0/16]}"),
	same(Warning, "MSH4610", "two service ports claim one address",
		`A proxy picks a service by the address and port that was dialled. Two service ports with the same address and port cannot be told apart: a client that may call both reaches the first by name. Two headless services over the same pods and port are the usual cause; each works for clients that may call only that one.`,
		"# two headless Services select app=db on port 5432", "# one headless Service for names, one with a virtual address for calls"),
	same(Error, "MSH4611", "what was composed is not what it should be",
		`The control plane puts addresses, ports and endpoints into what the compiler made. Before it serves the outcome it reads it again with the interpreter of the verifier and holds it against the bundle and the catalog: the same chains on the right target ports, the right addresses, endpoints of known accounts only. This one differs, which is a defect of meshc. It is withheld; proxies keep what they have.

Please report it with the bundle's digest and the catalog's entry for the service.`,
		"# none: no input should lead here", "# none"),
	same(Warning, "MSH4612", "the policy names an account that is not there",
		`The bundle grants something to an account, or by one, that the catalog does not list: it was there when the bundle was compiled, or the lock says so, and is not now. Nobody can call as an account that is not there. Whoever makes an account of that name gets what the policy grants it.

Take it out of the policy, or look again with "meshc lock --update" and build.`,
		"account shop/web      # meshc.lock; the cluster has no such ServiceAccount", "kubectl -n shop create serviceaccount web"),
	same(Warning, "MSH4613", "a service that was absent runs",
		`A split names a service that was not there when the bundle was compiled ("absent" in the lock), so its share of the calls gets 503. Now the service runs. Absences are facts like others: what rests on one is compiled again when it ends.

Look again with "meshc lock --update" and build.`,
		"absent service shop/cart-v2      # meshc.lock; the cluster has it", "service shop/cart-v2 account=shop/cart port=80"),
}

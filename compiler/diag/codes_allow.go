package diag

// allowCodes are MSH465x: what `meshc allow` was asked and cannot write.
var allowCodes = []Entry{
	same(Error, "MSH4650", "what is to be allowed does not exist",
		"`meshc allow` writes a grant for identities and services that the mesh knows: one for a name with a slip in it would allow nothing, and look as if it did. The finding names the nearest name that is known.",
		"meshc allow bookbuyer/bookbuyr bookstore/bookstore GET /books", "meshc allow bookbuyer/bookbuyer bookstore/bookstore GET /books"),
	same(Error, "MSH4651", "it is allowed already",
		"The mesh lets the request through as it is. The finding names what lets it: a grant, the namespace's mode, or egress. Another grant would change nothing, and the next reader would look for its reason.",
		"meshc allow bookbuyer/bookbuyer bookstore/bookstore GET /buy-a-book/new", "meshc can bookbuyer/bookbuyer bookstore/bookstore GET /buy-a-book/new --why"),
	same(Error, "MSH4652", "no grant can allow it",
		"The request is refused for another reason than the lack of a grant: nobody runs behind the service, the path is one that proxies refuse, the destination is outside the mesh, the client has no certificate, or its port carries something else. The finding says which.",
		"meshc allow shop/web shop/api CONNECT /", "meshc allow shop/web shop/api GET /"),
	same(Error, "MSH4653", "a verdict table says that it is denied",
		"A case of a table expects that this very request, or another one that the new grant lets through, is denied. The table is what was decided before: change the case first, if the decision has changed.",
		"- {from: bookthief/bookthief, to: bookstore/bookstore:14001, http: {method: GET, path: /books}, expect: deny}", "- {from: bookthief/bookthief, to: bookstore/bookstore:14001, http: {method: GET, path: /books}, expect: allow}"),
	same(Error, "MSH4654", "there is no file to write it into",
		"`meshc allow` edits manifests, and the resources that kustomizations render. What a patch, a generator or a prefix of a kustomization makes, what comes from standard input and what only a lock knows it does not edit: write the grant at the place that the finding names, or into the base or overlay that it belongs to.",
		"helm template . | meshc allow shop/web shop/api GET / -", "meshc allow shop/web shop/api GET / ./manifests"),
	same(Warning, "MSH4655", "a line of the access log cannot be read",
		"`meshc allow --from-audit` reads the access log of servers' proxies: one JSON object a line, as meshc's bundles have Envoy write it. Lines of the proxy's own log between them are passed over; one that begins as an object and is none, or names a caller, service or path that the mesh does not know, proposes nothing and is told.",
		`{"meshc":"http","side":"inbound","peer":"spiffe://cluster.local/ns/shop/sa/we`, `{"meshc":"http","side":"inbound","peer":"spiffe://cluster.local/ns/shop/sa/web","port":"shop/api:80","method":"GET","path":"/","shadow_result":"denied"}`),
}

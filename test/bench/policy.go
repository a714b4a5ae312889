package bench

import "fmt"

// PolicyMesh is what a repository of policy holds of ref-mesh(n): its namespaces,
// accounts, services, route groups, targets and splits, without workloads.
// 244 services are 1,004 documents, 2,440 are 10,029.
func PolicyMesh(n, files int) map[string][]byte {
	docs := namespaces(n)
	for i := range n {
		docs = append(docs, account(i), service(i), routeGroup(i), target(i, n))
		if i%10 == 0 && i+1 < n && namespaceOf(i) == namespaceOf(i+1) {
			docs = append(docs, split(i))
		}
	}
	return spread(fmt.Sprintf("policy-%d", n), docs, files)
}

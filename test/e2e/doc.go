// Package e2e proves meshc on a real cluster: what a reader of the Kubernetes example
// does, what pods of a mesh meet, and what GitOps controllers make of it. `make e2e`
// runs it; without the tag e2e nothing of it is built, because Kubernetes is not built
// in passing.
package e2e

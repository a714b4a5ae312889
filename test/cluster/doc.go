// Package cluster is a single-node Kubernetes for tests, and the tests that need a
// real kubelet; see README.md.
package cluster

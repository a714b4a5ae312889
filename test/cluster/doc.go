// Package cluster is a Kubernetes for tests, and the tests that need a
// real kubelet; see README.md.
package cluster

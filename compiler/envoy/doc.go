// Package envoy lowers a mesh to Envoy resources: in comes ir.Mesh, out goes
// ir.Plan. It refuses to know addresses, files and the API of Kubernetes.
package envoy

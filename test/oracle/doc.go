// Package oracle holds what the compiler believes of Envoy against Envoy: each
// folder of testdata is a mesh with a verdict table of corner cases, which must
// hold on the mesh, on the compiled configuration and on real Envoys. From a seed
// come meshes and hostile requests without end, judged alike; what they find is
// shrunk to a story in stories, which is told again in every run. It holds tests alone.
package oracle

// Package verdict runs verdict tables: what a mesh's author says of who may call
// whom, against what the mesh means and what its compiled configuration does.
// Where these two differ the compiler is at fault, and that is a failure of its
// own. What real proxies did can be put beside them. The package compiles
// nothing and runs no proxy.
package verdict

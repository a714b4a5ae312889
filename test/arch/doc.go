// Package arch proves the import ladder of ARCHITECTURE.md: imports point down
// only, and each pure room is free of the worldly packages it must not know. It
// holds tests alone.
package arch

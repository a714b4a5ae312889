// Package examples runs every numbered story: its verdict table must hold on
// the IR, on the compiled configuration and on real Envoys.
package examples

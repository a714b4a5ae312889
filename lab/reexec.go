package lab

import (
	"os"

	"github.com/meshc/meshc/lab/pod"
	"github.com/meshc/meshc/lab/sandbox"
)

// Reexec runs the role that this process was started in, and exits, if it was
// started as a part of a lab; else it does nothing. Every program that calls Up
// must call it first of all in main (tests in TestMain): a lab's processes are
// the same binary under other names.
func Reexec() {
	switch os.Args[0] {
	case sandbox.Role:
		os.Exit(sandbox.Main(os.Args[1:]))
	case pod.Role:
		os.Exit(pod.Main(os.Args[1:]))
	}
}

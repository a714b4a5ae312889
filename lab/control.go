package lab

import (
	"net"
	"path/filepath"

	"github.com/meshc/meshc/lab/wire"
)

// Operations that other processes ask of a running lab.
const (
	opExec = "exec"
	opTest = "test"
	opDown = "down"
)

type execArgs struct{ Workload string }

// execResult is where to run the program, and what the pod adds to its environment.
type execResult struct {
	Socket string
	Env    []string
}

// serveControl answers `lab exec`, `lab test` and `lab down`.
func (l *Lab) serveControl() error {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(l.claim.dir, controlFile), Net: "unix"})
	if err != nil {
		return err
	}
	l.control = listener
	go wire.Serve(listener, map[string]wire.Handler{opExec: l.answerExec, opTest: l.answerTest, opDown: l.answerDown})
	return nil
}

func (l *Lab) answerExec(c *wire.Call) (any, error) {
	var args execArgs
	if err := c.Decode(&args); err != nil {
		return nil, err
	}
	p, err := l.Topology().Find(args.Workload)
	if err != nil {
		return nil, err
	}
	socket, err := l.ground.socket(p.ID())
	if err != nil {
		return nil, err
	}
	return execResult{Socket: socket, Env: l.ground.environment(p)}, nil
}

func (l *Lab) answerTest(*wire.Call) (any, error) { return l.Test(l.ctx) }

// answerDown only asks: whoever holds the lab takes it down.
func (l *Lab) answerDown(*wire.Call) (any, error) {
	l.askedDown.Do(func() { close(l.down) })
	return nil, nil
}

package pod

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/meshc/meshc/lab/wire"
)

// Run is a program to run in the pod. Its standard files come beside it.
type Run struct {
	Args []string
	Env  []string
	Dir  string
	UID  int // 0: as we are
}

// Exit is how a program ended: its exit code, 128 + the signal that killed it.
type Exit struct{ Code int }

// Signal is sent by the caller of OpRun while the program runs.
type Signal struct{ Number int }

// run starts a program in a session of its own, hands on signals, and kills it
// when the caller goes away.
func run(c *wire.Call) (any, error) {
	var args Run
	if err := c.Decode(&args); err != nil {
		return nil, err
	}
	if len(args.Args) == 0 || len(c.Files) != 3 {
		return nil, errors.New("a program needs arguments and three standard files")
	}
	cmd := command(args)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Files[0], c.Files[1], c.Files[2]
	exit, err := start(cmd)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", args.Args[0], err)
	}
	signals := make(chan int, 1)
	go receiveSignals(c.Conn, signals)
	for {
		select {
		case code := <-exit:
			return Exit{code}, nil
		case number := <-signals:
			// The whole session: a shell's children are to hear of it too.
			_ = syscall.Kill(-cmd.Process.Pid, syscall.Signal(number))
		}
	}
}

// receiveSignals hands on the caller's signals, and a killing one when it is gone.
func receiveSignals(c *wire.Conn, signals chan<- int) {
	for {
		var s Signal
		if _, err := c.Receive(&s); err != nil {
			signals <- int(syscall.SIGKILL)
			return
		}
		signals <- s.Number
	}
}

// command finds the program in the PATH it is given, not in ours.
func command(r Run) *exec.Cmd {
	cmd := exec.Command(r.Args[0], r.Args[1:]...)
	cmd.Env, cmd.Dir = r.Env, r.Dir
	if _, err := os.Stat(r.Dir); err != nil {
		cmd.Dir = "/"
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if r.UID != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(r.UID), Gid: uint32(r.UID)}
	}
	return cmd
}

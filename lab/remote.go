package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/meshc/meshc/lab/pod"
	"github.com/meshc/meshc/lab/wire"
)

// Remote is a lab that runs in another process of this user.
type Remote struct{ dir string }

// Find finds a running lab by its name; an empty name is the only one there is.
func Find(name string) (*Remote, error) {
	if name != "" {
		if dir := filepath.Join(baseDir(), name); held(dir) {
			return &Remote{dir}, nil
		}
		return nil, fmt.Errorf("no lab %q runs: start it with 'meshc lab up'", name)
	}
	dirs, err := running()
	switch {
	case err != nil:
		return nil, err
	case len(dirs) == 0:
		return nil, errors.New("no lab runs: start one with 'meshc lab up PATH'")
	case len(dirs) > 1:
		names := make([]string, len(dirs))
		for i, d := range dirs {
			names[i] = filepath.Base(d)
		}
		return nil, fmt.Errorf("several labs run: say which with --name (%s)", list(names))
	}
	return &Remote{dirs[0]}, nil
}

// Name is the lab's name.
func (r *Remote) Name() string { return filepath.Base(r.dir) }

func (r *Remote) ask(op string, args, result any) error {
	_, err := wire.Ask(filepath.Join(r.dir, controlFile), op, args, result)
	return err
}

// Exec runs a program in a pod, found as Topology.Find does, with the standard
// files of the caller. It gives the program's exit code.
func (r *Remote) Exec(workload string, args []string, stdin, stdout, stderr *os.File) (int, error) {
	var at execResult
	if err := r.ask(opExec, execArgs{workload}, &at); err != nil {
		return 0, err
	}
	return at.run(args, stdin, stdout, stderr)
}

// run runs a program in the pod behind a socket.
func (at execResult) run(args []string, stdin, stdout, stderr *os.File) (int, error) {
	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	run := pod.Run{Args: args, Dir: dir, Env: append(os.Environ(), at.Env...)}
	call, err := wire.Open(at.Socket, pod.OpRun, run, stdin, stdout, stderr)
	if err != nil {
		return 0, err
	}
	defer call.Close()
	defer forward(call)()
	var exit pod.Exit
	_, err = call.Result(&exit)
	return exit.Code, err
}

// forward hands this process's signals on to the program.
func forward(call *wire.Conn) (stop func()) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGWINCH)
	go func() {
		for s := range signals {
			if call.Send(pod.Signal{Number: int(s.(syscall.Signal))}) != nil {
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}

// Test runs the lab's verdict tables on its Envoys.
func (r *Remote) Test() (Report, error) {
	var report Report
	return report, r.ask(opTest, nil, &report)
}

// Down ends the lab and waits until nothing of it is left.
func (r *Remote) Down(ctx context.Context) error {
	if err := r.ask(opDown, nil, nil); err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(r.dir); errors.Is(err, os.ErrNotExist) || !held(r.dir) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the lab %s did not end: %w", r.Name(), ctx.Err())
		}
	}
}

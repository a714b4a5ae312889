package pod

import (
	"os"
	"os/exec"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// waiting leads from a child to who wants its exit. The first process of a pod
// inherits every orphan, so one place takes all exits and exec.Cmd.Wait is not
// used. The lock is held over a start: no child can end before it is known.
var waiting = struct {
	sync.Mutex
	exits map[int]chan<- int
}{exits: map[int]chan<- int{}}

// start starts a command whose standard files are files; its exit code (128 + the
// signal that killed it, as shells have it) comes over the channel.
func start(cmd *exec.Cmd) (<-chan int, error) {
	waiting.Lock()
	defer waiting.Unlock()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exit := make(chan int, 1)
	waiting.exits[cmd.Process.Pid] = exit
	return exit, nil
}

// reap takes the exit of every child.
func reap() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	for range ended {
		for {
			var status unix.WaitStatus
			pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
			if err == unix.EINTR {
				continue
			}
			if err != nil || pid <= 0 {
				break
			}
			report(pid, status)
		}
	}
}

func report(pid int, status unix.WaitStatus) {
	waiting.Lock()
	defer waiting.Unlock()
	exit, ok := waiting.exits[pid]
	if !ok {
		return // an orphan
	}
	delete(waiting.exits, pid)
	code := status.ExitStatus()
	if status.Signaled() {
		code = 128 + int(status.Signal())
	}
	exit <- code
}

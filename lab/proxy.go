package lab

import (
	"os"

	"github.com/meshc/meshc/lab/pod"
)

// KillEnvoy ends a pod's proxy by SIGKILL and returns when it is gone. Its pod's
// connections go on being led to it: they fail.
func (l *Lab) KillEnvoy(p *Pod) error { return l.ground.ask(p.ID(), pod.OpKillEnvoy, nil, nil) }

// StartEnvoy starts a pod's proxy anew after KillEnvoy, with a new join token. It
// returns when the proxy has its configuration and serves by it.
func (l *Lab) StartEnvoy(p *Pod) error {
	l.changing.Lock()
	defer l.changing.Unlock()
	return l.converge([]*Pod{p}, []*Pod{p})
}

// LaunchEnvoy is StartEnvoy without the wait for a configuration.
func (l *Lab) LaunchEnvoy(p *Pod) error { return l.startEnvoy(p) }

// Exec runs a program in a pod with the given standard files until it ends. It
// gives the program's exit code.
func (l *Lab) Exec(p *Pod, args []string, stdin, stdout, stderr *os.File) (int, error) {
	socket, err := l.ground.socket(p.ID())
	if err != nil {
		return 0, err
	}
	return execResult{Socket: socket, Env: l.ground.environment(p)}.run(args, stdin, stdout, stderr)
}

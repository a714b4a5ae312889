// Package sandbox is the machine a lab runs on: one process that is the first of
// its own process, network, mount and (without root) user namespace, and that
// holds a bridge and starts pods in namespaces of their own. Whoever started it
// keeps a pipe to it; when that closes the first process ends, and the kernel
// ends and removes all the rest. It knows nothing of meshes.
package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/meshc/meshc/lab/wire"
)

// Role is the argv[0] by which a binary is told to be the first process.
const Role = "meshc-lab-machine"

// BridgeName is the bridge's interface in the sandbox.
const BridgeName = "mesh0"

// Options describe a sandbox.
type Options struct {
	Dir      string // for sockets; exists, with a short absolute path
	Rootless bool   // make a user namespace
	// Bridge is the bridge's own addresses, with their prefixes.
	Bridge []netip.Prefix
	Log    io.Writer // what the processes inside write to standard error; nil: nothing
}

// Sandbox is a running machine.
type Sandbox struct {
	opts Options
	cmd  *exec.Cmd
	life *os.File // closing it ends the sandbox
	done chan struct{}
	// IPv6 tells whether the kernel has it.
	IPv6 bool
}

// Start makes the namespaces and waits until the bridge is up.
func Start(opts Options) (*Sandbox, error) {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(opts.Dir, "machine.sock"), Net: "unix"})
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	listener.SetUnlinkOnClose(false)
	socket, err := listener.File()
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	lifeRead, life, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer lifeRead.Close()
	ready, readyWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ready.Close()

	cmd := command(opts)
	cmd.ExtraFiles = []*os.File{socket, lifeRead, readyWrite}
	err = startLocked(cmd)
	readyWrite.Close()
	if err != nil {
		life.Close()
		return nil, unavailable(opts.Rootless, err)
	}
	s := &Sandbox{opts: opts, cmd: cmd, life: life, done: make(chan struct{})}
	go func() { cmd.Wait(); close(s.done) }()
	if err := s.awaitReady(ready); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// command is the first process with its namespaces.
func command(opts Options) *exec.Cmd {
	args := []string{Role}
	for _, p := range opts.Bridge {
		args = append(args, p.String())
	}
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: args, Env: os.Environ(), Stderr: opts.Log}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Setsid:     true, // Ctrl-C is for whoever started us, who then ends us in good order
		Pdeathsig:  syscall.SIGKILL,
	}
	if opts.Rootless {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		cmd.SysProcAttr.GidMappingsEnableSetgroups = false
	}
	return cmd
}

// startLocked starts a command from a thread that lives as long as the process:
// the death signal is sent when the starting thread ends, not the process.
func startLocked(cmd *exec.Cmd) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		result <- cmd.Start()
		<-make(chan struct{}) // keeps the thread; it costs a few KiB for each sandbox
	}()
	return <-result
}

// awaitReady reads the first process's one line: how it went.
func (s *Sandbox) awaitReady(r io.Reader) error {
	line, err := bufio.NewReader(r).ReadString('\n')
	switch {
	case err != nil:
		return unavailable(s.opts.Rootless, errors.New("the first process of the sandbox ended at once"))
	case line == "ipv6\n":
		s.IPv6 = true
		return nil
	case line == "ipv4\n":
		return nil
	}
	return unavailable(s.opts.Rootless, errors.New(line[:len(line)-1]))
}

// Done is closed when the sandbox has ended.
func (s *Sandbox) Done() <-chan struct{} { return s.done }

// Pid is the first process's number outside of the sandbox.
func (s *Sandbox) Pid() int { return s.cmd.Process.Pid }

// Close ends every process in the sandbox and waits until the kernel has done so.
func (s *Sandbox) Close() {
	s.life.Close()
	s.cmd.Process.Kill()
	<-s.done
}

func (s *Sandbox) ask(op string, args, result any) ([]*os.File, error) {
	return wire.Ask(filepath.Join(s.opts.Dir, "machine.sock"), op, args, result)
}

// Listen opens a socket in the sandbox's own network, for use in this process:
// a socket stays in the network it was made in.
func (s *Sandbox) Listen(address string) (net.Listener, error) {
	f, err := s.socket("tcp", address)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileListener(f)
}

// ListenPacket is Listen for UDP.
func (s *Sandbox) ListenPacket(address string) (net.PacketConn, error) {
	f, err := s.socket("udp", address)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FilePacketConn(f)
}

func (s *Sandbox) socket(network, address string) (*os.File, error) {
	files, err := s.ask("listen", listenArgs{network, address}, nil)
	if err != nil {
		return nil, fmt.Errorf("listen on %s in the lab: %w", address, err)
	}
	if len(files) != 1 {
		return nil, errors.New("the sandbox gave no socket")
	}
	return files[0], nil
}

// AddPod starts a process with argv[0] role in namespaces of its own, with an
// interface eth0 on the bridge, that answers calls on the socket at path.
func (s *Sandbox) AddPod(role, name, path string) error {
	_, err := s.ask("add", addArgs{role, name, path}, nil)
	return err
}

// RemovePod ends a pod's processes.
func (s *Sandbox) RemovePod(name string) error {
	_, err := s.ask("remove", removeArgs{name}, nil)
	return err
}

type listenArgs struct{ Network, Address string }
type addArgs struct{ Role, Name, Path string }
type removeArgs struct{ Name string }

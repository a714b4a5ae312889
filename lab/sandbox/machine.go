package sandbox

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/meshc/meshc/lab/wire"
)

// Inherited files of the first process.
const (
	socketFD = 3
	lifeFD   = 4
	readyFD  = 5
)

// machine is the state of the first process.
type machine struct {
	bridge netlink.Link
	mu     sync.Mutex
	pods   map[string]*exec.Cmd
	next   int
}

// Main is the first process. It returns only to exit.
func Main(args []string) int {
	ready := os.NewFile(readyFD, "ready")
	m := &machine{pods: map[string]*exec.Cmd{}}
	ipv6, err := m.setup(args)
	if err != nil {
		fmt.Fprintf(ready, "%v\n", err)
		return 1
	}
	l, err := net.FileListener(os.NewFile(socketFD, "socket"))
	if err != nil {
		fmt.Fprintf(ready, "%v\n", err)
		return 1
	}
	go wire.Serve(l.(*net.UnixListener), map[string]wire.Handler{"listen": listen, "add": m.add, "remove": m.remove})
	if ipv6 {
		fmt.Fprintln(ready, "ipv6")
	} else {
		fmt.Fprintln(ready, "ipv4")
	}
	ready.Close()
	// The other end is held by who started the lab: its end is ours, however it came.
	io.Copy(io.Discard, os.NewFile(lifeFD, "life"))
	return 0
}

// setup makes mounts private, lo usable and the bridge; it tells whether IPv6 works.
func (m *machine) setup(addresses []string) (ipv6 bool, err error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return false, fmt.Errorf("make mounts private: %w", err)
	}
	// A proc of our own shows only the lab's processes. Some containers forbid it; nothing here needs it.
	_ = unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	AllowIPv6()
	if err := LinkUp("lo"); err != nil {
		return false, err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = BridgeName
	// Without an address of its own a bridge takes the lowest of its ports', anew
	// with each pod, and pods go on sending to the old one for seconds.
	attrs.HardwareAddr = net.HardwareAddr{0x02, 'm', 'e', 's', 'h', 'c'}
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
		return false, fmt.Errorf("add the bridge: %w", err)
	}
	if m.bridge, err = netlink.LinkByName(BridgeName); err != nil {
		return false, err
	}
	for _, a := range addresses {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			return false, err
		}
		switch err := AddAddress(m.bridge, p); {
		case err == nil && p.Addr().Is6():
			ipv6 = true
		case err != nil && !p.Addr().Is6():
			return false, fmt.Errorf("give the bridge %s: %w", p, err)
		}
	}
	if err := netlink.LinkSetUp(m.bridge); err != nil {
		return ipv6, err
	}
	return ipv6, Everywhere(m.bridge, ipv6)
}

func listen(c *wire.Call) (any, error) {
	var args listenArgs
	if err := c.Decode(&args); err != nil {
		return nil, err
	}
	f, err := openSocket(args)
	if err != nil {
		return nil, err
	}
	c.Reply = []*os.File{f}
	return nil, nil
}

func openSocket(args listenArgs) (*os.File, error) {
	if args.Network == "udp" {
		p, err := net.ListenPacket("udp", args.Address)
		if err != nil {
			return nil, err
		}
		defer p.Close()
		return p.(*net.UDPConn).File()
	}
	l, err := net.Listen("tcp", args.Address)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.(*net.TCPListener).File()
}

func (m *machine) add(c *wire.Call) (any, error) {
	var args addArgs
	if err := c.Decode(&args); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: args.Path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	l.SetUnlinkOnClose(false)
	socket, err := l.File()
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{args.Role, args.Name}, Env: os.Environ(), Stderr: os.Stderr, ExtraFiles: []*os.File{socket}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Setsid:     true,
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start pod %s: %w", args.Name, err)
	}
	if err := m.plug(cmd.Process.Pid); err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return nil, fmt.Errorf("plug pod %s into the bridge: %w", args.Name, err)
	}
	m.mu.Lock()
	m.pods[args.Name] = cmd
	m.mu.Unlock()
	return nil, nil
}

// plug makes a pair of interfaces: one end on the bridge, the other eth0 in the pod.
func (m *machine) plug(pid int) error {
	m.mu.Lock()
	m.next++
	name := "pod" + strconv.Itoa(m.next)
	m.mu.Unlock()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MasterIndex = name, m.bridge.Attrs().Index
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsPid(pid)}); err != nil {
		return err
	}
	return LinkUp(name)
}

func (m *machine) remove(c *wire.Call) (any, error) {
	var args removeArgs
	if err := c.Decode(&args); err != nil {
		return nil, err
	}
	m.mu.Lock()
	cmd, ok := m.pods[args.Name]
	delete(m.pods, args.Name)
	m.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("no pod %q", args.Name)
	}
	cmd.Process.Kill()
	if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		return nil, err
	}
	return nil, nil
}

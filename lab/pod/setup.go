package pod

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/meshc/meshc/lab/sandbox"
	"github.com/meshc/meshc/lab/wire"
)

// privateDir is the pod's own folder in memory, under its own /run: the sockets
// by which a host's name services are asked (nscd, systemd-resolved) lie in the
// host's /run and would give the host's answers.
const privateDir = "/run/meshc"

// nsswitch lets names go to /etc/hosts and DNS alone.
const nsswitch = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nprotocols: files\nservices: files\n"

func setup(c *wire.Call) (any, error) {
	var s Setup
	if err := c.Decode(&s); err != nil {
		return nil, err
	}
	if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
		return nil, fmt.Errorf("set the host name: %w", err)
	}
	if err := mountFiles(s); err != nil {
		return nil, err
	}
	return nil, network(s)
}

// mountFiles gives the pod its own /proc, /run and name resolution.
func mountFiles(s Setup) error {
	// What resolv.conf leads to must be known before /run is covered.
	resolv, err := filepath.EvalSymlinks("/etc/resolv.conf")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	_ = unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("mount the pod's own /run: %w", err)
	}
	if err := os.Mkdir(privateDir, 0o755); err != nil {
		return err
	}
	if resolv == "" {
		return errors.New("this machine has no /etc/resolv.conf: make an empty one, the lab mounts each pod's own over it")
	}
	for _, f := range []struct{ path, text string }{{resolv, s.Resolv}, {"/etc/hosts", s.Hosts}, {"/etc/nsswitch.conf", nsswitch}} {
		if err := cover(f.path, f.text); err != nil {
			return err
		}
	}
	return nil
}

// cover shows text where the pod reads path. A path under /run is the pod's own
// already; any other is covered by a mount, and left out where it does not exist.
func cover(path, text string) error {
	if strings.HasPrefix(path, "/run/") {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, []byte(text), 0o644)
	}
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	own := filepath.Join(privateDir, filepath.Base(path))
	if err := os.WriteFile(own, []byte(text), 0o644); err != nil {
		return err
	}
	if err := unix.Mount(own, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount the pod's own %s: %w", path, err)
	}
	return nil
}

// network turns the interfaces on and makes every address a neighbour: the bridge
// is the only network there is.
func network(s Setup) error {
	sandbox.AllowIPv6()
	if err := sandbox.LinkUp("lo"); err != nil {
		return err
	}
	eth, err := netlink.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("interface eth0: %w", err)
	}
	for _, p := range s.Addresses {
		if err := sandbox.AddAddress(eth, p); err != nil {
			return fmt.Errorf("address %s: %w", p, err)
		}
	}
	if err := netlink.LinkSetUp(eth); err != nil {
		return err
	}
	return sandbox.Everywhere(eth, slices.ContainsFunc(s.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() }))
}

package sandbox

import (
	"fmt"
	"os"
	"strings"
)

// Unavailable says that this machine gives no namespaces, and how to change that.
type Unavailable struct {
	Rootless bool
	Err      error
	Help     []string
}

func (u *Unavailable) Error() string {
	how := "as root"
	if u.Rootless {
		how = "without root, in a user namespace"
	}
	return fmt.Sprintf("cannot make the lab's namespaces %s: %v\n%s", how, u.Err, strings.Join(u.Help, "\n"))
}

func (u *Unavailable) Unwrap() error { return u.Err }

// switches are the settings that turn user namespaces off, with the value that does.
var switches = []struct{ file, off, turnOn string }{
	{"/proc/sys/user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"},
	{"/proc/sys/user/max_net_namespaces", "0", "sudo sysctl -w user.max_net_namespaces=15000"},
	{"/proc/sys/kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"},
	{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
}

// unavailable explains a failure to make namespaces.
func unavailable(rootless bool, err error) error {
	u := &Unavailable{Rootless: rootless, Err: err}
	if !rootless {
		u.Help = []string{"  the lab needs the capabilities SYS_ADMIN and NET_ADMIN: inside a container, start it with --privileged, or run the lab as a normal user"}
		return u
	}
	for _, s := range switches {
		if value, readErr := os.ReadFile(s.file); readErr == nil && strings.TrimSpace(string(value)) == s.off {
			u.Help = append(u.Help, fmt.Sprintf("  %s is %s; turn user namespaces on with: %s", s.file, s.off, s.turnOn))
		}
	}
	if u.Help == nil {
		u.Help = []string{"  user namespaces seem to be on here; a container's seccomp profile or a security module may forbid them"}
	}
	u.Help = append(u.Help, "  or run the lab as root")
	return u
}

//go:build e2e

package e2e

import (
	"strings"
	"syscall"
	"testing"

	"github.com/meshc/meshc/test/cluster/app/load"
)

// What an operator asks on the second day: at which step a call fails, for each step at
// which one can.
func TestDayTwo(t *testing.T) {
	install(t)
	shop(t)
	// A pod whose Envoy is frozen answers no probe; callers are still to be sent there.
	kubectl(t, "", "-n", "shop", "patch", "service", "web", "-p", `{"spec":{"publishNotReadyAddresses":true}}`)
	client, stranger := "shop/"+podOf(t, "client"), "shop/"+podOf(t, "stranger")
	until(t, "a call that works passes every step", func() bool { return follow(t, "", "envoy", client, "shop/web:80", "--path", "/ok") })
	ns, target := outsider(t)
	for code, c := range map[string]struct {
		step string
		args []string
	}{
		"MSH4131": {"identity", []string{ns + "/" + strings.TrimPrefix(target, "pod/"), "shop/web:80"}},
		"MSH4133": {"service", []string{client, "shop/nothing:80"}},
		"MSH4134": {"policy", []string{stranger, "shop/web:80", "--path", "/ok"}},
	} {
		if !follow(t, code, c.step, c.args...) {
			t.Errorf("a call of %v does not end at step %s with %s", c.args, c.step, code)
		}
	}
	t.Run("frozen", func(t *testing.T) { proxyIsFrozen(t, client) })
	t.Run("nobody", func(t *testing.T) {
		kubectl(t, "", "-n", "shop", "scale", "deployment", "web", "--replicas=0")
		until(t, "nobody is there", func() bool { return follow(t, "MSH4135", "endpoints", client, "shop/web:80", "--path", "/ok") })
	})
	t.Run("account", func(t *testing.T) {
		kubectl(t, "", "-n", "shop", "delete", "serviceaccount", "stranger")
		until(t, "a proxy whose account is gone is refused", func() bool { return follow(t, "MSH4132", "proxy", stranger, "shop/web:80", "--path", "/ok") })
	})
}

// podOf is the name of a pod by its label app.
func podOf(t *testing.T, app string) string {
	t.Helper()
	names := strings.Fields(kubectl(t, "", "-n", "shop", "get", "pods", "-l", "app="+app, "--field-selector", "status.phase=Running", "-o", "jsonpath={.items[*].metadata.name}"))
	if len(names) == 0 {
		t.Fatalf("no pod of %s runs", app)
	}
	return names[0]
}

// follow follows a call, and tells whether it ends at a step with a code; with none, that
// it passes, and that both ends' certificates were seen.
func follow(t *testing.T, code, step string, args ...string) bool {
	t.Helper()
	out, err := try(append([]string{"doctor", "connectivity", "--from", args[0], "--to", args[1]}, args[2:]...)...)
	var last string
	for line := range strings.Lines(out) {
		if words := strings.Fields(line); len(words) > 1 && (words[0] == "ok" || words[0] == "error" || words[0] == "warning") {
			last = words[1]
		}
	}
	if code == "" {
		return err == nil && last == step && strings.Contains(out, "the caller's and those of 1 of 1 servers")
	}
	return last == step && strings.Contains(out, code)
}

// proxyIsFrozen stops the server's Envoy: the caller's counts connections that fail.
func proxyIsFrozen(t *testing.T, client string) {
	pid := envoyOf(t, "web")
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) }) // it may have been ended by its kubelet
	going := start(t, "shop", "deploy/client", []load.Flow{get("HTTP", "web.shop:80", "/ok")}...)
	until(t, "the caller's proxy cannot connect", func() bool { return follow(t, "MSH4136", "envoy", client, "shop/web:80", "--path", "/ok") })
	going.end() // its answers are those of a proxy that is frozen
}

package cluster_test

import (
	"os"
	"strings"
	"testing"
)

// plugin is the node's part of interception, as a cluster runs it.
const plugin = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: meshc-cni, namespace: kube-system}
spec:
  selector: {matchLabels: {app: meshc-cni}}
  template:
    metadata: {labels: {app: meshc-cni}}
    spec:
      hostNetwork: true
      terminationGracePeriodSeconds: 1
      tolerations: [{operator: Exists}]
      containers:
      - name: cni
        image: meshc.test/meshc:1
        imagePullPolicy: Never
        command: [meshc, cni, --bin-dir, /host/bin, --conf-dir, /host/net.d]
        volumeMounts: [{name: bin, mountPath: /host/bin}, {name: conf, mountPath: /host/net.d}]
      volumes:
      - {name: bin, hostPath: {path: /opt/cni/bin}}
      - {name: conf, hostPath: {path: /etc/cni/net.d}}
`

// restricted pods have no privilege, and their namespace lets none have any.
const restricted = `
apiVersion: v1
kind: Pod
metadata: {name: NAME, namespace: safe, labels: {app: NAME}}
spec:
  terminationGracePeriodSeconds: 1
  serviceAccountName: NAME
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: app
    image: meshc.test/app:1
    args: [ARGS]
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

func restrictedPod(name, args string) string {
	return strings.NewReplacer("NAME", name, "ARGS", args).Replace(restricted)
}

// In a namespace of restricted pods the node's plugin intercepts. A pod that started
// where the plugin was not does not run at all.
func TestRestrictedPods(t *testing.T) {
	m := &mesh{meshc: build(t), dir: t.TempDir()}
	manifests := strings.NewReplacer("namespace: shop", "namespace: safe", "{name: shop, labels: {meshc.dev/mesh: meshc}}",
		"{name: safe, labels: {meshc.dev/mesh: meshc, pod-security.kubernetes.io/enforce: restricted}}").Replace(policy)
	must(t, manifests[strings.Index(manifests, "apiVersion: v1"):], "apply", "-f", "-")
	t.Cleanup(func() {
		_, _ = kubectl("", "delete", "namespace", "safe", "--wait=false")                           // the cluster may be gone
		_, _ = kubectl("", "-n", "kube-system", "delete", "daemonset", "meshc-cni", "--wait=false") // likewise
		_, _ = kubectl("", "-n", "kube-system", "delete", "daemonset", "meshc-cni-gone")            // likewise
	})
	if err := os.MkdirAll(m.path("mesh/manifests"), 0o755); err != nil {
		t.Fatal(err)
	}
	m.write(t, "mesh/meshc.yaml", "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: meshc}\nspec: {sources: [./manifests]}\n")
	m.write(t, "mesh/manifests/policy.yaml", manifests+"---"+restrictedPod("web", "serve")+"---"+restrictedPod("client", "wait"))
	vip := strings.TrimSpace(must(t, "", "-n", "safe", "get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"))
	m.serve(t)
	m.write(t, "root.pem", command(t, m.meshc, "ca", "export", "--state", m.path("state")))

	m.apply(t, restrictedPod("client", "wait"), "--interception", "cni")
	until(t, "a pod that nothing intercepts says so and does not start", func() bool {
		out, _ := kubectl("", "-n", "safe", "logs", "client", "-c", "meshc-init") // there may be nothing yet
		return strings.Contains(out, "are not intercepted")
	})
	must(t, "", "-n", "safe", "delete", "pod", "client")
	must(t, plugin, "apply", "-f", "-")
	until(t, "the node's network has the plugin", func() bool {
		out, _ := kubectl("", "-n", "kube-system", "logs", "daemonset/meshc-cni") // there may be nothing yet
		return strings.Contains(out, "pods that start are intercepted")
	})
	m.apply(t, restrictedPod("web", "serve, 8080/http")+"---"+restrictedPod("client", "wait"), "--interception", "cni")
	must(t, "", "-n", "safe", "wait", "--for=condition=Ready", "--timeout=180s", "pod/web", "pod/client")
	got := answers(must(t, "", "-n", "safe", "exec", "client", "-c", "app", "--", "app", "call", "http://"+vip+"/books", "http://"+vip+"/buy"))
	if strings.Join(got, " ") != "200 403" {
		t.Errorf("calls are answered %v, want 200 403", got)
	}
	// Off the node it goes with a pod of its own, for the node may be kept.
	must(t, strings.NewReplacer("name: meshc-cni,", "name: meshc-cni-gone,", "app: meshc-cni", "app: meshc-cni-gone", "meshc, cni,", "meshc, cni, --remove,").Replace(plugin), "apply", "-f", "-")
	must(t, "", "-n", "kube-system", "delete", "daemonset", "meshc-cni")
	until(t, "the plugin is off the node", func() bool {
		out, _ := kubectl("", "-n", "kube-system", "get", "pods", "-l", "app=meshc-cni-gone", "-o", "jsonpath={.items[*].status.containerStatuses[*].lastState.terminated.reason}")
		return strings.Contains(out, "Completed")
	})
}

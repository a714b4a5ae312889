package inject

import (
	"strings"

	"github.com/meshc/meshc/admission/tree"
)

// The ports of the data plane, which an application beside it cannot have.
const (
	adminPort    = 15000
	outboundPort = 15001
	inboundPort  = 15003
	metricsPort  = 15010
	probePort    = 15020
	lastProbe    = 15029 // gRPC probes have a port each, from 15021
)

func reserved(port int64) bool {
	return port == adminPort || port == outboundPort || port == inboundPort || port == metricsPort || port >= probePort && port <= lastProbe
}

// refuse finds what would make a pod that does not work, or one whose traffic
// passes the proxy by.
func (i *injection) refuse() {
	if text(i.spec, "os", "name") == "windows" || text(i.spec, "nodeSelector", "kubernetes.io/os") == "windows" {
		f := i.add("MSH4031", "spec", "pod %q runs on Windows, where there is no interception", i.name())
		*f = f.WithEffect("it cannot be in the mesh").WithHelp("label it %s: disabled; meshed clients reach it where egress or plaintext is allowed", injectWord)
	}
	if uid, ok := tree.Whole(at(i.spec, "securityContext", "runAsUser")); ok && uid == ProxyUID {
		i.asProxy("spec.securityContext.runAsUser", "pod "+i.name())
	}
	for _, c := range allContainers(i.spec) {
		if uid, ok := tree.Whole(at(c.Object, "securityContext", "runAsUser")); ok && uid == ProxyUID {
			i.asProxy(c.path+".securityContext.runAsUser", "container "+c.name)
		}
		for _, p := range items(c.Object, "ports") {
			if n, ok := tree.Whole(p["containerPort"]); ok && reserved(n) {
				f := i.add("MSH4034", c.path+".ports", "container %q listens on port %d, which the proxy beside it has", c.name, n)
				*f = f.WithEffect("one of the two cannot start").WithHelp("the proxy has 15000, 15001, 15003, 15010 and 15020 to 15029: take another port")
			}
		}
	}
	if i.options.form == Classic && i.ofJob() {
		f := i.add("MSH4035", "", "pod %q is of a Job, and its proxy would run on when the Job is done", i.name())
		*f = f.WithEffect("the Job never finishes").
			WithHelp("take native sidecars (kubelets from 1.29), or let the last command of the Job ask the proxy to end: POST http://127.0.0.1:15000/quitquitquit")
	}
	i.podSecurity()
	i.initsWithoutProxy()
}

// initsWithoutProxy warns where init containers run after interception and before
// there is a proxy: the plugin of a node comes before all containers.
func (i *injection) initsWithoutProxy() {
	if i.settings.Interception != ByCNI || i.options.form == Native || len(items(i.spec, "initContainers")) == 0 {
		return
	}
	f := i.add("MSH4041", "spec.initContainers", "pod %q has init containers, which run before its proxy does", i.name())
	*f = f.WithEffect("they can call nobody: their calls are intercepted, and nobody is there to take them").
		WithHelp("take native sidecars (kubelets from 1.29), or exclude what they call from interception")
}

func (i *injection) asProxy(path, who string) {
	f := i.add("MSH4032", path, "%s runs as user %d, by which the proxy's own connections are told apart", who, ProxyUID)
	*f = f.WithEffect("what it calls would pass the proxy by, in plaintext and unjudged").WithHelp("take another user")
}

// ofJob tells whether a Job owns the pod, or the template is a Job's: those must end.
func (i *injection) ofJob() bool {
	for _, owner := range items(child(i.pod, "metadata"), "ownerReferences") {
		if text(owner, "kind") == "Job" {
			return true
		}
	}
	policy := text(i.spec, "restartPolicy")
	return policy == "Never" || policy == "OnFailure"
}

// podSecurity warns where the API server will refuse the init container.
func (i *injection) podSecurity() {
	if i.settings.Interception == ByCNI {
		return // nothing in the pod has a privilege
	}
	const enforce = "pod-security.kubernetes.io/enforce"
	if level := i.ns.Labels[enforce]; level == "baseline" || level == "restricted" {
		f := i.add("MSH4038", "", "namespace %q enforces %s pods, and interception needs NET_ADMIN in an init container", i.ns.Name, level)
		*f = f.WithEffect("the API server refuses the pod").WithHelp("intercept by the node's plugin (--interception cni), or label the namespace %s: privileged (%s stays possible for warn and audit)", enforce, strings.TrimSpace(level))
	}
}

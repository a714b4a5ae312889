package inject

import (
	"fmt"
	"strings"
	"time"

	"github.com/meshc/meshc/admission/tree"
	"github.com/meshc/meshc/dataplane/bootstrap"
)

// question is a place where a kubelet asks a container over the network.
type question struct {
	name string // in paths: liveness
	path []string
}

var questions = []question{
	{"startup", []string{"startupProbe"}},
	{"liveness", []string{"livenessProbe"}},
	{"readiness", []string{"readinessProbe"}},
	{"post-start", []string{"lifecycle", "postStart"}},
	{"pre-stop", []string{"lifecycle", "preStop"}},
}

// The ways of asking that go over the network; exec and sleep do not.
const (
	httpGet   = "httpGet"
	tcpSocket = "tcpSocket"
	grpcCall  = "grpc"
)

// rewriteProbes turns every question of the kubelet to the proxy's probe ports: in
// strict mode nobody without a certificate of the mesh reaches the application.
// What they were is kept for undo.
func (i *injection) rewriteProbes() []bootstrap.Probe {
	var out []bootstrap.Probe
	grpcPort := int64(probePort)
	for _, c := range allContainers(i.spec) {
		for _, q := range questions {
			asked, ok := at(c.Object, q.path...).(Object)
			if !ok {
				continue
			}
			before := tree.Clone(asked).(Object)
			p, ok := i.rewrite(c, q, asked, &grpcPort)
			if !ok {
				continue
			}
			if i.record.Probes == nil {
				i.record.Probes = map[string]Object{}
			}
			i.record.Probes[p.Name] = before
			out = append(out, p)
		}
	}
	return out
}

// rewrite changes one question in place, unless the kubelet reaches it as it is.
func (i *injection) rewrite(c container, q question, asked Object, grpcPort *int64) (bootstrap.Probe, bool) {
	p := bootstrap.Probe{Name: c.name + "/" + q.name}
	path := c.path + "." + strings.Join(q.path, ".")
	for _, way := range []string{httpGet, tcpSocket, grpcCall} {
		how, ok := asked[way].(Object)
		if !ok {
			continue
		}
		port, ok := i.probePort(c, how["port"], path+"."+way+".port")
		// Another host is not this pod, and what is excluded is reached directly.
		if !ok || text(how, "host") != "" || i.options.direct(port) || port == metricsPort {
			return p, false
		}
		p.Port = uint16(port)
		switch way {
		case httpGet:
			p.Kind, p.Path = bootstrap.ProbeHTTP, requestPath(text(how, "path"))
			if strings.EqualFold(text(how, "scheme"), "HTTPS") {
				p.Kind = bootstrap.ProbeHTTPS
			}
			delete(how, "scheme")
			how["path"], how["port"] = p.At(), probePort
		case tcpSocket:
			p.Kind, p.Period = bootstrap.ProbeTCP, period(asked)
			delete(asked, tcpSocket)
			asked[httpGet] = Object{"path": p.At(), "port": probePort}
		case grpcCall:
			if *grpcPort++; *grpcPort > lastProbe {
				f := i.add("MSH4039", path, "container %q has a gRPC probe more than the %d that a pod can have", c.name, lastProbe-probePort)
				*f = f.WithEffect("the kubelet cannot ask it in strict mode, and restarts the container")
				return p, false
			}
			p.Kind, p.Listen = bootstrap.ProbeGRPC, uint16(*grpcPort)
			how["port"] = *grpcPort
		}
		return p, true
	}
	return p, false
}

// requestPath is what a kubelet asks for.
func requestPath(path string) string {
	if !strings.HasPrefix(path, "/") {
		return "/" + path
	}
	return path
}

func period(probe Object) time.Duration {
	if n, ok := tree.Whole(probe["periodSeconds"]); ok && n > 0 {
		return time.Duration(n) * time.Second
	}
	return 0
}

// probePort is the number of a port that is given by number or by name.
func (i *injection) probePort(c container, port any, path string) (int64, bool) {
	if n, ok := tree.Whole(port); ok {
		return n, n > 0 && n < 1<<16
	}
	name, _ := port.(string)
	for _, p := range items(c.Object, "ports") {
		if text(p, "name") == name {
			return tree.Whole(p["containerPort"])
		}
	}
	i.add("MSH4039", path, "container %q has no port %q to probe", c.name, name)
	return 0, false
}

// restoreProbes gives a container its probes back, where they are still what
// injection made of them: who changed one since meant it.
func restoreProbes(c container, before map[string]Object) {
	for _, q := range questions {
		name := c.name + "/" + q.name
		was, ok := before[name]
		now, is := at(c.Object, q.path...).(Object)
		if !ok || !is || !isOurs(now, bootstrap.Probe{Name: name}) {
			continue
		}
		parent := c.Object
		if len(q.path) > 1 {
			parent = child(c.Object, q.path[0])
		}
		parent[q.path[len(q.path)-1]] = was
	}
}

func isOurs(asked Object, p bootstrap.Probe) bool {
	if how, ok := asked[grpcCall].(Object); ok {
		n, _ := tree.Whole(how["port"])
		return n > probePort && n <= lastProbe
	}
	n, _ := tree.Whole(at(asked, httpGet, "port"))
	return n == probePort && text(asked, httpGet, "path") == p.At()
}

// ownPorts are the probe ports as `meshc netinit` takes them.
func ownPorts() string { return fmt.Sprintf("%d-%d", probePort, lastProbe) }

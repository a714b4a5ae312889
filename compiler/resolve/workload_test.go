package resolve_test

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

func TestRow29ProtocolOfAPort(t *testing.T) {
	for port, want := range map[string]ir.Protocol{
		"{name: tcp-x, port: 1, appProtocol: grpc}":                        ir.GRPC, // appProtocol goes before the name
		"{name: x, port: 1, appProtocol: HTTP2}":                           ir.HTTP2,
		"{name: x, port: 1, appProtocol: https}":                           ir.TLS,
		"{name: x, port: 1, appProtocol: kubernetes.io/h2c}":               ir.HTTP2,
		"{name: x, port: 1, appProtocol: kubernetes.io/wss}":               ir.TLS,
		"{name: http, port: 1}":                                            ir.HTTP,
		"{name: http2-x, port: 1}":                                         ir.HTTP2,
		"{name: grpc-x, port: 1}":                                          ir.GRPC,
		"{name: tcp, port: 1}":                                             ir.TCP,
		"{name: tcp-x, port: 1}":                                           ir.TCP,
		"{name: tcp-server-first, port: 1}":                                ir.TCPServerFirst,
		"{name: tcp-server-first-x, port: 1}":                              ir.TCPServerFirst,
		"{name: tls-x, port: 1}":                                           ir.TLS,
		"{name: https-x, port: 1}":                                         ir.TLS,
		"{name: http-x, port: 1, protocol: UDP}":                           ir.UDP,
		"{name: httpx, port: 1}  # want MSH4001=1":                         ir.HTTP, // a prefix ends at a dash
		"{port: 1}  # want MSH4001=1":                                      ir.HTTP,
		"{name: x, port: 1, appProtocol: mysql}  # want MSH4002=mysql":     ir.HTTP,
		"{name: tcp-x, port: 1, appProtocol: mysql}  # want MSH4002=mysql": ir.TCP,
		"{name: udp-x, port: 1}  # want MSH4002":                           ir.UDP,
	} {
		shop := strings.Replace(apps, "ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp-raw, port: 9000}]", "ports:\n  - "+port, 1)
		p, ok := service(t, story{shop: shop}.resolve(t), "shop", "web").Port(1)
		if !ok || p.Protocol != want {
			t.Errorf("%s is %v, not %s", port, p, want)
		}
	}
}

func TestUnlikeProtocolsOnOneTargetPort(t *testing.T) {
	shop := strings.Replace(apps, "ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp-raw, port: 9000}]",
		"ports:\n  - {name: http, port: 80, targetPort: 8080}  # want MSH4003=80\n  - {name: tcp, port: 81, targetPort: 8080}  # want MSH4003=81", 1)
	m := story{shop: shop, policy: strings.Replace(target(useTCP), "name: web}", "name: web}  # want MSH1022=web", 1) + tcpRoute("[]")}.resolve(t)
	expectRoles(t, m, "client/client", "shop/web|shop/web")
}

func TestLikeProtocolsOnOneTargetPortAreMerged(t *testing.T) {
	shop := strings.Replace(apps, "{name: tcp-raw, port: 9000}", "{name: grpc-alt, port: 81, targetPort: 8080}", 1)
	expectRoles(t, story{shop: shop}.resolve(t), "client/client", "shop/web|shop/web 8080/http[shop/web:80 shop/web:81]")
}

func TestInjectDisabledIsOutsideTheMesh(t *testing.T) {
	pod := strings.Replace(apps, "{labels: {app: web}}", "{labels: {app: web, meshc.dev/inject: disabled}}", 1)
	ns := strings.Replace(apps, "metadata: {name: shop}", "metadata: {name: shop, labels: {meshc.dev/inject: disabled}}", 1)
	for _, shop := range []string{pod, ns} {
		m := story{shop: shop}.resolve(t)
		if s := service(t, m, "shop", "web"); !s.Outside || len(s.Accounts) != 0 {
			t.Errorf("clients would dial it with mTLS: %+v", s)
		}
		expectRoles(t, m, "client/client")
	}
	bad := strings.Replace(apps, "{labels: {app: web}}", "{labels: {app: web, meshc.dev/inject: \"off\"}}  # want MSH4010=\"off\"", 1)
	if s := service(t, story{shop: bad}.resolve(t), "shop", "web"); s.Outside {
		t.Error("a label nobody understands takes a workload out of the mesh")
	}
}

func TestServiceHalfInTheMesh(t *testing.T) {
	shop := strings.Replace(apps, "metadata: {name: web, namespace: shop}\nspec:\n  selector: {app: web}", "metadata: {name: web, namespace: shop}  # want MSH4007=web\nspec:\n  selector: {app: web}", 1) + `---
apiVersion: v1
kind: Pod
metadata: {name: old, namespace: shop, labels: {app: web, meshc.dev/inject: disabled}}
spec: {serviceAccountName: old, containers: [{name: app, image: echo}]}
`
	if s := service(t, story{shop: shop}.resolve(t), "shop", "web"); s.Outside || len(s.Accounts) != 1 || s.Accounts[0].Short() != "shop/web" {
		t.Errorf("clients use the meshed workloads only: %+v", s)
	}
}

func TestSourceOutsideTheMesh(t *testing.T) {
	shop := strings.Replace(apps, "{labels: {app: client}}", "{labels: {app: client, meshc.dev/inject: disabled}}", 1)
	policy := strings.Replace(target(useTCP), "namespace: client}]", "namespace: client}]  # want MSH3011=client", 1)
	story{shop: shop, policy: policy + tcpRoute("[80]")}.resolve(t)
}

func TestHostNetworkIsOutsideTheMesh(t *testing.T) {
	shop := strings.Replace(apps, "      serviceAccountName: web\n", "      serviceAccountName: web\n      hostNetwork: true  # want MSH4011=true\n", 1)
	if s := service(t, story{shop: shop}.resolve(t), "shop", "web"); !s.Outside {
		t.Error("a pod in the node's network cannot be intercepted")
	}
}

func TestNamespaceOfAnotherMesh(t *testing.T) {
	shop := strings.Replace(apps, "metadata: {name: client}", "metadata: {name: client, labels: {meshc.dev/mesh: other}}  # want MSH3010=other", 1)
	policy := strings.Replace(target(useTCP), "namespace: client}]", "namespace: client}]  # want MSH3011=client", 1)
	m := story{config: "  mode: strict\n", shop: shop, policy: policy + tcpRoute("[80]")}.resolve(t)
	expectRoles(t, m, "shop/web|shop/web 8080/http[shop/web:80] 9000/tcp[shop/web:9000]")
	// Without a meshc.yaml the mesh has no name to differ from.
	quiet := strings.Replace(shop, "  # want MSH3010=other", "", 1)
	expectRoles(t, story{shop: quiet}.resolve(t), "client/client", "shop/web|shop/web 8080/http[shop/web:80] 9000/tcp[shop/web:9000]")
}

func TestPlaintextPorts(t *testing.T) {
	at := "metadata: {name: web, namespace: shop}\nspec:\n  selector: {app: web}"
	shop := strings.Replace(apps, at, "metadata:\n  name: web\n  namespace: shop\n  annotations:\n    meshc.dev/plaintext-ports: 80, tcp-raw\nspec:\n  selector: {app: web}", 1)
	expectRoles(t, story{shop: shop}.resolve(t), "client/client", "shop/web|shop/web 8080/http[shop/web:80]plain 9000/tcp[shop/web:9000]plain")
	bad := strings.Replace(shop, "80, tcp-raw", "\"8080\"  # want MSH4012=\"8080\"", 1)
	expectRoles(t, story{shop: bad}.resolve(t), "client/client", "shop/web|shop/web 8080/http[shop/web:80] 9000/tcp[shop/web:9000]")
	shared := strings.Replace(shop, "80, tcp-raw", "\"80\"", 1)
	shared = strings.Replace(shared, "ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp-raw, port: 9000}]", "ports:\n  - {name: http, port: 80, targetPort: 8080}  # want MSH4013=80\n  - {name: http-alt, port: 81, targetPort: 8080}", 1)
	expectRoles(t, story{shop: shared}.resolve(t), "client/client", "shop/web|shop/web 8080/http[shop/web:80 shop/web:81]plain")
}

func TestPlaintextByNamespaceAndServerFirst(t *testing.T) {
	shop := strings.Replace(apps, "{name: tcp-raw, port: 9000}]", "{name: tcp-server-first, port: 9000}]  # want MSH4014=9000", 1)
	m := story{config: "  namespaces: {shop: {plaintext: allow}}\n", shop: shop}.resolve(t)
	if !m.Namespace("shop").PlaintextAllowed || m.Namespace("client").PlaintextAllowed {
		t.Errorf("namespaces: %+v", m.Namespaces)
	}
	expectRoles(t, m, "client/client", "shop/web|shop/web 8080/http[shop/web:80]plain 9000/tcp-server-first[shop/web:9000]plain")
}

func TestNamedTargetPortThatAWorkloadLacks(t *testing.T) {
	shop := strings.Replace(apps, "targetPort: 8080}", "targetPort: htp}", 1)
	shop = strings.Replace(shop, "port: 9000}]", "port: 9000}]  # want MSH4008=htp", 1)
	expectRoles(t, story{shop: shop}.resolve(t), "client/client", "shop/web|shop/web 9000/tcp[shop/web:9000]")
}

// two are workloads of one account whose port `http` has different numbers.
func two(ports string) string {
	one := func(name, http string) string {
		return `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ` + name + `, namespace: shop}
spec:
  selector: {matchLabels: {app: both, name: ` + name + `}}
  template:
    metadata: {labels: {app: both, name: ` + name + `}}
    spec:
      serviceAccountName: both
      containers: [{name: app, image: echo, ports: [{name: http, containerPort: ` + http + `}]}]
`
	}
	return apps + one("one", "8080") + one("two", "9090") + `---
apiVersion: v1
kind: Service
metadata: {name: both, namespace: shop}
spec:
  selector: {app: both}
  ports:
` + ports
}

const webRole = "shop/web|shop/web 8080/http[shop/web:80] 9000/tcp[shop/web:9000]"

func TestNamedTargetPortsThatDifferBindLate(t *testing.T) {
	m := story{shop: two("  - {name: http, port: 80, targetPort: http}\n")}.resolve(t)
	expectRoles(t, m, "client/client", "shop/both|shop/both 0http/http[shop/both:80]", webRole)
}

// In one pod the named port is another service port's number too, in the other it
// is not: what a grant opens would depend on the pod.
func TestNamedTargetPortsThatDifferAndOverlap(t *testing.T) {
	m := story{shop: two("  - {name: http, port: 80, targetPort: http}  # want MSH4009=http\n  - {name: http-alt, port: 81, targetPort: 8080}\n")}.resolve(t)
	expectRoles(t, m, "client/client", "shop/both|shop/both 8080/http[shop/both:81]", webRole)
}

func TestServicesThatNothingBacks(t *testing.T) {
	shop := apps + `---
apiVersion: v1
kind: Service
metadata:
  name: vm  # want MSH4005=vm
  namespace: shop
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: world, namespace: shop}
spec:
  type: ExternalName
  externalName: db.example.com  # want MSH4006=db.example.com
`
	m := story{shop: shop}.resolve(t)
	if _, ok := m.Service(ir.ServiceID{Namespace: "shop", Name: "world"}); ok {
		t.Error("an alias is no service of the mesh")
	}
	if s := service(t, m, "shop", "vm"); len(s.Accounts) != 0 || s.Outside {
		t.Errorf("an account is guessed: %+v", s)
	}
}

func TestPortsNobodyCarries(t *testing.T) {
	shop := strings.Replace(apps, "{name: tcp-raw, port: 9000}]", "{name: sctp, port: 9000, protocol: SCTP}]  # want MSH4018=SCTP", 1)
	m := story{shop: shop}.resolve(t)
	expectRoles(t, m, "client/client", "shop/web|shop/web 8080/http[shop/web:80]")
}

func TestHeadlessService(t *testing.T) {
	shop := strings.Replace(apps, "spec:\n  selector: {app: web}", "spec:\n  clusterIP: None\n  selector: {app: web}", 1)
	if !service(t, story{shop: shop}.resolve(t), "shop", "web").Headless {
		t.Error("row 32: pod names would not be reachable")
	}
}

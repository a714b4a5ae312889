package resolve_test

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/diag"
)

const (
	anyMatch = "  - {name: any}\n"
	useGroup = "  - {kind: HTTPRouteGroup, name: g}"
	useTCP   = "  - {kind: TCPRoute, name: r}"
)

func TestRow06PodWithoutAccountRunsAsDefault(t *testing.T) {
	m := story{shop: strings.Replace(apps, "      serviceAccountName: web\n", "", 1)}.resolve(t)
	expectRoles(t, m, "client/client", "shop/default|shop/web 8080/http[shop/web:80] 9000/tcp[shop/web:9000]")
}

func TestRow11TargetsAreAUnionAndNeverMix(t *testing.T) {
	second := strings.NewReplacer("name: t,", "name: t2,", "name: g}", "name: g2}").Replace(target(useGroup))
	m := story{policy: target(useGroup) + second + group("  - {name: read, methods: [GET]}\n") +
		strings.Replace(group("  - {name: write, methods: [POST]}\n"), "name: g,", "name: g2,", 1)}.resolve(t)
	expectGrants(t, m,
		"TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80] GET",
		"TrafficTarget/shop/t2#rule0: client/client -> shop/web [shop/web:80] POST")
}

func TestRow12MatchesLeftOutAreAllMatches(t *testing.T) {
	m := story{policy: target(useGroup) + group("  - {name: read, methods: [GET]}\n  - {name: write, methods: [POST, PUT]}\n")}.resolve(t)
	expectGrants(t, m, "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80] GET or POST,PUT")
}

func TestRow12AnEmptyListOfMatchesGrantsNothing(t *testing.T) {
	m := story{policy: target("  - kind: HTTPRouteGroup\n    name: g\n    matches: []  # want MSH1005=[]\n") + group(anyMatch)}.resolve(t)
	expectGrants(t, m, "")
}

func TestRow13MissingRouteOrMatchGrantsNothing(t *testing.T) {
	m := story{policy: target(`  - kind: HTTPRouteGroup
    name: gg  # want MSH1004=gg
  - kind: HTTPRouteGroup
    name: g
    matches: [reed]  # want MSH1005=reed
  - kind: HTTPRouteGroup
    name: g
    matches: [write]
`) + group("  - {name: read, methods: [GET]}\n  - {name: write, methods: [POST]}\n")}.resolve(t)
	expectGrants(t, m, "TrafficTarget/shop/t#rule2: client/client -> shop/web [shop/web:80] POST")
}

func TestRow13FindingNamesTheNearestAndItsPlace(t *testing.T) {
	_, _, _, found := story{policy: target("  - kind: HTTPRouteGroup\n    name: g\n    matches: [reed]\n") + group("  - {name: read, methods: [GET]}\n")}.run(t)
	f := only(t, found, "MSH1005")
	if f.Help != `did you mean "read"?` || len(f.Related) != 1 || len(f.Fixes) != 1 || f.Fixes[0].Edits[0].NewText != "read" {
		t.Errorf("the finding does not lead to the match that was meant: %+v", f)
	}
	if e, _ := diag.Lookup(f.Code); e.Admission != diag.Warning || e.Live != diag.Warning {
		t.Error("objects arrive in any order in a cluster: there it must be a warning")
	}
}

// only finds the one finding of a code.
func only(t *testing.T, l diag.List, code diag.Code) diag.Finding {
	t.Helper()
	var out []diag.Finding
	for _, f := range l {
		if f.Code == code {
			out = append(out, f)
		}
	}
	if len(out) != 1 {
		t.Fatalf("%d findings %s among %v", len(out), code, l)
	}
	return out[0]
}

const bare = `apiVersion: access.smi-spec.io/%s
kind: TrafficTarget
metadata: {name: t, namespace: shop}
spec:
`

func TestRow14NothingToGrantIsAnError(t *testing.T) {
	rules := "  rules: [{kind: TCPRoute, name: r}]\n"
	destination := "  destination: {kind: ServiceAccount, name: web}\n"
	sources := "  sources: [{kind: ServiceAccount, name: client, namespace: client}]\n"
	head := strings.Replace(bare, "%s", "v1alpha2", 1)
	for code, policy := range map[diag.Code]string{
		"MSH1001": head + destination + sources,
		"MSH1002": head + destination + rules,
		"MSH1003": head + sources + rules,
	} {
		m, _, _, found := story{policy: policy + "---\n" + tcpRoute("[]")}.run(t)
		if len(m.Grants) != 0 || !found.HasErrors() {
			t.Errorf("%s: a target that says nothing grants %d times", code, len(m.Grants))
		}
		for _, f := range found {
			if f.Code == code {
				code = ""
			}
		}
		if code != "" && code != "MSH1003" { // an absent destination may be the decoder's finding
			t.Errorf("%s is not among %v", code, found)
		}
	}
}

func TestRow14MaeshLetsATargetWithoutRulesAllowAll(t *testing.T) {
	s := story{config: "  compat: maesh\n", policy: strings.Replace(bare, "%s", "v1alpha2", 1) +
		"  destination: {kind: ServiceAccount, name: web}\n  sources: [{kind: ServiceAccount, name: client, namespace: client}]\n"}
	expectGrants(t, s.resolve(t), "TrafficTarget/shop/t: client/client -> shop/web [shop/web:80,shop/web:9000] anything")
	s.policy = strings.Replace(s.policy, "v1alpha2", "v1alpha3", 1)
	m, _, _, found := s.run(t)
	if len(m.Grants) != 0 || !found.HasErrors() {
		t.Error("only v1alpha2 has targets without rules, even in maesh")
	}
}

func TestRow15LayersAreANDed(t *testing.T) {
	m := story{policy: target(useGroup+"\n"+useTCP+"  # want MSH1013") + group(anyMatch) + tcpRoute("[80, 9000]")}.resolve(t)
	expectGrants(t, m, "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80]")
}

func TestRow15ABrokenPortLayerOpensNothing(t *testing.T) {
	m := story{policy: target(useGroup+"\n  - {kind: TCPRoute, name: absent}  # want MSH1004=absent") + group(anyMatch)}.resolve(t)
	expectGrants(t, m, "")
	m = story{policy: target(useGroup+"\n  - {kind: TCPRout, name: r}  # want MSH1006=TCPRout") + group(anyMatch)}.resolve(t)
	expectGrants(t, m, "")
}

func TestRow16OnlyTCPRouteLetsAnyRequestThrough(t *testing.T) {
	m := story{policy: target(useTCP) + tcpRoute("[80]")}.resolve(t)
	expectGrants(t, m, "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80] anything")
}

func TestRow17OnlyHTTPRouteGroupLeavesTCPPortsClosed(t *testing.T) {
	m := story{policy: target(useGroup) + group("  - {name: read, methods: [GET]}\n")}.resolve(t)
	expectGrants(t, m, "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80] GET")
}

func TestRow18PortIsTheServicesPort(t *testing.T) {
	m := story{policy: target(useTCP) + tcpRouteLines("8080  # want MSH1010=8080", "9000")}.resolve(t)
	expectGrants(t, m, "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:9000] anything")
}

func TestRow18TargetPortGetsAFix(t *testing.T) {
	_, _, _, found := story{policy: target(useTCP) + tcpRoute("[8080, 9000]")}.run(t)
	f := only(t, found, "MSH1010")
	if len(f.Fixes) != 1 || f.Fixes[0].Edits[0].NewText != "80" || f.Severity != diag.Warning {
		t.Errorf("the fix does not write the Service's port: %+v", f)
	}
}

func TestRow18SharedTargetPortIsOpenedAndTold(t *testing.T) {
	shop := strings.Replace(apps, "{name: tcp-raw, port: 9000}", "{name: http-alt, port: 81, targetPort: http}", 1)
	m := story{shop: shop, policy: target(useTCP) + tcpRouteLines("80  # want MSH1012=80")}.resolve(t)
	expectRoles(t, m, "client/client", "shop/web|shop/web 8080/http[shop/web:80 shop/web:81]")
	expectGrants(t, m, "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80,shop/web:81] anything")
}

func TestRow18NamedPortsAreResolvedPerWorkload(t *testing.T) {
	shop := strings.Replace(apps, "targetPort: 8080", "targetPort: http", 1) + `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web2, namespace: shop}
spec:
  selector: {matchLabels: {app: web, v: "2"}}
  template:
    metadata: {labels: {app: web, v: "2"}}
    spec:
      serviceAccountName: web2
      containers: [{name: app, image: echo, ports: [{name: http, containerPort: 8081}]}]
`
	m := story{shop: shop}.resolve(t)
	expectRoles(t, m, "client/client",
		"shop/web2|shop/web 8081/http[shop/web:80] 9000/tcp[shop/web:9000]",
		"shop/web|shop/web 8080/http[shop/web:80] 9000/tcp[shop/web:9000]")
	if p, _ := service(t, m, "shop", "web").Port(80); p.TargetPort != 0 || p.TargetName != "http" {
		t.Errorf("a target port that differs between workloads must bind late: %+v", p)
	}
	// The same account in both: one role, whose port link binds per workload.
	m = story{shop: strings.Replace(shop, "Name: web2", "Name: web", 1)}.resolve(t)
	expectRoles(t, m, "client/client", "shop/web|shop/web 0http/http[shop/web:80] 9000/tcp[shop/web:9000]")
}

func TestRow18DestinationPortOfOldVersions(t *testing.T) {
	old := `apiVersion: access.smi-spec.io/v1alpha2
kind: TrafficTarget
metadata: {name: t, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web, port: 80}
  rules: [{kind: TCPRoute, name: r}]
  sources: [{kind: ServiceAccount, name: client, namespace: client}]
---
`
	m := story{policy: old + tcpRoute("[]")}.resolve(t)
	expectGrants(t, m, "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80] anything")
	m = story{policy: strings.Replace(old, "port: 80}", "port: 81}  # want MSH1011=81", 1) + tcpRoute("[]")}.resolve(t)
	expectGrants(t, m, "")
}

func TestRow19EmptyPortsAreAllPorts(t *testing.T) {
	m := story{policy: target(useTCP) + tcpRoute("[]")}.resolve(t)
	expectGrants(t, m, "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80,shop/web:9000] anything")
}

func TestRow20PathIsAnchoredAtItsStart(t *testing.T) {
	for written, want := range map[string]string{
		"/api/.*": "/api/.*", "/api$": "/api$", "^/api$": "^/api$", "/a$|/b.*": "/a$|/b.*", ".*": "",
		"(/a|/b).*": "(/a|/b).*",
	} {
		m := story{policy: target(useGroup) + group("  - {name: m, methods: [GET], pathRegex: \""+written+"\"}\n")}.resolve(t)
		expectGrants(t, m, strings.TrimSpace("TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80] GET "+want))
	}
}

func TestRow20OpenEndedPathGetsAHint(t *testing.T) {
	for written, want := range map[string]string{"/api": "(?:/api).*", "/a|/b$": "(?:/a|/b$).*"} {
		s := story{policy: target(useGroup) + group("  - name: m\n    pathRegex: "+written+"  # want MSH1017="+written+"\n")}
		expectGrants(t, s.resolve(t), "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80] "+want)
	}
}

func TestRow20OSMMatchesTheWholePath(t *testing.T) {
	s := story{config: "  compat: osm\n", policy: target(useGroup) + group("  - {name: m, pathRegex: /api}\n")}
	expectGrants(t, s.resolve(t), "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80] /api")
}

func TestRow20BadPathsLetNothingThrough(t *testing.T) {
	for want, written := range map[string]string{
		"MSH1015": "/a(?!b)", "MSH1016": "/(abcdefghij){600}$", "MSH1018": "api/.*",
	} {
		m := story{policy: target(useGroup) + group("  - name: m\n    pathRegex: "+written+"  # want "+want+"="+written+"\n")}.resolve(t)
		if want != "MSH1018" && len(m.Grants) != 0 {
			t.Errorf("%s grants %s", written, grants(m))
		}
	}
	story{policy: target(useGroup) + group("  - name: m\n    pathRegex: /a\\?b=.*  # want MSH1018=/a\\?b=.*\n")}.resolve(t)
	m := story{policy: target(useGroup) + group("  - name: bad\n    pathRegex: a)(b  # want MSH1015=a)(b\n  - {name: good, methods: [GET]}\n")}.resolve(t)
	expectGrants(t, m, "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80] GET")
}

func TestRow21HeadersAreSearchedAndNamesFolded(t *testing.T) {
	headers := "  - name: m\n    pathRegex: /a$\n    headers:  # want MSH1019\n    - X-Team: blue\n    - Host: \"^shop$\"\n"
	want := "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80] /a$ :authority:"
	expectGrants(t, story{policy: target(useGroup) + group(headers)}.resolve(t), want+"^shop$ x-team:blue")
	expectGrants(t, story{config: "  compat: osm\n", policy: target(useGroup) + group(headers)}.resolve(t), want+"^^shop$ x-team:^blue")
}

func TestRow21GrantThatRestsOnAHeaderGetsAHint(t *testing.T) {
	hint := "    headers: [{x-team: blue}]  # want MSH1019=[{x-team: blue}]\n"
	story{policy: target(useGroup) + group("  - name: m\n"+hint)}.resolve(t)
	story{policy: target(useGroup) + group("  - name: m\n    pathRegex: /a$\n    methods: [GET]\n"+hint)}.resolve(t)
	again := strings.Replace(target(useGroup), "name: t,", "name: again,", 1) // once for each match, however often it is granted
	story{policy: target(useGroup) + again + group("  - name: m\n    pathRegex: /a$\n"+hint)}.resolve(t)
}

func TestRow21BadHeaderExpressionStandsAtItsValue(t *testing.T) {
	story{policy: target(useGroup) + group("  - name: m\n    pathRegex: /a$\n    headers:\n    - x-team: \"a(\"  # want MSH1015=\"a(\"\n")}.resolve(t)
	story{policy: target(useGroup) + group("  - name: m\n    pathRegex: /a$\n    headers:\n      x-team: \"a(\"  # want MSH1015=\"a(\"\n")}.resolve(t)
}

// Where proxies write a header, or take it away, a policy would not see what the
// client said: whoever asks for one is told that nobody is let in.
func TestRow21HeadersOfProxiesNeverHold(t *testing.T) {
	for _, name := range []string{"X-Request-Id", "x-forwarded-proto", "x-forwarded-client-cert", "x-envoy-internal", "Connection", "te"} {
		story{policy: target(useGroup) + group("  - name: m\n    pathRegex: /a$\n    headers:\n    - "+name+": \"^.+$\"  # want MSH1024=\"^.+$\"\n")}.resolve(t)
	}
}

func TestRow23DestinationInAnotherNamespace(t *testing.T) {
	m := story{policy: `apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: t, namespace: client}
spec:
  destination:
    kind: ServiceAccount
    name: web
    namespace: shop  # want MSH1007=shop
  sources: [{kind: ServiceAccount, name: client, namespace: client}]
  rules: [{kind: TCPRoute, name: r}]
---
` + strings.Replace(tcpRoute("[]"), "namespace: shop", "namespace: client", 1)}.resolve(t)
	expectGrants(t, m, "")
}

func TestRow24SourceWithoutNamespace(t *testing.T) {
	policy := `apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: t, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web}
  sources:
  - kind: ServiceAccount
    name: client  # want MSH1008=client
  rules: [{kind: TCPRoute, name: r}]
---
` + tcpRoute("[]")
	m := story{policy: policy}.resolve(t)
	expectGrants(t, m, "")
	_, _, _, found := story{policy: policy}.run(t)
	f := only(t, found, "MSH1008")
	if !strings.Contains(f.Help, "`namespace: client`") || len(f.Fixes) != 1 || f.Fixes[0].Edits[0].NewText != "\n    namespace: client" {
		t.Errorf("the finding does not name the fix: %q %+v", f.Help, f.Fixes)
	}
}

func TestRow25SubjectKinds(t *testing.T) {
	policy := func(source string) string {
		return strings.Replace(strings.Replace(target(useTCP), "v1alpha3", "v1alpha4", 1), "  sources: [{kind: ServiceAccount, name: client, namespace: client}]", "  sources:\n"+source, 1) + tcpRoute("[]")
	}
	for _, source := range []string{
		"  - {kind: Group, name: client, namespace: client}  # want MSH1009=Group",
		"  - {kind: ServiceAccount, group: rbac, name: client, namespace: client}  # want MSH1009=rbac",
		"  - {kind: IdentityBinding, group: other, name: client, namespace: client}  # want MSH1009=other",
		"  - {kind: IdentityBinding, group: access.smi-spec.io, name: absent, namespace: client}  # want MSH3002=absent",
	} {
		expectGrants(t, story{policy: policy(source)}.resolve(t), "")
	}
}

func TestRow27GrantsGoToTheAccount(t *testing.T) {
	shop := apps + `---
apiVersion: v1
kind: Service
metadata: {name: web-admin, namespace: shop}
spec:
  selector: {app: web}
  ports: [{name: http, port: 8000, targetPort: 8001}]
`
	m := story{shop: shop, policy: target(useGroup) + group(anyMatch)}.resolve(t)
	expectGrants(t, m, "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80,shop/web-admin:8000]")
}

func TestRow27PodsWithDifferentGrants(t *testing.T) {
	shop := strings.Replace(apps, "  selector: {app: web}\n", "  selector: {app: web}  # want MSH3009={app: web}\n", 1) + `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web2, namespace: shop}
spec:
  selector: {matchLabels: {app: web, v: "2"}}
  template:
    metadata: {labels: {app: web, v: "2"}}
    spec: {serviceAccountName: web2, containers: [{name: app, image: echo}]}
`
	m := story{shop: shop, policy: target(useTCP) + tcpRoute("[]")}.resolve(t)
	if got := service(t, m, "shop", "web").Accounts; len(got) != 2 {
		t.Errorf("clients must accept both accounts: %v", got)
	}
	both := target(useTCP) + strings.NewReplacer("name: t,", "name: t2,", "name: web}", "name: web2}").Replace(target(useTCP))
	story{shop: strings.Replace(shop, "  # want MSH3009={app: web}", "", 1), policy: both + tcpRoute("[]")}.resolve(t)
}

func TestRow30UDPIsReadAndToldNotCarried(t *testing.T) {
	shop := strings.Replace(apps, "{name: tcp-raw, port: 9000}", "{name: dns, port: 53, protocol: UDP}", 1)
	udp := strings.NewReplacer("TCPRoute", "UDPRoute").Replace(tcpRoute("[53]"))
	m := story{shop: shop, policy: target("  - {kind: UDPRoute, name: r}  # want MSH1020={kind: UDPRoute, name: r}") + udp}.resolve(t)
	expectGrants(t, m, "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:53] anything")
	expectRoles(t, m, "client/client", "shop/web|shop/web 8080/http[shop/web:80]")
	// A number that is TCP too cannot be told apart: no grant, so TCP stays closed.
	both := strings.Replace(shop, "{name: dns, port: 53, protocol: UDP}", "{name: dns, port: 53, protocol: UDP}, {name: tcp-dns, port: 53}", 1)
	m = story{shop: both, policy: target("  - {kind: UDPRoute, name: r}") + strings.NewReplacer("TCPRoute", "UDPRoute").Replace(tcpRouteLines("53  # want MSH1020=53"))}.resolve(t)
	expectGrants(t, m, "")
}

func TestRow30UDPRouteBesideHTTPOpensNothing(t *testing.T) {
	shop := strings.Replace(apps, "{name: tcp-raw, port: 9000}", "{name: dns, port: 53, protocol: UDP}", 1)
	udp := strings.NewReplacer("TCPRoute", "UDPRoute").Replace(tcpRoute("[53]"))
	policy := target(useGroup + "\n  - {kind: UDPRoute, name: r}  # want MSH1013={kind: UDPRoute, name: r}")
	expectGrants(t, story{shop: shop, policy: policy + group(anyMatch) + udp}.resolve(t), "")
}

func TestRow05StarIsAnyMethod(t *testing.T) {
	m := story{policy: target(useGroup) + group("  - {name: m, pathRegex: /a$, methods: [GET, \"*\"]}\n")}.resolve(t)
	expectGrants(t, m, "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80] /a$")
}

func TestInvalidObjectsGrantNothingButResolve(t *testing.T) {
	m, _, _, found := story{policy: target(useGroup) + group("  - {name: read, methods: [GET], colour: blue}\n")}.run(t)
	if len(m.Grants) != 0 || !found.HasErrors() {
		t.Errorf("a group that could not be decoded whole grants %s", grants(m))
	}
	for _, f := range found {
		if f.Code == "MSH1004" || f.Code == "MSH1005" {
			t.Errorf("a faulty group exists nevertheless: %v", f)
		}
	}
}

func TestUnusedRouteAndUnbackedDestination(t *testing.T) {
	shop := strings.Replace(apps, "  selector: {app: web}\n", "  selector: {app: wbe}  # want MSH4004={app: wbe}\n", 1)
	policy := strings.Replace(target(useTCP), "  destination: {kind: ServiceAccount, name: web}", "  destination: {kind: ServiceAccount, name: web}  # want MSH1022=web", 1)
	m := story{shop: shop, policy: policy + tcpRoute("[]") + strings.Replace(group(anyMatch), "name: g,", "name: old,", 1) + `apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata:
  name: spare  # want MSH1021=spare
  namespace: shop
spec: {matches: {ports: []}}
`}
	m.policy = strings.Replace(m.policy, "{name: old, namespace: shop}", "{name: old, namespace: shop}  # want MSH1021=old", 1)
	expectGrants(t, m.resolve(t), "")
}

package compiler_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// writer makes manifests of few names, so that most of them meet.
type writer struct{ *rand.Rand }

func pick[T any](w writer, from ...T) T { return from[w.IntN(len(from))] }

func (w writer) odds(percent int) bool { return w.IntN(100) < percent }

func (w writer) space() string { return pick(w, "a", "a", "b", "b-c", "d") }
func (w writer) service() string {
	return pick(w, "web", "web", "api", "db", "web-v1", "web-v2", "old")
}
func (w writer) account() string { return pick(w, "web", "web", "api", "db", "client", "default") }
func (w writer) group() string   { return pick(w, "read", "read", "write", "reed") }

func (w writer) meta(name string) string {
	ns := "\n  namespace: " + w.space()
	if w.odds(4) {
		ns = ""
	}
	return "\nmetadata:\n  name: " + name + ns
}

// document is a manifest of any kind.
func (w writer) document() string {
	return pick(w, w.aNamespace, w.aService, w.aService, w.anAccount, w.aDeployment, w.aDeployment, w.aDeployment, w.aRollout, w.aCanary,
		w.aGroup, w.aGroup, w.aRoute, w.aTarget, w.aTarget, w.aTarget, w.aSplit, w.aSplit, w.aBinding, w.aTable, w.other)()
}

func (w writer) aNamespace() string {
	return "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: " + w.space() + pick(w, "", "", "\n  labels: {meshc.dev/inject: disabled}",
		"\n  labels: {meshc.dev/mesh: other}", "\n  labels: {meshc.dev/inject: perhaps}", "\n  labels: {meshc.dev/mesh: shop}") + "\n"
}

func (w writer) aService() string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: Service" + w.meta(w.service()))
	b.WriteString(pick(w, "", "", "", "\n  annotations: {meshc.dev/plaintext-ports: \"80, 99\"}"))
	if w.odds(4) {
		return b.String() + "\nspec:\n  type: ExternalName\n  externalName: example.org\n"
	}
	b.WriteString("\nspec:" + pick(w, "", "", "", "\n  clusterIP: None", "\n  clusterIP: 10.0.0.1"))
	b.WriteString(pick(w, "\n  selector: {app: web}", "\n  selector: {app: web}", "\n  selector: {app: api}", "\n  selector: {app: web, version: v1}", "\n  selector: {app: db}", ""))
	b.WriteString("\n  ports:")
	for _, p := range []string{"80", "81", "9000", "53"}[:1+w.IntN(3)] {
		b.WriteString("\n  - port: " + p + pick(w, "\n    name: http-"+p, "\n    name: tcp-"+p, "\n    name: p"+p) +
			pick(w, "", "", "\n    appProtocol: http", "\n    appProtocol: tcp", "\n    appProtocol: tcp-server-first", "\n    appProtocol: odd", "\n    protocol: UDP") +
			pick(w, "", "\n    targetPort: 8080", "\n    targetPort: main", "\n    targetPort: "+p))
	}
	return b.String() + "\n"
}

func (w writer) anAccount() string {
	return "apiVersion: v1\nkind: ServiceAccount" + w.meta(w.account()) + "\n"
}

func (w writer) pod(indent string) string {
	text := "metadata:\n  labels: {app: " + pick(w, "web", "web", "api", "db") + pick(w, "", ", version: v1", ", version: v2", ", meshc.dev/inject: disabled") + "}\nspec:\n" +
		pick(w, "", "", "  hostNetwork: true\n") + pick(w, "", "  serviceAccountName: "+w.account()+"\n", "  serviceAccountName: "+w.account()+"\n") +
		"  containers:\n  - name: app\n    ports:\n    - {containerPort: " + pick(w, "8080", "80", "9000") + pick(w, "", ", name: main", ", name: mian") + "}\n"
	return indent + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+indent) + "\n"
}

func (w writer) aDeployment() string {
	kind := pick(w, "Deployment", "Deployment", "StatefulSet", "DaemonSet")
	return "apiVersion: apps/v1\nkind: " + kind + w.meta(pick(w, "web", "api", "db", "job")) + "\nspec:\n  replicas: " + pick(w, "1", "2") + "\n  template:\n" + w.pod("    ")
}

func (w writer) aRollout() string {
	ref := "  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: " + pick(w, "web", "api", "none") + "}\n"
	if w.odds(50) {
		ref = "  template:\n" + w.pod("    ")
	}
	return "apiVersion: argoproj.io/v1alpha1\nkind: Rollout" + w.meta(pick(w, "web", "roll")) + "\nspec:\n" + ref +
		"  strategy:\n    canary: {canaryService: web-v2, stableService: web-v1}\n"
}

func (w writer) aCanary() string {
	return "apiVersion: flagger.app/v1beta1\nkind: Canary" + w.meta(pick(w, "web", "api")) + "\nspec:\n  targetRef: {apiVersion: apps/v1, kind: Deployment, name: " +
		pick(w, "web", "api", "none") + "}\n  service: {port: 80, targetPort: 8080}\n"
}

func (w writer) aGroup() string {
	var b strings.Builder
	b.WriteString("apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup" + w.meta(w.group()) + "\nspec:\n  matches:")
	for range 1 + w.IntN(3) {
		b.WriteString("\n  - name: " + pick(w, "get", "put", "all") + pick(w, "", "\n    pathRegex: /api", "\n    pathRegex: /api/.*", "\n    pathRegex: \"/a(\"", "\n    pathRegex: a") +
			"\n    methods: " + pick(w, "[GET]", "[GET, PUT]", "[\"*\"]") + pick(w, "", "", "\n    headers: [{x-team: blue}]", "\n    headers: {host: shop}"))
	}
	return b.String() + "\n"
}

func (w writer) aRoute() string {
	kind := pick(w, "TCPRoute", "TCPRoute", "UDPRoute")
	return "apiVersion: specs.smi-spec.io/v1alpha4\nkind: " + kind + w.meta(pick(w, "bytes", "read")) + "\nspec:\n  matches:\n    name: m\n    ports: " +
		pick(w, "[]", "[80]", "[81, 9000]", "[8080]", "[7]") + "\n"
}

func (w writer) aTarget() string {
	var b strings.Builder
	b.WriteString("apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget" + w.meta(pick(w, "t", "t", "u", "v", "all")) + "\nspec:\n  destination: {kind: ServiceAccount, name: " + w.account())
	b.WriteString(pick(w, "", ", namespace: "+w.space()) + "}\n  rules:")
	for range 1 + w.IntN(2) {
		b.WriteString(pick(w, "\n  - {kind: HTTPRouteGroup, name: "+w.group()+"}", "\n  - {kind: HTTPRouteGroup, name: "+w.group()+", matches: ["+pick(w, "get", "put", "gett")+"]}",
			"\n  - {kind: TCPRoute, name: "+pick(w, "bytes", "byts")+"}", "\n  - {kind: UDPRoute, name: bytes}", "\n  - {kind: TCPRout, name: bytes}"))
	}
	b.WriteString("\n  sources:")
	for range 1 + w.IntN(3) {
		b.WriteString(pick(w, "\n  - {kind: ServiceAccount, name: "+w.account()+", namespace: "+w.space()+"}", "\n  - {kind: ServiceAccount, name: "+w.account()+", namespace: "+w.space()+"}",
			"\n  - {kind: IdentityBinding, group: access.smi-spec.io, name: people, namespace: "+w.space()+"}", "\n  - {kind: ServiceAccount, name: "+w.account()+"}", "\n  - {kind: ServiceAccount, name: webb, namespace: a}"))
	}
	return b.String() + "\n"
}

func (w writer) aSplit() string {
	var b strings.Builder
	b.WriteString("apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit" + w.meta(pick(w, "canary", "canary", "other", "web")) + pick(w, "", "\n  annotations: {meshc.dev/allow-self: \"true\"}"))
	b.WriteString("\nspec:\n  service: " + pick(w, "web", "web", "web.a", "api", "none") + pick(w, "", "", "\n  matches:\n  - {kind: HTTPRouteGroup, name: "+w.group()+"}") + "\n  backends:")
	for range 1 + w.IntN(3) {
		b.WriteString("\n  - {service: " + pick(w, "web", "web-v1", "web-v2", "old", "api") + ", weight: " + pick(w, "0", "10", "90", "50") + "}")
	}
	return b.String() + "\n"
}

func (w writer) aBinding() string {
	return "apiVersion: access.smi-spec.io/v1alpha4\nkind: IdentityBinding" + w.meta("people") + "\nspec:\n  schemes:" +
		pick(w, "\n    serviceAccount: "+w.account(), "\n    podLabelSelector: {matchLabels: {app: "+pick(w, "web", "api", "none")+"}}",
			"\n    spiffeIdentities: [\"cluster.local/ns/"+w.space()+"/sa/"+w.account()+"\"]") + "\n"
}

func (w writer) aTable() string {
	return "apiVersion: meshc.dev/v1alpha1\nkind: VerdictTable\nmetadata:\n  name: cases\nspec:\n  cases:\n  - {name: one, from: a/client, to: \"a/web:80\", http: {method: GET, path: /}, expect: " + pick(w, "allow", "deny", "maybe") + "}\n"
}

func (w writer) other() string {
	return pick(w, "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n", "{\"apiVersion\": \"v1\", \"kind\": \"ServiceAccount\", \"metadata\": {\"name\": \""+w.account()+"\", \"namespace\": \"a\"}}\n",
		"just: text\n", "apiVersion: access.smi-spec.io/v1alpha9\nkind: TrafficTarget\nmetadata: {name: t}\n", "a: [1,\n",
		"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ServiceAccount\n  metadata: {name: member"+pick(w, "", "-2")+", namespace: b}\n- apiVersion: v1\n  kind: ServiceAccount\n  metadata: {name: member, namespace: a}\n")
}

// config is a meshc.yaml.
func (w writer) config() string {
	if w.odds(15) {
		return pick(w, "", "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\n", "kind: [\n")
	}
	var b strings.Builder
	b.WriteString("apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: " + pick(w, "shop", "other") + "}\nspec:\n  mode: " + pick(w, "strict", "strict", "permissive", "audit", "strickt") + "\n")
	b.WriteString(pick(w, "", "", "  egress: allow\n") + pick(w, "", "", "  plaintext: allow\n") + pick(w, "", "", "  trustDomain: example.org\n") + pick(w, "", "", "  compat: osm\n"))
	b.WriteString(pick(w, "", "  namespaces: {a: {mode: permissive}, dd: {egress: allow}}\n", "  namespaces: {b: {mode: audit, plaintext: allow}}\n"))
	if w.odds(20) {
		b.WriteString("  waivers:\n  - {code: " + pick(w, "MSH1017", "MSH3001", "MSH9999") + ", reason: known, owner: us, expires: 2026-04-01}\n")
	}
	if w.odds(40) {
		b.WriteString("  assume:\n  - {service: " + w.space() + "/" + w.service() + ", ports: [{port: 80}], accounts: [" + w.space() + "/" + w.account() + "], until: 2030-01-01}\n" +
			"  - {account: e/" + w.account() + pick(w, "", ", meshed: false") + pick(w, "", ", until: 2020-01-01") + "}\n")
	}
	return b.String()
}

// lock is a meshc.lock.
func (w writer) lock() string {
	lines := []string{}
	for range w.IntN(8) {
		lines = append(lines, pick(w,
			"service "+w.space()+"/"+w.service()+" account="+w.space()+"/"+w.account()+" port=80,app=http",
			"service e/far account=e/far account=a/web port=80,app=http port=9000,app=tcp,target=main",
			"account "+pick(w, "e", w.space())+"/"+pick(w, "far", w.account())+pick(w, "", " outside"),
			"role e/far"+pick(w, "", " service=e/far"), "role "+w.space()+"/"+w.account(),
			"namespace "+w.space()+pick(w, "", " label=meshc.dev/inject:disabled"), "absent service "+w.space()+"/"+w.service(), "absent account a/"+w.account()))
	}
	slices.Sort(lines)
	return "# meshc.lock v1\n" + strings.Join(slices.Compact(lines), "\n") + "\n"
}

// damaged is a text with something small changed.
func (w writer) damaged(text string) string {
	if text == "" {
		return text
	}
	at := w.IntN(len(text))
	switch w.IntN(5) {
	case 0:
		return text[:at] + string(rune(' '+w.IntN(90))) + text[at+1:]
	case 1:
		return text[:at] + text[at+1:]
	case 2:
		return "# one line more\n" + text
	case 3:
		return strings.Replace(text, "80", fmt.Sprint(w.IntN(100)), 1)
	}
	lines := strings.SplitAfter(text, "\n")
	i := w.IntN(len(lines))
	return strings.Join(slices.Delete(lines, i, i+1), "")
}

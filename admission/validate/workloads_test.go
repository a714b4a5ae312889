package validate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/admission/validate"
	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
)

// cartRuns is the cart's Deployment as an API server has it.
const cartRuns = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cart
  namespace: shop
  uid: 5b7c
  resourceVersion: "7"
  annotations: {deployment.kubernetes.io/revision: "1"}
spec:
  replicas: 2
  strategy: {type: RollingUpdate}
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}, annotations: {a: b}}
    spec:
      serviceAccountName: cart
      containers: [{name: c, image: c, imagePullPolicy: Always, resources: {}}]
status: {replicas: 2}
`

// Who rolls out another form of an application is told what policy it leaves without
// meaning, and held back only where the namespace asks for that.
func TestWorkloadsThatBreakPolicy(t *testing.T) {
	s := live(t, map[string][]byte{"shop.yaml": []byte(shop)})
	for _, c := range []struct {
		name, operation, from, to, breaks string
	}{
		{"pods that no service that policy names selects any more", "UPDATE", "labels: {app: cart}", "labels: {app: till}", "MSH1022"},
		{"an account that no grant covers", "UPDATE", "serviceAccountName: cart", "serviceAccountName: front", "MSH1022"},
		{"pods that leave the mesh", "UPDATE", "labels: {app: cart}, a", "labels: {app: cart, meshc.dev/inject: disabled}, a", "MSH1022"},
		{"the whole application goes", "DELETE", "", "", "MSH1022"},
		{"a label of the mesh that nobody understands", "UPDATE", "labels: {app: cart}, a", "labels: {app: cart, meshc.dev/inject: perhaps}, a", "MSH4010"},
		{"another image", "UPDATE", "image: c", "image: d", ""},
		{"a restart", "UPDATE", "{a: b}", "{kubectl.kubernetes.io/restartedAt: now}", ""},
		{"more replicas", "UPDATE", "replicas: 2", "replicas: 0", ""},
		{"a port by name", "UPDATE", "image: c,", "image: c, ports: [{name: web, containerPort: 80}],", ""},
		{"a label that nothing selects by", "UPDATE", "labels: {app: cart}, a", "labels: {app: cart, v: x}, a", ""},
	} {
		r := ask(t, c.operation, strings.Replace(cartRuns, c.from, c.to, 1))
		r.OldObject = ask(t, "UPDATE", cartRuns).Object
		for _, enforce := range []bool{false, true} {
			answer := validate.Decide(s, r, enforce)
			denied, warned := codesOf(answer)
			switch {
			case c.breaks == "" && (!answer.Allowed || len(warned) > 0):
				t.Errorf("%s: denied %q, warned %q, and it breaks nothing", c.name, denied, warned)
			case c.breaks != "" && !enforce && (!answer.Allowed || !slices.Contains(warned, c.breaks)):
				t.Errorf("%s: denied %q, warned %q, want a warning of %s", c.name, denied, warned, c.breaks)
			case c.breaks != "" && enforce && (answer.Allowed || !slices.Contains(denied, c.breaks)):
				t.Errorf("%s, where that is denied: denied %q, warned %q, want %s", c.name, denied, warned, c.breaks)
			}
		}
	}
}

// runsBy is the cart run by another kind.
func runsBy(kind string) string {
	head, rest, _ := strings.Cut(cartRuns, "  template:\n")
	template, _, _ := strings.Cut(rest, "status:")
	head = strings.Replace(head, "Deployment", kind, 1)
	switch kind {
	case "Rollout":
		head = strings.Replace(head, "apps/v1", "argoproj.io/v1alpha1", 1)
	case "Job":
		head = strings.NewReplacer("apps/v1", "batch/v1", "  replicas: 2\n", "").Replace(head)
	case "CronJob":
		head, _, _ = strings.Cut(strings.Replace(head, "apps/v1", "batch/v1", 1), "  replicas:")
		head += "  schedule: \"* * * * *\"\n  jobTemplate:\n   spec:\n"
		template = "  " + strings.ReplaceAll(template, "\n", "\n  ")
		return head + "    template:\n" + template
	}
	return head + "  template:\n" + template
}

// Whatever runs pods is judged, and what a CronJob makes was judged with it.
func TestEveryKindThatRunsPodsIsJudged(t *testing.T) {
	for _, kind := range []string{"DaemonSet", "StatefulSet", "Rollout", "CronJob"} {
		runs := runsBy(kind)
		s := live(t, map[string][]byte{"shop.yaml": []byte(strings.Replace(shop, parts(shop)[4], runs, 1))})
		for _, c := range []struct{ operation, from, to, warns string }{
			{"UPDATE", "serviceAccountName: cart", "serviceAccountName: front", "MSH1022"},
			{"UPDATE", "image: c", "image: d", ""},
			{"DELETE", "", "", "MSH1022"},
		} {
			r := ask(t, c.operation, strings.Replace(runs, c.from, c.to, 1))
			r.OldObject = ask(t, "UPDATE", runs).Object
			a := validate.Decide(s, r, false)
			if denied, warned := codesOf(a); len(denied) > 0 || c.warns == "" && len(warned) > 0 || c.warns != "" && !slices.Contains(warned, c.warns) {
				t.Errorf("%s of a %s to %q: denied %q, warned %q, want %q", c.operation, kind, c.to, denied, warned, c.warns)
			}
		}
	}

	s := live(t, map[string][]byte{"shop.yaml": []byte(shop)})
	odd := strings.Replace(runsBy("Job"), "labels: {app: cart}, a", "labels: {app: cart, meshc.dev/inject: perhaps}, a", 1)
	if _, warned := codesOf(validate.Decide(s, ask(t, "CREATE", odd), false)); !slices.Contains(warned, "MSH4010") {
		t.Errorf("a Job with a label that nobody understands: warned %q", warned)
	}
	held := ask(t, "UPDATE", odd) // one that is suspended may change
	held.OldObject = ask(t, "UPDATE", runsBy("Job")).Object
	if _, warned := codesOf(validate.Decide(s, held, false)); !slices.Contains(warned, "MSH4010") {
		t.Errorf("a Job that gets such a label: warned %q", warned)
	}
	ends := ask(t, "DELETE", odd)
	made := ask(t, "CREATE", odd)
	made.UserInfo.Username = "system:serviceaccount:kube-system:cronjob-controller"
	bare, _, _ := strings.Cut(runsBy("Rollout"), "  template:\n")
	ref := ask(t, "CREATE", bare+"  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: cart}\n")
	for what, r := range map[string]*validate.Request{"a Job that ends": ends, "the Job of a CronJob": made, "a Rollout without a template": ref} {
		if a := validate.Decide(nobody{t}, r, true); !a.Allowed || len(a.Warnings) > 0 {
			t.Errorf("%s: %+v", what, a)
		}
	}
}

// nobody fails a test that asks the compiler.
type nobody struct{ t *testing.T }

func (n nobody) Try(c compiler.Change) diag.List {
	n.t.Errorf("the compiler was asked about %s", c.Path)
	return nil
}

// Autoscalers and rollouts write workloads all day: nothing is compiled for that.
func TestWhatLeavesPodsAsTheyAreCostsNothing(t *testing.T) {
	for _, edit := range [][2]string{{"replicas: 2", "replicas: 9"}, {"image: c", "image: d"}, {"revision: \"1\"", "revision: \"2\""}, {"{a: b}", "{kubectl.kubernetes.io/restartedAt: now}"}} {
		r := ask(t, "UPDATE", strings.Replace(cartRuns, edit[0], edit[1], 1))
		r.OldObject = ask(t, "UPDATE", cartRuns).Object
		if a := validate.Decide(nobody{t}, r, true); !a.Allowed || len(a.Warnings) > 0 {
			t.Errorf("%s: %+v", edit[1], a)
		}
	}
	r := ask(t, "DELETE", cartRuns)
	r.Options = []byte(`{"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "propagationPolicy": "Orphan"}`)
	if a := validate.Decide(nobody{t}, r, true); !a.Allowed {
		t.Errorf("its pods stay: %+v", a.Status)
	}
	for _, goes := range append(parts(shop), cartRuns) {
		for _, who := range []string{"namespace-controller", "generic-garbage-collector"} {
			r = ask(t, "DELETE", goes)
			r.UserInfo.Username = "system:serviceaccount:kube-system:" + who
			if a := validate.Decide(nobody{t}, r, true); !a.Allowed {
				t.Errorf("what goes with its namespace or its owner is kept: %+v", a.Status)
			}
		}
	}
}

// parts are the manifests of a file.
func parts(file string) []string { return strings.Split(file, "\n---\n") }

// An application comes with its objects in any order.
func TestWorkloadsMayComeFirst(t *testing.T) {
	s := live(t, map[string][]byte{"shop.yaml": []byte(shop)})
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
		manifest := strings.NewReplacer("cart", "till", "Deployment", kind, "  replicas: 2\n", "").Replace(cartRuns)
		if a := validate.Decide(s, ask(t, "CREATE", manifest), true); !a.Allowed || len(a.Warnings) > 0 {
			t.Errorf("a %s whose account and services come after it: %+v %v", kind, a.Status, a.Warnings)
		}
	}
	unnamed := strings.Replace(cartRuns, "  name: cart", "  generateName: cart-", 1)
	if a := validate.Decide(s, ask(t, "CREATE", unnamed), true); !a.Allowed {
		t.Errorf("one whose name is made later: %+v", a.Status)
	}
}

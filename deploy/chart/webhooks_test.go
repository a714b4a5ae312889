package chart_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/deploy/chart"
	"github.com/meshc/meshc/deploy/install"
)

// validating are the validating webhooks of an installation with values as they come.
func validating(t *testing.T) (webhooks []map[string]any) {
	t.Helper()
	values, err := chart.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	said, err := chart.Set("image=registry.example/meshc:dev", false)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := install.NewPlan("meshc-system", chart.Merge(values, said))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range plan.Objects {
		if o["kind"] == "ValidatingWebhookConfiguration" {
			for _, w := range o["webhooks"].([]any) {
				webhooks = append(webhooks, w.(map[string]any))
			}
		}
	}
	return webhooks
}

// While nobody answers, nothing may come in unjudged, and whoever wants to be rid of an
// object or a whole namespace must be able to: a cluster is mended by that.
func TestNobodyIsNeededToDelete(t *testing.T) {
	judged, resources := map[string][]string{}, map[string][]string{}
	for _, w := range validating(t) {
		for _, r := range w["rules"].([]any) {
			r := r.(map[string]any)
			for _, op := range r["operations"].([]any) {
				at := op.(string) + " " + w["failurePolicy"].(string)
				for _, kind := range r["resources"].([]any) {
					judged[at] = append(judged[at], kind.(string))
				}
			}
			for _, kind := range r["resources"].([]any) {
				resources[w["name"].(string)] = append(resources[w["name"].(string)], kind.(string))
			}
		}
	}
	if stuck := judged["DELETE Fail"]; len(stuck) > 0 {
		t.Errorf("cannot be deleted while nobody answers: %s", strings.Join(stuck, ", "))
	}
	for _, op := range []string{"CREATE Fail", "UPDATE Fail", "DELETE Ignore"} {
		if !slices.Contains(judged[op], "traffictargets") || !slices.Contains(judged[op], "waivers") {
			t.Errorf("%s: %v", op, judged[op])
		}
	}
	if a, b := resources["policy.meshc.dev"], resources["deletions.policy.meshc.dev"]; !slices.Equal(a, b) {
		t.Errorf("judged when they come %v, and when they go %v", a, b)
	}
}

// Who rolls out an application waits for nobody, and is asked about only in namespaces of
// the mesh; who scales one is not asked about at all.
func TestWorkloadsWaitForNobody(t *testing.T) {
	labels := map[string]bool{}
	for _, w := range validating(t) {
		if !strings.HasSuffix(w["name"].(string), "workloads.meshc.dev") {
			continue
		}
		if w["failurePolicy"] != "Ignore" || w["sideEffects"] != "None" || fmt.Sprint(w["timeoutSeconds"]) != "2" {
			t.Errorf("%s: %v, %v, %v seconds", w["name"], w["failurePolicy"], w["sideEffects"], w["timeoutSeconds"])
		}
		asked := map[string]string{} // operations, by what they are of
		for _, r := range w["rules"].([]any) {
			r := r.(map[string]any)
			for _, resource := range r["resources"].([]any) {
				asked[fmt.Sprintf("%v %v %v", r["apiGroups"], r["apiVersions"], resource)] = fmt.Sprint(r["operations"])
			}
		}
		all := "[CREATE UPDATE DELETE]"
		want := map[string]string{
			"[apps] [v1] daemonsets": all, "[apps] [v1] deployments": all, "[apps] [v1] statefulsets": all,
			"[argoproj.io] [v1alpha1] rollouts": all, "[batch] [v1] cronjobs": all, "[batch] [v1] jobs": "[CREATE UPDATE]",
		}
		if !maps.Equal(asked, want) {
			t.Errorf("%s is asked of %v", w["name"], asked)
		}
		never := false
		for _, e := range w["namespaceSelector"].(map[string]any)["matchExpressions"].([]any) {
			e := e.(map[string]any)
			if e["operator"] == "In" {
				labels[fmt.Sprint(e["key"], e["values"])] = true
			}
			never = never || e["key"] == "kubernetes.io/metadata.name" && fmt.Sprint(e["values"]) == "[meshc-system kube-system]"
		}
		if !never {
			t.Errorf("%s is asked of the control plane's own namespace", w["name"])
		}
	}
	if len(labels) != 2 || !labels["meshc.dev/mesh[mesh]"] || !labels["openservicemesh.io/monitored-by[mesh]"] {
		t.Errorf("namespaces are chosen by %v", labels)
	}
}

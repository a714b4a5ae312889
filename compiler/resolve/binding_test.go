package resolve_test

import (
	"strings"
	"testing"
)

// bound is a target whose source is the IdentityBinding b of client with the schemes.
func bound(schemes string) string {
	return strings.NewReplacer("v1alpha3", "v1alpha4", "sources: [{kind: ServiceAccount, name: client,", "sources: [{kind: IdentityBinding, group: access.smi-spec.io, name: b,").Replace(target(useTCP)) +
		tcpRoute("[80]") + `apiVersion: access.smi-spec.io/v1alpha4
kind: IdentityBinding
metadata: {name: b, namespace: client}
spec:
  schemes:
` + schemes
}

const granted = "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/web:80] anything"

func TestRow26SchemesOfABinding(t *testing.T) {
	for _, schemes := range []string{
		"    serviceAccount: client\n",
		"    spiffeIdentities: [cluster.local/ns/client/sa/client]\n",
		"    spiffeIdentities: [\"spiffe://cluster.local/ns/client/sa/client\"]\n",
		"    podLabelSelector: {matchLabels: {app: client}}\n",
	} {
		expectGrants(t, story{policy: bound(schemes)}.resolve(t), granted)
	}
}

func TestRow26SchemesAreAUnion(t *testing.T) {
	m := story{policy: bound("    serviceAccount: client\n    spiffeIdentities: [cluster.local/ns/client/sa/default]\n")}.resolve(t)
	expectGrants(t, m, strings.Replace(granted, "client/client ->", "client/client,client/default ->", 1))
}

func TestRow26BindingsThatStandForNobody(t *testing.T) {
	for _, schemes := range []string{
		"    serviceAccount: client\n    podLabelSelector: {matchLabels: {app: client}}  # want MSH3003={matchLabels: {app: client}}\n",
		"    spiffeIdentities: [partner.example/ns/client/sa/client]  # want MSH3005=partner.example/ns/client/sa/client\n",
		"    spiffeIdentities: [cluster.local/ns/shop/sa/web]  # want MSH3006=cluster.local/ns/shop/sa/web\n",
		"    spiffeIdentities: [cluster.local/client]  # want MSH3004=cluster.local/client\n",
		"    spiffeIdentities: [cluster.local/ns/client/sa/nobody]  # want MSH3001=cluster.local/ns/client/sa/nobody\n",
		"    serviceAccount: clint  # want MSH3001=clint\n",
		"    podLabelSelector: {matchLabels: {app: nobody}}  # want MSH3008={matchLabels: {app: nobody}}\n",
	} {
		expectGrants(t, story{policy: bound(schemes)}.resolve(t), "")
	}
}

func TestRow26AccountThatRunsOtherPodsToo(t *testing.T) {
	shop := apps + `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: audit, namespace: client}
spec:
  selector: {matchLabels: {app: audit}}
  template:
    metadata: {labels: {app: audit}}
    spec: {serviceAccountName: client, containers: [{name: app, image: echo}]}
`
	m := story{shop: shop, policy: bound("    podLabelSelector: {matchLabels: {app: client}}  # want MSH3007={matchLabels: {app: client}}\n")}.resolve(t)
	expectGrants(t, m, "")
}

func TestRow26BindingAsDestination(t *testing.T) {
	policy := strings.NewReplacer("v1alpha3", "v1alpha4", "{kind: ServiceAccount, name: web}", "{kind: IdentityBinding, group: access.smi-spec.io, name: b}").Replace(target(useTCP)) +
		tcpRoute("[80]") + "apiVersion: access.smi-spec.io/v1alpha4\nkind: IdentityBinding\nmetadata: {name: b, namespace: shop}\nspec: {schemes: {serviceAccount: web}}\n"
	expectGrants(t, story{policy: policy}.resolve(t), granted)
}

// A template that lost its labels must not grant to a whole namespace in silence.
func TestRow26SelectorWithoutLabelsIsTold(t *testing.T) {
	m := story{policy: bound("    podLabelSelector: {matchLabels: {}}  # want MSH3012={matchLabels: {}}\n")}.resolve(t)
	expectGrants(t, m, granted)
}

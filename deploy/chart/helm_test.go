package chart_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/deploy/chart"
)

// What meshc renders is what Helm renders, to the byte: one chart, not two.
func TestHelmGivesTheSame(t *testing.T) {
	helm, err := filepath.Abs(filepath.Join("..", "..", ".cache", "helm", "helm"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(helm); err != nil {
		t.Skip("Helm is not built: run `make helm`")
	}
	image := "image=registry.example/meshc@sha256:ab"
	for name, set := range map[string][]string{
		"defaults": {image},
		"everything": {
			image, "mesh.name=shop", "mesh.spec.mode=permissive", "mesh.spec.namespaces.legacy.mode=audit", "imagePullPolicy=Always",
			"priorityClassName=system-cluster-critical", "podAnnotations.a\\.b/c=d", "podLabels.team=mesh", "bundle.trustSecret=keys", "bundle.plainHTTP=true",
			"clusters.enabled=true", "webhooks.certManager.enabled=true", "metrics.serviceMonitor.enabled=true", "metrics.podMonitor.enabled=true",
			"metrics.podMonitor.labels.release=prometheus", "replicas=1,sidecar=classic,interception=cni,log.level=debug", "affinity.nodeAffinity.x=1",
			"mesh.spec.trustDomain=shop.example", "webhooks.clientCASecret=api-clients", "resources.limits.memory=1Gi",
		},
		"an issuer of the cluster": {image, "webhooks.certManager.enabled=true", "webhooks.certManager.issuerRef.kind=ClusterIssuer", "webhooks.certManager.issuerRef.name=root"},
		"as little as can be":      {image, "podDisruptionBudget.enabled=false,networkPolicy.enabled=false,rbac.create=false,mesh.create=false"},
		"strange words":            {image, `podAnnotations.a=it's "so": {x}\, #1`, "nodeSelector.kubernetes\\.io/os=null", "networkPolicy.adminFrom=null"},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"template", "meshc", ".", "--namespace", "mesh-home", "--include-crds", "--kube-version", "1.37.0"}
			values, err := chart.Defaults()
			if err != nil {
				t.Fatal(err)
			}
			for _, words := range set {
				args = append(args, "--set", words)
				more, err := chart.Set(words, false)
				if err != nil {
					t.Fatal(err)
				}
				values = chart.Merge(values, more)
			}
			if faults, err := chart.Check(values); err != nil || len(faults) > 0 {
				t.Fatalf("the values were refused: %v %v", err, faults)
			}
			command := exec.CommandContext(t.Context(), helm, args...)
			var says bytes.Buffer
			command.Stderr = &says
			want, err := command.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, says.String())
			}
			definitions, err := chart.Definitions()
			if err != nil {
				t.Fatal(err)
			}
			objects, err := chart.Render(values, chart.Release{Name: "meshc", Namespace: "mesh-home", Service: "Helm"})
			if err != nil {
				t.Fatal(err)
			}
			differ(t, chart.Print(append(definitions, objects...)), string(want))
		})
	}
}

// differ tells the first line in which two texts differ.
func differ(t *testing.T, got, want string) {
	t.Helper()
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for n := range max(len(a), len(b)) {
		x, y := "(nothing)", "(nothing)"
		if n < len(a) {
			x = a[n]
		}
		if n < len(b) {
			y = b[n]
		}
		if x != y {
			t.Fatalf("line %d is\n%s\nand of Helm\n%s", n+1, x, y)
		}
	}
}

package resolve_test

import (
	"math/rand"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/check"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/syntax"
)

// Whatever is lost or mixed up in manifests, the compiler must end in findings:
// no panic, and nothing granted to or by an object that is not whole.
func TestDamagedManifestsNeverPanicAndNeverGrant(t *testing.T) {
	whole := stores + canary + rollout + target(useGroup+"\n"+useTCP) + tcpRoute("[80, 9000]") +
		group("  - {name: read, pathRegex: \"/a.*\", methods: [GET], headers: [{x-team: blue}]}\n") +
		split("  - {service: v1, weight: 1}\n  - {service: v2, weight: 1}", "  matches: [{kind: HTTPRouteGroup, name: g}]\n") +
		bound("    podLabelSelector: {matchLabels: {app: client}}\n")
	lines := strings.Split(whole, "\n")
	r := rand.New(rand.NewSource(7))
	for range 300 {
		damaged := append([]string{}, lines...)
		for range 1 + r.Intn(4) {
			i := r.Intn(len(damaged))
			switch r.Intn(4) {
			case 0:
				damaged = append(damaged[:i], damaged[i+1:]...)
			case 1:
				damaged[i] = damaged[r.Intn(len(damaged))]
			case 2:
				words := strings.Fields(damaged[i])
				if len(words) > 0 {
					damaged[i] = strings.Replace(damaged[i], words[r.Intn(len(words))], "", 1)
				}
			case 3:
				damaged[i] = strings.NewReplacer("80", "0", "web", "", "shop", "client", "ServiceAccount", "Pod").Replace(damaged[i])
			}
		}
		files, _ := syntax.Parse(tree(t, map[string][]byte{"all.yaml": []byte(strings.Join(damaged, "\n"))}))
		mesh, _, _, _ := resolve.Mesh(files, ir.Known{}, resolve.Options{})
		check.Mesh(files, mesh)
		for _, g := range mesh.Grants {
			if len(g.Sources) == 0 || len(g.Ports) == 0 || g.Destination == "" {
				t.Fatalf("a grant without a side: %+v\n%s", g, strings.Join(damaged, "\n"))
			}
			for _, o := range files.Objects {
				if o.Invalid && o.TrafficTarget != nil && strings.HasPrefix(g.Name, o.Ref().String()+"#") {
					t.Fatalf("%s grants although it is not whole\n%s", g.Name, strings.Join(damaged, "\n"))
				}
			}
			if _, ok := mesh.Service(g.Ports[0].Service); !ok {
				t.Fatalf("%s opens a service that is not in the mesh", g.Name)
			}
		}
	}
}

package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Shape is a mesh as companies grow them: an edge that users reach, layers of
// services that call the next ones, a few hubs that nearly everybody calls, and
// leaves that one service calls. Equal shapes are equal bytes.
type Shape struct {
	Services int
	Seed     uint64
	Layers   int     // beneath the edge; 4 if zero
	Hubs     int     // called across all layers: logins, flags, audit; 1 in 100 if zero
	HubShare float64 // of all services that call a hub; 0.4 if zero
	Leaves   float64 // share of the services that one other calls; 0.5 if zero
}

func (s Shape) withDefaults() Shape {
	if s.Layers == 0 {
		s.Layers = 4
	}
	if s.Hubs == 0 {
		s.Hubs = max(1, s.Services/100)
	}
	if s.HubShare == 0 {
		s.HubShare = 0.4
	}
	if s.Leaves == 0 {
		s.Leaves = 0.5
	}
	return s
}

// Layered is a mesh of a shape as YAML files by name, in the given number of files.
func Layered(s Shape, files int) map[string][]byte {
	s = s.withDefaults()
	docs := namespaces(s.Services)
	for i, callers := range s.callers() {
		docs = append(docs, account(i), deployment(i), service(i), routeGroup(i))
		if len(callers) > 0 {
			docs = append(docs, targetFor(i, callers))
		}
		if i%10 == 0 && i+1 < s.Services && namespaceOf(i) == namespaceOf(i+1) {
			docs = append(docs, split(i))
		}
	}
	return spread(fmt.Sprintf("layered-%d-%d", s.Services, s.Seed), docs, files)
}

// callers says for each service who calls it, in ascending order. Hubs come
// first, then the layers from the edge down, then the leaves.
func (s Shape) callers() [][]int {
	r := rand.New(rand.NewPCG(s.Seed, 0))
	out := make([][]int, s.Services)
	inner := max(s.Hubs+s.Layers, s.Services-int(float64(s.Services)*s.Leaves))
	inner = min(inner, s.Services)
	perLayer := max(1, (inner-s.Hubs)/s.Layers)
	for i := range s.Services {
		switch {
		case i < s.Hubs:
			for c := s.Hubs; c < s.Services; c++ {
				if r.Float64() < s.HubShare {
					out[i] = append(out[i], c)
				}
			}
		case i >= inner:
			out[i] = []int{r.IntN(inner)}
		case i >= s.Hubs+perLayer: // below the edge: two to six of the layer above
			above := s.Hubs + ((i-s.Hubs)/perLayer-1)*perLayer
			for range 2 + r.IntN(5) {
				out[i] = append(out[i], above+r.IntN(perLayer))
			}
			slices.Sort(out[i])
			out[i] = slices.Compact(out[i])
		}
	}
	return out
}

// targetFor grants a service's routes to its callers.
func targetFor(i int, callers []int) string {
	var b strings.Builder
	b.WriteString("apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\n" + metadata(i))
	fmt.Fprintf(&b, `spec:
  destination:
    kind: ServiceAccount
    name: svc-%[1]d
    namespace: %[2]s
  rules:
  - kind: HTTPRouteGroup
    name: svc-%[1]d
    matches: [read, write, hdr]
  sources:
`, i, namespaceOf(i))
	for _, from := range callers {
		fmt.Fprintf(&b, "  - kind: ServiceAccount\n    name: svc-%d\n    namespace: %s\n", from, namespaceOf(from))
	}
	return b.String()
}

package compiler_test

import (
	"fmt"
	"testing"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/source"
)

// ownRules are rules that read each part of the mesh, name objects elsewhere, find
// more than is shown, fail, or give what is no finding.
var ownRules = map[string]string{
	"wide": `deny contains {"object": grant.object, "message": sprintf("%s may be called by %v", [id, grant.sources])} if {
	some id, identity in data.mesh.identities
	some name in identity.incoming
	name in busy
	grant := data.mesh.grants[name]
}

# Read by every element that is asked about, and found once.
busy contains name if {
	some name, grant in data.mesh.grants
	count(grant.sources) > 1
}

deny contains {"message": sprintf("%d services and no split", [count(data.mesh.services)])} if {
	count(data.mesh.splits) == 0
}

deny contains {"message": sprintf("%s leads to %v", [name, service.leaves])} if {
	some name, service in data.mesh.services
	count(service.roots) > 0
	every leaf in service.roots { data.mesh.splits[leaf].backends[0].missing == false }
}`,
	"space": `deny contains {"message": sprintf("%s holds %d", [input.namespace, count(here)])} if {
	here := {name | some name, w in data.mesh.workloads; w.object.namespace == input.namespace; w.replicas > 1}
	count(here) > 0
	not data.mesh.namespaces[input.namespace].labels["meshc.dev/mesh"]
}`,
	"object": `deny contains {"path": ["metadata", "name"], "message": sprintf("%s: %v", [input.object.metadata.name, ends.from]),
	"related": [{"object": end, "label": "from here"} | some end in ends.from]} if {
	ends := data.mesh.references[sprintf("%s/%s/%s", [input.object.kind, input.object.metadata.namespace, input.object.metadata.name])]
	count(ends.from) > 0
}`,
	"many": `deny contains {"message": sprintf("%s %d", [input.object.metadata.name, n])} if some n in numbers.range(1, 240)`,
	"fails": `deny contains {"message": sprintf("%d", [to_number(input.object.metadata.name)])} if {
	input.object.metadata.name == "write"
	data.mesh.calls
}`,
	"odd": `deny contains {"object": sprintf("HTTPRouteGroup/%s/read", [input.object.metadata.namespace]), "path": ["spec"], "message": "it is behind the web"} if {
	input.object.metadata.name in {"write", "web"}
}`,
}

var ruleHeads = map[string]string{
	"wide": "scope: mesh", "space": "scope: namespace", "object": "kinds: [Service, ServiceAccount, HTTPRouteGroup]", "many": "kinds: [HTTPRouteGroup]",
	"fails": "kinds: [HTTPRouteGroup]", "odd": "kinds: [ServiceAccount, HTTPRouteGroup]",
}

func ruleFiles() (out []*source.File) {
	for i, name := range []string{"fails", "many", "object", "odd", "space", "wide"} {
		text := fmt.Sprintf(`# METADATA
# scope: package
# title: what is found by %s
# description: a rule for tests
# custom:
#   meshc:
#     id: T%04d
#     severity: warning
#     %s
#     help: nothing
#     since: 0.2.0
package rules.%s

%s
`, name, i+1, ruleHeads[name], name, ownRules[name])
		out = append(out, &source.File{Path: "rules/" + name + ".rego", Data: []byte(text)})
	}
	return out
}

// Whatever a rule reads, names or does wrong, a session finds what a cold
// compilation finds.
func TestSessionJudgesByRulesOfAnyKind(t *testing.T) {
	seen := map[string]int{}
	for seed := range (*edits + 99) / 100 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			d := newDeskWith(t, uint64(seed)+2000, compiler.Options{NoPlan: true})
			d.cold, d.rules = compiler.Options{NoPlan: true}, ruleFiles()
			d.session.Load(d.tree(nil, nil), d.known)
			for range 50 {
				d.edit()
				d.compare()
				for _, f := range d.last {
					seen[string(f.Code)]++
				}
			}
		})
	}
	for _, code := range []string{"T0002", "T0003", "T0005", "T0006", "MSH0605", "MSH0608", "MSH0609"} {
		if seen[code] == 0 {
			t.Errorf("nothing was found by %s: the test tests little (%v)", code, seen)
		}
	}
}

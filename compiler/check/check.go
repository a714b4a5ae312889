// Package check holds the built-in judgements about a mesh that resolved: hints
// and warnings about policy that means something, but perhaps not what its
// author meant. In come the files' objects and the IR, out come findings. It
// refuses to resolve names: that is done.
package check

import (
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// judge is what every check is given.
type judge struct {
	files *syntax.Files
	mesh  *ir.Mesh
	named map[string]*syntax.Object // Kind/NS/NAME

	byDestination map[ir.Identity][]ir.Grant
	comparer      *diff.Comparer
}

// checks is every judgement; findings are sorted later.
var checks = []func(judge) diag.List{
	headerGrants,
	udpGrants,
	unusedRoutes,
	unlikePods,
	unlikeLeaves,
	waitingClients,
	egressWithoutRanges,
}

// Mesh judges the mesh.
func Mesh(files *syntax.Files, mesh *ir.Mesh) diag.List {
	j := judge{files: files, mesh: mesh, comparer: diff.NewComparer(), named: make(map[string]*syntax.Object, len(files.Objects))}
	for _, o := range files.Objects {
		j.named[o.Ref().String()] = o
	}
	j.byDestination = map[ir.Identity][]ir.Grant{}
	for _, g := range mesh.Grants {
		j.byDestination[g.Destination] = append(j.byDestination[g.Destination], g)
	}
	var found diag.List
	for _, c := range checks {
		found.Add(c(j)...)
	}
	return found
}

// finding starts a finding about a value of an object, at a path in the union form.
func finding(o *syntax.Object, code diag.Code, path []any, format string, args ...any) diag.Finding {
	var b strings.Builder
	for _, p := range o.PathTo(path...) {
		switch v := p.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(v) + "]")
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(v)
		}
	}
	return diag.New(code, o.AtUnion(path...), format, args...).About(o.Ref(), b.String())
}

// rule finds the target and the rule that a grant came from.
func (j judge) rule(g ir.Grant) (*syntax.Object, []any) {
	name, rule, _ := strings.Cut(g.Name, "#rule")
	i, err := strconv.Atoi(rule)
	o := j.named[name]
	if o == nil || err != nil {
		return o, []any{"spec", "destination"}
	}
	return o, []any{"spec", "rules", i}
}

// servicePort finds what was written of a service's port; nil for known facts.
func (j judge) servicePort(id ir.PortID) (*syntax.Object, []any) {
	o := j.named["Service/"+id.Service.String()]
	if o == nil || o.Service == nil {
		return nil, nil
	}
	for i, p := range o.Service.Ports {
		if p.Port == int64(id.Port) {
			return o, []any{"spec", "ports", i, "port"}
		}
	}
	return o, []any{"spec", "ports"}
}

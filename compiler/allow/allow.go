// Package allow writes grants: in come a tree of manifests, what it means and a
// request that is refused for lack of a grant; out come the edits that let it in and
// nothing more, with a row for the verdict table. What was written by hand keeps its
// comments and layout: edits only insert. It compiles nothing and writes no file.
package allow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// Question is what is to be allowed.
type Question struct {
	Request ir.Request
	// Regex is the path's expression, where it is not the request's own path.
	Regex string
	// At are the places of FROM, TO and METHOD where the question was asked.
	From, To, What diag.Span
}

// Mesh is what the question is asked of.
type Mesh struct {
	Tree  *source.Tree
	Files *syntax.Files
	Mesh  *ir.Mesh
	// Tables are those that a row may be added to.
	Tables []*syntax.VerdictTable
}

// File is a file as it is to be.
type File struct {
	Path string
	Data []byte
}

// Write finds the edits that let a request in: of each account behind it that
// refuses it, one grant. The findings say why there are none.
func Write(m Mesh, q Question) ([]File, diag.List) {
	m.Mesh = Strict(m.Mesh)
	if found := check(m.Mesh, q); len(found) > 0 {
		return nil, found
	}
	w := &writer{Mesh: m, q: q, files: map[string]*draft{}}
	for _, leaf := range ir.Behind(m.Mesh, q.Request) {
		if leaf.Outcome == ir.Deny && leaf.Account != "" {
			w.grant(leaf)
		}
	}
	if len(w.found) > 0 {
		return nil, w.found
	}
	w.row()
	return w.drafts(), w.found
}

// check finds what no grant can be written for.
func check(m *ir.Mesh, q Question) diag.List {
	r := q.Request
	if r.External != "" || r.From == "" {
		return diag.List{diag.New("MSH4652", q.From, "grants are for identities of the mesh that call services of the mesh").
			WithHelp("what leaves the mesh is `egress` of meshc.yaml, clients without a certificate are `plaintext`")}
	}
	if _, known := slices.BinarySearch(m.Identities, r.From); !known {
		return diag.List{unknown(q.From, "account", r.From.Short(), identities(m))}
	}
	svc, ok := m.Service(r.To.Service)
	if !ok {
		return diag.List{unknown(q.To, "service", r.To.Service.String(), services(m))}
	}
	port, ok := svc.Port(r.To.Port)
	if !ok {
		return diag.List{unknown(q.To, "port", r.To.String(), ports(svc))}
	}
	if port.Protocol.IsHTTP() != (r.HTTP != nil) {
		f := diag.New("MSH4652", q.What, "port %d of %s is %s", port.Number, svc.ID, port.Protocol)
		if r.HTTP == nil {
			return diag.List{f.WithHelp("say which METHOD and PATH")}
		}
		return diag.List{f.WithHelp("leave METHOD and PATH out: a grant of its bytes is all there is")}
	}
	if r.HTTP != nil {
		if name := twice(r.HTTP.Headers); name != "" {
			return diag.List{diag.New("MSH4652", q.What, "the header %q is asked for with two values, and a match has one for each", name).
				WithHelp("ask for each value by itself")}
		}
		// Of a path of slashes alone a proxy makes "//", which no application serves.
		if path, ok := ir.NormalisePath(r.HTTP.Path); ok && strings.Contains(ir.WithoutQuery(path), "//") {
			return diag.List{diag.New("MSH4652", q.What, "the path %q has no segment between its slashes: a grant of it would let no call of / in", r.HTTP.Path).
				WithHelp("ask for %s /", r.HTTP.Method)}
		}
	}
	v := ir.Decide(m, r)
	switch {
	case v.Outcome == ir.Allow:
		f := diag.New("MSH4651", q.What, "%s", v.Reason).WithHelp("`meshc can --why` tells every step")
		for _, name := range v.By {
			if o, ok := m.Origins[name]; ok {
				f = f.WithRelated(diag.Span{File: o.File, Line: o.Line, Col: max(o.Col, 1)}, name+" lets it in")
			}
		}
		return diag.List{f}
	case v.Outcome == ir.Unknown, v.Status == ir.StatusBadRequest, v.Status == ir.StatusUnavailable, svc.Outside,
		r.HTTP != nil && r.HTTP.Method == "CONNECT", !slices.ContainsFunc(ir.Behind(m, r), lacksGrant):
		return diag.List{diag.New("MSH4652", q.What, "%s", v.Reason)}
	}
	return nil
}

// twice is a header that stands twice; "": none does.
func twice(headers []ir.Header) string {
	seen := map[string]bool{}
	for _, h := range headers {
		name := strings.ToLower(h.Name)
		if seen[name] {
			return name
		}
		seen[name] = true
	}
	return ""
}

// lacksGrant tells of a share that an account behind it refuses.
func lacksGrant(l ir.Leaf) bool {
	return l.Outcome == ir.Deny && l.Account != "" && l.Status != ir.StatusUnavailable && l.Status != ir.StatusBadRequest
}

func unknown(at diag.Span, what, name string, known []string) diag.Finding {
	f := diag.New("MSH4650", at, "no %s %s is known", what, name).WithEffect("a grant for it would allow nothing")
	if near := diag.Nearest(name, known); near != "" {
		return f.WithHelp("did you mean %s?", near)
	}
	if len(known) > 0 && len(known) <= 6 {
		return f.WithHelp("known are %s", strings.Join(known, ", "))
	}
	return f
}

func identities(m *ir.Mesh) []string {
	var out []string
	for _, id := range m.Identities {
		out = append(out, id.Short())
	}
	return out
}

func services(m *ir.Mesh) []string {
	var out []string
	for _, s := range m.Services {
		out = append(out, s.ID.String())
	}
	return out
}

func ports(s *ir.Service) []string {
	var out []string
	for _, p := range s.Ports {
		out = append(out, fmt.Sprintf("%s:%d", s.ID, p.Number))
	}
	return out
}

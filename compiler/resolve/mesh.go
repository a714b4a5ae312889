// Package resolve turns decoded objects into the mesh they mean: names become
// identities, services, roles, grants and splits (SEMANTICS.md). In come the
// files' objects and what is known of things outside the tree; out come the IR,
// the tree's inventory, the facts that were used, and findings. It knows no
// clock, no network and no Envoy.
package resolve

import (
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Options of a run; the zero value is useful.
type Options struct {
	// Now is the time of judgement, for the end dates of assumptions; zero: none has ended.
	Now time.Time
}

// Mesh resolves the objects. known is what meshc.lock says; the assumptions of
// the configuration are added to it. The mesh is never nil: what could not be
// resolved is a finding and grants nothing.
func Mesh(files *syntax.Files, known ir.Known, opts Options) (*ir.Mesh, *ir.Inventory, Used, diag.List) {
	r := newResolver(files, known, opts)
	r.readSettings()
	r.readNamespaces()
	r.readWorkloads()
	r.readAccounts()
	r.readServices()
	r.readBindings()
	targets := r.readTargets()
	r.readGroups()
	splits := r.readSplits()
	r.admitServices(targets)
	r.admitClients()
	r.settleServices()
	r.settleRoles()
	r.settleGrants(targets)
	r.settleSplits(splits)
	return r.mesh(), r.inventory(), r.known.used(), r.findings
}

// resolver is one run. Its maps are indexes only: output is made from sorted slices.
type resolver struct {
	files    *syntax.Files
	opts     Options
	objects  index
	known    *knowledge
	settings ir.Settings
	compat   ir.Compat

	namespaces map[string]*namespace
	accounts   map[ir.Identity]*account
	workloads  []*workload
	services   map[ir.ServiceID]*service
	bindings   map[ir.ServiceID]*binding
	roles      map[string]*role
	reach      map[ir.Identity]*reach
	groups     map[ir.ServiceID]*routeGroup
	regexes    map[string]*pattern

	grants   []ir.Grant
	splits   []ir.Split
	origins  map[string]ir.Origin
	findings diag.List
	reported map[string]bool // by reportOnce
}

func newResolver(files *syntax.Files, known ir.Known, opts Options) *resolver {
	r := &resolver{
		files: files, opts: opts,
		namespaces: map[string]*namespace{},
		accounts:   map[ir.Identity]*account{},
		services:   map[ir.ServiceID]*service{},
		bindings:   map[ir.ServiceID]*binding{},
		roles:      map[string]*role{},
		reach:      map[ir.Identity]*reach{},
		groups:     map[ir.ServiceID]*routeGroup{},
		regexes:    map[string]*pattern{},
		origins:    map[string]ir.Origin{},
		reported:   map[string]bool{},
	}
	r.objects = r.indexObjects(files.Objects)
	r.known = newKnowledge(known, files.Config.Assume)
	r.checkAssumptions(files.Config.Assume)
	return r
}

func (r *resolver) report(f diag.Finding) { r.findings.Add(f) }

// origin remembers where a named thing was written.
func (r *resolver) origin(name string, obj *syntax.Object, at diag.Span) {
	r.origins[name] = ir.Origin{Kind: obj.Kind, Namespace: obj.Namespace, Name: obj.Name, File: at.File, Line: at.Line, Col: at.Col}
}

// factOrigin is the origin of what only a known fact shows.
func (r *resolver) factOrigin(name, kind string, f *ir.Fact) {
	r.origins[name] = ir.Origin{Kind: kind, Namespace: f.Namespace, Name: f.Name, File: f.At.File, Line: f.At.Line, Col: f.At.Col}
}

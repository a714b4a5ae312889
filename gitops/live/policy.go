package live

import (
	"bytes"
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// policy is the mesh as the compiler has it: of every object the form that is in
// force. One with an error is kept out, its last accepted form in its stead
// (SEMANTICS 14b), so that the rest always compiles. It belongs to one goroutine, but
// for what the session takes from several.
type policy struct {
	session *compiler.Session
	objects map[syntax.Name]*object
	paths   map[string]syntax.Name // of what findings name
	waiting map[syntax.Name]bool   // those whose form in force is not the wanted one
	base    []byte                 // the configuration without a Mesh
	domain  string                 // the trust domain that the mesh has, empty before it is known
	last    outcome

	edit syntax.Edit // of the session, since it was taken

	clock, changed uint64 // counts changes and tries; that of the last change
}

// object is one on its way into the session. Forms are documents; nil: there is none.
type object struct {
	path     string
	wanted   []byte // as the API server has it
	forced   []byte // as the session has it
	accepted []byte // the last one that was in force without an error
	found    diag.List
	vouched  bool   // see edit
	tried    uint64 // by the clock, when it waits
}

// edit is another wanted form of an object.
type edit struct {
	name syntax.Name
	data []byte // nil: it is deleted
	// vouched: the form was in force before, as the cluster remembers: between two
	// that cannot both be in force, it is the one that stays.
	vouched bool
}

// outcome is what edits came to.
type outcome struct {
	result *compiler.Result
	found  diag.List // of what is in force
	failed diag.List // why there is no plan; what was served stays
}

func newPolicy(mesh string, opts compiler.Options) *policy {
	p := &policy{objects: map[syntax.Name]*object{}, paths: map[string]syntax.Name{}, waiting: map[syntax.Name]bool{}, edit: syntax.Edit{}, base: noMesh(mesh)}
	p.session = compiler.NewSession(ir.Known{}, opts)
	return p
}

// takeEdit is what changed in the session since the last time.
func (p *policy) takeEdit() syntax.Edit {
	out := p.edit
	p.edit = syntax.Edit{}
	return out
}

// pathOf is what findings call an object: the Mesh is the mesh's configuration.
func pathOf(n syntax.Name) string {
	switch {
	case n.Kind == meshKind:
		return source.ConfigName
	case n.Namespace == "":
		return n.Kind + "/" + n.Name
	}
	return n.Kind + "/" + n.Namespace + "/" + n.Name
}

func (p *policy) at(name syntax.Name) *object {
	o := p.objects[name]
	if o == nil {
		o = &object{path: pathOf(name)}
		p.objects[name] = o
		p.paths[o.path] = name
	}
	return o
}

// apply makes edits, and keeps out what has an error with them. more is what else
// changes of what is in force.
func (p *policy) apply(edits ...edit) outcome { return p.applyWith(nil, edits) }

func (p *policy) applyWith(more []compiler.Change, edits []edit) outcome {
	changes := more
	for _, e := range edits {
		o := p.at(e.name)
		if instead, refused := p.refuseDomain(e); refused {
			changes = append(changes, p.force(e.name, o, instead)...)
			continue
		}
		if o.vouched = e.vouched; e.vouched {
			o.accepted = e.data
		}
		if e.data == nil || e.name.Kind == glassKind {
			o.accepted = nil // mended or deleted: SEMANTICS 14b; or over, and not to come back
		}
		o.wanted = e.data
		changes = append(changes, p.force(e.name, o, e.data)...)
	}
	p.last = p.settle(changes)
	spaces, edited := map[string]bool{}, make([]syntax.Name, 0, len(edits))
	for _, e := range edits {
		spaces[e.name.Namespace] = true
		edited = append(edited, e.name)
	}
	p.moved(edited)
	if p.last.result.Plan != nil {
		p.retry(p.due(spaces, triesWithin))
	}
	return p.last
}

// force makes a form the one in force.
func (p *policy) force(name syntax.Name, o *object, data []byte) []compiler.Change {
	if name.Kind == meshKind && data == nil {
		data = p.base
	} else if name.Kind == meshKind {
		data = p.rooted(data) // a form that was remembered may be of an earlier mesh
	}
	if bytes.Equal(o.forced, data) && (o.forced == nil) == (data == nil) {
		return nil
	}
	o.forced = data
	c := compiler.Change{Path: o.path, Data: data, Object: &name}
	if name.Kind == meshKind {
		c.Object = nil
	}
	return []compiler.Change{c}
}

// settle compiles, and puts what has an error back until what is left has a plan.
// What was in force is put back last: a newcomer does not drive it out.
func (p *policy) settle(changes []compiler.Change) outcome {
	touched := map[syntax.Name]bool{}
	for {
		for _, c := range changes {
			touched[p.paths[c.Path]] = true
		}
		result, found := p.session.Apply(changes...)
		maps.Copy(p.edit, result.Edit)
		if result.Plan != nil {
			p.accept(touched)
			return outcome{result: result, found: found}
		}
		if changes = p.putBack(found); len(changes) == 0 {
			return outcome{result: result, found: found, failed: errorsIn(found)}
		}
	}
}

// putBack puts the objects that errors are about back to what was accepted last, if it
// is another form; if it is not for any of them, out of the mesh.
func (p *policy) putBack(found diag.List) []compiler.Change {
	blamed := map[syntax.Name]diag.List{}
	for _, f := range errorsIn(found) {
		if name, ok := p.paths[f.At().File]; ok && p.objects[name].forced != nil {
			blamed[name] = append(blamed[name], f)
		}
	}
	fresh := func(o *object) bool { return !bytes.Equal(o.forced, o.accepted) }
	anyFresh, vouched, rivals := false, false, false
	for name := range blamed {
		anyFresh = anyFresh || fresh(p.objects[name])
		vouched = vouched || p.objects[name].vouched
		rivals = rivals || isPolicy(name) && !p.objects[name].vouched
	}
	var changes []compiler.Change
	for name, errors := range blamed {
		o := p.objects[name]
		if anyFresh && !fresh(o) {
			continue
		}
		if !anyFresh && vouched && rivals && o.vouched {
			continue // replicas that were told in another order agree by what the cluster says
		}
		if bytes.Equal(o.forced, o.wanted) {
			o.found = errors
		}
		instead := o.accepted
		if !anyFresh {
			instead = nil
		}
		changes = append(changes, p.force(name, o, instead)...)
		p.waiting[name] = true
	}
	slices.SortFunc(changes, func(a, b compiler.Change) int { return bytes.Compare([]byte(a.Path), []byte(b.Path)) })
	return changes
}

// accept notes what is in force as it is wanted.
func (p *policy) accept(touched map[syntax.Name]bool) {
	for name := range touched {
		o := p.objects[name]
		switch {
		case o == nil:
		case !bytes.Equal(o.forced, o.wanted) || (o.forced == nil) != (o.wanted == nil):
			p.waiting[name] = true
		default:
			o.accepted, o.found = o.wanted, nil
			delete(p.waiting, name)
			if o.wanted == nil {
				delete(p.objects, name)
				delete(p.paths, o.path)
			}
		}
	}
}

// errorsIn are the errors that count.
func errorsIn(found diag.List) diag.List {
	var out diag.List
	for _, f := range found {
		if f.Severity == diag.Error && f.Counts() {
			out = append(out, f)
		}
	}
	return out
}

// of are the findings about a path.
func of(found diag.List, path string) diag.List {
	var out diag.List
	for _, f := range found {
		if f.At().File == path {
			out = append(out, f)
		}
	}
	return out
}

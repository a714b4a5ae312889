package lsp

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/lsp/protocol"
)

// thing is what a name means: an object, or a part of one, such as a match of a
// route group. Namespaces lie in none.
type thing struct{ kind, namespace, name, part string }

// whole is the object that a thing is a part of.
func (t thing) whole() thing { t.part = ""; return t }

// String is how the compiler names it: HTTPRouteGroup/NS/NAME#MATCH.
func (t thing) String() string {
	out := diag.Object{Kind: t.kind, Namespace: t.namespace, Name: t.name}.String()
	if t.part != "" {
		out += "#" + t.part
	}
	return out
}

// role is what a mention does.
type role uint8

const (
	refers  role = iota // it leads to the thing
	defines             // the thing is written here
	heads               // it is the word for its kind, above the thing
)

// mention is a place that names a thing.
type mention struct {
	at    diag.Span
	thing thing
	role  role
}

// outline is an object and where it stands.
type outline struct {
	object *syntax.Object
	at     diag.Span // its first line
}

// index is who names what, and where.
type index struct {
	files    map[string][]mention // by file, in order of position
	defs     map[thing][]diag.Span
	uses     map[thing][]diag.Span
	outlines map[string][]outline // by file, in order of position
	objects  map[thing]*syntax.Object
	names    *namings
}

// namings remembers what objects name. It follows the objects of one mesh.
type namings struct {
	mu          sync.Mutex
	before, now map[*syntax.Object][]mention
}

// of is what an object names.
func (n *namings) of(o *syntax.Object) []mention {
	list, known := n.before[o]
	if !known {
		list = inObject(o)
	}
	n.now[o] = list
	return list
}

// begin forgets the objects that the last index did not have.
func (n *namings) begin() {
	n.before, n.now = n.now, make(map[*syntax.Object][]mention, len(n.now))
}

// index of a model, made when it is first wanted. A file that cannot be parsed is
// taken as it was when it could be, moved to where its lines are now.
func (m *model) index() *index {
	m.once.Do(func() {
		x := &index{
			files: map[string][]mention{}, defs: map[thing][]diag.Span{}, uses: map[thing][]diag.Span{},
			outlines: map[string][]outline{}, objects: map[thing]*syntax.Object{}, names: &m.project.naming,
		}
		m.project.naming.mu.Lock()
		defer m.project.naming.mu.Unlock()
		x.names.begin()
		for _, o := range m.files.Objects {
			x.add(o, func(at diag.Span) (diag.Span, bool) {
				_, past := m.good[at.File]
				return at, !past
			})
		}
		for _, name := range slices.Sorted(maps.Keys(m.good)) {
			move := moved(m.good[name].text, m.text(name))
			for _, o := range m.good[name].objects {
				x.add(o, move)
			}
		}
		for _, t := range m.files.Tables {
			x.mention(inTable(t), here)
		}
		x.mention(inConfig(m.files.Config), here)
		for _, f := range m.result.Used.Facts {
			if kind := factKinds[f.Kind]; kind != "" {
				x.mention([]mention{{f.At, thing{kind, f.Namespace, f.Name, ""}, defines}}, here)
			}
		}
		x.sort()
		m.names = x
	})
	return m.names
}

// factKinds are the kinds of what facts of a lock are about.
var factKinds = map[string]string{"service": "Service", "account": "ServiceAccount"}

// place moves a span to where it stands now; ok is false when it stands nowhere.
type moving func(diag.Span) (now diag.Span, ok bool)

func here(at diag.Span) (diag.Span, bool) { return at, at.File != "" }

// moved follows the lines that stayed when a text became another: those before and
// those behind what was typed.
func moved(old, now *protocol.Text) moving {
	if old == nil || now == nil {
		return func(at diag.Span) (diag.Span, bool) { return at, false }
	}
	same := func(i, j int) bool { return string(old.Line(i)) == string(now.Line(j)) }
	before, behind, most := 0, 0, min(old.Lines(), now.Lines())
	for before < most && same(before, before) {
		before++
	}
	for behind < most-before && same(old.Lines()-1-behind, now.Lines()-1-behind) {
		behind++
	}
	shift := now.Lines() - old.Lines()
	return func(at diag.Span) (diag.Span, bool) {
		switch {
		case at.Line <= before:
		case at.Line > old.Lines()-behind:
			at.Line += shift
			if at.EndLine > 0 {
				at.EndLine += shift
			}
		default:
			return at, false
		}
		return at, true
	}
}

// add takes the mentions of an object.
func (x *index) add(o *syntax.Object, move moving) {
	if at, ok := move(o.At()); ok {
		x.outlines[at.File] = append(x.outlines[at.File], outline{o, at})
	}
	if self := thingOf(o); x.objects[self] == nil {
		x.objects[self] = o
	}
	x.mention(x.names.of(o), move)
}

func (x *index) mention(list []mention, move moving) {
	for _, m := range list {
		at, ok := move(m.at)
		if !ok || m.thing.name == "" || at.Line == 0 {
			continue
		}
		m.at = at
		x.files[at.File] = append(x.files[at.File], m)
		switch m.role {
		case defines:
			x.defs[m.thing] = append(x.defs[m.thing], at)
		case refers:
			x.uses[m.thing] = append(x.uses[m.thing], at)
		}
	}
}

func (x *index) sort() {
	for _, list := range x.files {
		slices.SortStableFunc(list, func(a, b mention) int { return compareSpans(a.at, b.at) })
	}
	for _, list := range x.outlines {
		slices.SortStableFunc(list, func(a, b outline) int { return compareSpans(a.at, b.at) })
	}
	for _, all := range []map[thing][]diag.Span{x.defs, x.uses} {
		for t, list := range all {
			slices.SortFunc(list, compareSpans)
			all[t] = slices.Compact(list)
		}
	}
}

func compareSpans(a, b diag.Span) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.EndCol, b.EndCol))
}

// at is the mention at a line and a column of a file.
func (x *index) at(file string, line, col int) (mention, bool) {
	for _, m := range x.files[file] {
		if m.at.Line == line && m.at.Col <= col && col <= max(m.at.EndCol, m.at.Col) {
			return m, true
		}
	}
	return mention{}, false
}

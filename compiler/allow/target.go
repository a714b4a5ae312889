package allow

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// writer collects the edits of one question.
type writer struct {
	Mesh
	q     Question
	files map[string]*draft
	found diag.List
	names map[string]bool // of objects that it has written: kind/namespace/name

	places  map[*syntax.Object]*place
	several map[string]bool // by file; see repeated
	// made is where a patch or generator makes what would have to be edited of madeOf.
	made   diag.Span
	madeOf diag.Object
}

// grant lets the client's requests in at one account: by a match more in a target
// that is theirs alone, else by a target of its own.
func (w *writer) grant(leaf ir.Leaf) {
	_, namespace, account, ok := leaf.Account.Split()
	if !ok {
		w.refuse("%s is no account of a namespace: a TrafficTarget cannot name it", leaf.Account)
		return
	}
	w.made = diag.Span{}
	if w.q.Request.HTTP != nil && w.extend(namespace, account) {
		return
	}
	if w.made.File != "" {
		w.found.Add(diag.New("MSH4654", w.made, "what %s says here is made by a patch or a generator", w.madeOf).
			WithEffect("an edit of the file that it was first written in would be lost, or hold for other overlays too").
			WithHelp("edit %s: add the match\n%s", w.made.File, "- "+strings.Join(w.matchLines(w.matchBase()), "\n  ")))
		return
	}
	home, lacking, ok := w.home(leaf.Service.Name, namespace, account)
	if !ok {
		w.found.Add(lacking)
		return
	}
	w.fresh(home, leaf, namespace, account)
}

func (w *writer) refuse(format string, args ...any) {
	w.found.Add(diag.New("MSH4652", w.q.What, format, args...))
}

// extend adds a match to the client's own target, where there is one, and to the
// group that it names. Neither may say anything for somebody else.
func (w *writer) extend(namespace, account string) bool {
	for _, o := range w.Files.Objects {
		t := o.TrafficTarget
		if t == nil || o.Namespace != namespace || !w.editable(o) || !w.alone(o, account) {
			continue
		}
		for i, rule := range t.Rules {
			group := w.object("HTTPRouteGroup", namespace, rule.Name)
			if rule.Kind != "HTTPRouteGroup" || len(rule.Matches) == 0 || group == nil || !w.editable(group) || len(group.HTTPRouteGroup.Matches) == 0 || !w.named(group) {
				continue
			}
			names, matches := w.node(o, "spec", "rules", i, "matches"), w.node(group, "spec", "matches")
			if names == nil || matches == nil {
				continue
			}
			match, written := w.match(group)
			if slices.Contains(rule.Matches, match) {
				continue // it is there, and does not let the request in: something else is amiss
			}
			if w.whole(func() bool {
				return (written || w.insert(group, matches, w.matchLines(match))) && w.insert(o, names, []string{match})
			}) {
				w.draft(w.place(group).file).matches[group.Ref().String()] = match
				return true
			}
		}
	}
	return false
}

// alone tells of a target from the client, and nobody else, to the account, in a
// version whose fields are below spec, with one layer.
func (w *writer) alone(o *syntax.Object, account string) bool {
	t := o.TrafficTarget
	_, ns, name, ok := w.q.Request.From.Split()
	if !ok || len(t.Sources) != 1 || t.Sources[0].Kind != "ServiceAccount" || t.Sources[0].Name != name || orHere(t.Sources[0].Namespace, o) != ns {
		return false
	}
	return t.Destination.Kind == "ServiceAccount" && t.Destination.Name == account && orHere(t.Destination.Namespace, o) == o.Namespace && t.Destination.Port == nil &&
		!slices.ContainsFunc(t.Rules, func(r syntax.Rule) bool { return r.Kind != "HTTPRouteGroup" })
}

func orHere(namespace string, o *syntax.Object) string {
	if namespace == "" {
		return o.Namespace
	}
	return namespace
}

// named tells that whoever refers to a group names the matches meant: one more
// changes nothing for them.
func (w *writer) named(group *syntax.Object) bool {
	for _, o := range w.Files.Objects {
		switch {
		case o.Namespace != group.Namespace:
		case o.TrafficTarget != nil:
			for _, r := range o.TrafficTarget.Rules {
				if r.Kind == "HTTPRouteGroup" && r.Name == group.Name && len(r.Matches) == 0 {
					return false
				}
			}
		case o.TrafficSplit != nil: // a split names whole groups
			if slices.ContainsFunc(o.TrafficSplit.Matches, func(r syntax.TypedRef) bool { return r.Name == group.Name }) {
				return false
			}
		}
	}
	return true
}

// match is the name of a match of exactly the wanted requests, and whether the group
// has it already.
func (w *writer) match(group *syntax.Object) (name string, written bool) {
	r := w.q.Request.HTTP
	taken := map[string]bool{}
	for _, m := range group.HTTPRouteGroup.Matches {
		if m.PathRegex == w.regex() && slices.Equal(m.Methods, []string{r.Method}) && slices.Equal(m.Headers, w.headers()) {
			return m.Name, true
		}
		taken[m.Name] = true
	}
	if d := w.files[w.place(group).file]; d != nil { // for another account
		if name, ok := d.matches[group.Ref().String()]; ok {
			return name, true
		}
	}
	return unique(w.matchBase(), func(n string) bool { return taken[n] }), false
}

// object finds an object of the tree.
func (w *writer) object(kind, namespace, name string) *syntax.Object {
	for _, o := range w.Files.Objects {
		if o.Kind == kind && o.Namespace == namespace && o.Name == name && !o.Invalid {
			return o
		}
	}
	return nil
}

// editable tells of an object that is written in a file of the tree, or in one that a
// kustomization renders, and that no other is made of.
func (w *writer) editable(o *syntax.Object) bool {
	p := w.place(o)
	return p != nil && !o.Invalid && (p.rendered || w.file(p.file) != nil) && !w.repeated(p.file)
}

func (w *writer) file(path string) *source.File {
	for _, f := range w.Tree.Files {
		if f.Path == path && path != source.StdinName && !f.TablesOnly {
			return f
		}
	}
	return nil
}

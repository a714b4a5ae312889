package allow

import (
	"slices"

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
}

// grant lets the client's requests in at one account: by a match more in a target
// that is theirs alone, else by a target of its own.
func (w *writer) grant(leaf ir.Leaf) {
	_, namespace, account, ok := leaf.Account.Split()
	if !ok {
		w.refuse("%s is no account of a namespace: a TrafficTarget cannot name it", leaf.Account)
		return
	}
	if w.q.Request.HTTP != nil && w.extend(namespace, account) {
		return
	}
	home := w.home(leaf, namespace, account)
	if home == "" {
		w.found.Add(diag.New("MSH4654", w.q.To, "nothing of namespace %s lies in a file that can be edited", namespace).
			WithHelp("write it into the base or overlay that it belongs to: `meshc can --why` names the accounts"))
		return
	}
	w.fresh(w.draft(home), leaf, namespace, account)
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
				w.draft(group.At("kind").File).matches[group.Ref().String()] = match
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
		if m.PathRegex == w.regex() && slices.Equal(m.Methods, []string{r.Method}) && len(m.Headers) == 0 {
			return m.Name, true
		}
		taken[m.Name] = true
	}
	if d := w.files[group.At("kind").File]; d != nil { // for another account
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

// editable tells of an object that stands by itself in a file of the tree.
func (w *writer) editable(o *syntax.Object) bool {
	at := o.At("kind")
	f := w.file(at.File)
	return f != nil && !o.Invalid && o.Document() != nil && at.Line > 0
}

func (w *writer) file(path string) *source.File {
	for _, f := range w.Tree.Files {
		if f.Path == path && path != source.StdinName && !f.TablesOnly {
			return f
		}
	}
	return nil
}

// home is the file that a new target belongs into: that of another one to the same
// account, of any of its namespace, of the service, of the account.
func (w *writer) home(leaf ir.Leaf, namespace, account string) string {
	best, rank := "", 9
	for _, o := range w.Files.Objects {
		at := 9
		switch {
		case o.TrafficTarget != nil && o.Namespace == namespace && o.TrafficTarget.Destination.Name == account:
			at = 1
		case o.TrafficTarget != nil && o.Namespace == namespace:
			at = 2
		case o.HTTPRouteGroup != nil && o.Namespace == namespace:
			at = 3
		case o.Service != nil && o.Namespace == leaf.Service.Namespace && o.Name == leaf.Service.Name:
			at = 4
		case o.ServiceAccount != nil && o.Namespace == namespace && o.Name == account:
			at = 5
		case o.Namespace == namespace:
			at = 6
		}
		if at < rank && w.editable(o) {
			best, rank = o.At("kind").File, at
		}
	}
	return best
}

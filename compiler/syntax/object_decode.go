package syntax

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// run parses a document and decodes what is in it.
func (j *job) run() result {
	if j.rendered == nil && !j.config {
		if l := j.doc.Layout(); l != nil {
			return j.simple(l)
		}
	}
	var r result
	root, found := j.doc.Parse()
	if j.rendered == nil {
		r.found.Add(found...)
	}
	if root != nil {
		j.object(&r, root)
	}
	if j.rendered == nil && !j.tables {
		r.remarks = remarks(j.doc, root)
	}
	return r
}

// simple decodes a document of which the layout is kept. Its nodes go when its only
// object is made; items of lists, tables and contracts keep theirs.
func (j *job) simple(l *source.Layout) result {
	root, back := l.Borrow()
	j.cursors = spareCursors.Get().(*cursors)
	var r result
	j.object(&r, root)
	j.cursors.back()
	j.cursors = nil
	if !j.tables {
		r.remarks = remarks(j.doc, root)
	}
	for _, o := range r.objects {
		if o.positions.root == root {
			o.positions.root, o.positions.layout = nil, l
		}
	}
	alone := len(r.objects)+r.passed == 1 && len(r.tables)+len(r.contracts) == 0
	if alone && (r.passed == 1 || r.objects[0].positions.root == nil) {
		back()
	}
	return r
}

// object decodes one object, or the items of a List.
func (j *job) object(r *result, root *yaml.Node) {
	if root.Kind != yaml.MappingNode {
		if !j.tables {
			r.found.Add(diag.New("MSH0100", j.doc.Span(root), "the document is %s, not a Kubernetes object", describe(root)).
				WithHelp("an object is a map with apiVersion, kind and metadata"))
		}
		return
	}
	apiVersion, name := head(root, "apiVersion"), head(root, "kind")
	if j.tables && (name != "VerdictTable" && name != "Waivers" || group(apiVersion) != meshGroup) {
		return
	}
	if strings.HasSuffix(name, "List") && j.list(r, root, apiVersion, name) {
		return
	}
	k, known := groups[group(apiVersion)][name]
	if !known || !slices.Contains(k.versions, version(apiVersion)) {
		if f, bad := j.unread(root, apiVersion, name, known); bad {
			r.found.Add(f)
		} else {
			r.passed++
		}
		return
	}
	flat, found, ok := source.Flatten(j.doc, root, j.tree.Limits)
	if j.rendered == nil {
		r.found.Add(found...)
	}
	if !ok {
		return
	}
	first := len(r.found)
	if j.rendered == nil {
		first -= len(found)
	}
	j.decode(r, flat, k, j.rendered == nil && found.HasErrors(), first)
}

// head is a text field at the top of a document.
func head(root *yaml.Node, field string) string {
	if _, v := source.Step(root, field); v != nil && v.Kind == yaml.ScalarNode && v.Tag == "!!str" {
		return v.Value
	}
	return ""
}

// list decodes the items of a List; ok is false when the kind is no list.
func (j *job) list(r *result, root *yaml.Node, apiVersion, name string) bool {
	if name != "List" || apiVersion != "v1" {
		if _, known := groups[group(apiVersion)][strings.TrimSuffix(name, "List")]; !known {
			return false
		}
	}
	_, items := source.Step(root, "items")
	if items == nil || items.Kind != yaml.SequenceNode {
		r.found.Add(diag.New("MSH0104", j.doc.Span(root), "a %s has no `items`", name).
			WithHelp("write `items:` with a list of objects"))
		return true
	}
	for _, item := range items.Content {
		if item.Kind == yaml.AliasNode {
			item = item.Alias
		}
		j.object(r, item)
	}
	return true
}

// unread judges a document of a kind or version that is not read. Other kinds
// are passed over; those of SMI and meshc never are.
func (j *job) unread(root *yaml.Node, apiVersion, name string, kindKnown bool) (diag.Finding, bool) {
	at := func(field string) diag.Span {
		p := positions{doc: j.doc, root: root, rendered: j.rendered}
		return p.at([]any{field})
	}
	g, v := group(apiVersion), version(apiVersion)
	switch {
	case apiVersion == "" && name == "":
		return diag.New("MSH0100", at(""), "the document has neither apiVersion nor kind").
			WithHelp("if it is a manifest, write both; if not, keep it out of the folder"), true
	case g == meshGroup && name == "Catalog":
		return diag.Finding{}, false // what runs is no policy: serve reads it, from a file of its own
	case apiVersion == "" || name == "":
		missing, other := "apiVersion", "kind"
		if name == "" {
			missing, other = other, missing
		}
		return diag.New("MSH0104", at(other), "%q is missing", missing).
			WithHelp("without it nobody can tell what the object is").WithEffect("the object was not read"), true
	case kindKnown:
		versions := groups[g][name].versions
		f := diag.New("MSH0105", at("apiVersion"), "%s has no version %q", name, v).
			WithEffect("the object was not read").
			WithHelp("%s", versionsText(versions))
		if near := diag.Nearest(v, versions); near != "" {
			text := strings.TrimPrefix(g+"/"+near, "/")
			f = f.WithHelp("did you mean %q? %s", text, versionsText(versions)).
				WithFix("write "+text, diag.Edit{Span: at("apiVersion"), NewText: text})
		}
		return f, true
	case closed[g]:
		return j.unknownKind(g, v, name, at), true
	}
	for known := range closed {
		if diag.Nearest(g, []string{known}) != "" && groups[known][name].decode != nil {
			return diag.New("MSH0105", at("apiVersion"), "there is no API group %q with a %s", g, name).
				WithEffect("the object was not read").
				WithHelp("did you mean %q?", known+"/"+v).
				WithFix("write "+known+"/"+v, diag.Edit{Span: at("apiVersion"), NewText: known + "/" + v}), true
		}
	}
	return diag.Finding{}, false
}

func versionsText(versions []string) string {
	if len(versions) == 1 {
		return "its only version is " + versions[0]
	}
	return "its versions are " + list(versions)
}

func (j *job) unknownKind(g, v, name string, at func(string) diag.Span) diag.Finding {
	kinds := kindsOf(g, v)
	f := diag.New("MSH0106", at("kind"), "%s has no kind %q", g+"/"+v, name).
		WithEffect("the object was not read")
	var all []string
	for _, version := range alpha1to4 {
		all = append(all, kindsOf(g, version)...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(kinds) == 0 {
		return f.WithHelp("the group has %s, in the versions %s", list(all), list(alpha1to4))
	}
	if near := nearestFold(name, kinds); near != "" {
		return f.WithHelp("did you mean %q?", near).
			WithFix("write "+near, diag.Edit{Span: at("kind"), NewText: near})
	}
	return f.WithHelp("it has %s", list(kinds))
}

// whole decodes an object of a known kind from its root.
func (d *decoder) whole(root *yaml.Node, k kind) {
	top := (&cursor{d: d, n: root}).record()
	top.get("apiVersion")
	top.get("kind")
	d.metadata(top, k)
	if k.core != nil {
		top.c.check(shapeOf(k.core))
		top.open = true
	}
	k.decode(d, top)
	top.done()
}

// decode reads one object of a known kind.
// Findings from the index first on are about it.
func (j *job) decode(r *result, root *yaml.Node, k kind, faulty bool, first int) {
	o := &Object{APIVersion: head(root, "apiVersion"), Kind: head(root, "kind"), Invalid: faulty}
	o.positions = positions{doc: j.doc, root: root, rendered: j.rendered}
	d := &decoder{job: j, obj: o, found: &r.found}
	d.whole(root, k)
	for i := first; i < len(r.found); i++ {
		ref := o.Ref() // the name was not known to all of them
		r.found[i].Object = &ref
	}
	j.sort(r, o, root)
}

// sort puts a decoded object where it belongs.
func (j *job) sort(r *result, o *Object, root *yaml.Node) {
	switch {
	case o.Kind == "Mesh":
		if !j.config {
			r.found.Add(diag.New("MSH0120", o.At("kind"), "a Mesh counts only in a file called meshc.yaml").
				WithEffect("its settings are not in force").
				WithHelp("move it to meshc.yaml in the folder that is built").About(o.Ref(), ""))
			return
		}
		r.config = o.config
	case o.Kind == "VerdictTable":
		r.tables = append(r.tables, o.table)
	case o.Kind == "Contract":
		r.contracts = append(r.contracts, o.contract)
	default:
		r.objects = append(r.objects, o)
	}
}

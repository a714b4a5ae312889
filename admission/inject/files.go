package inject

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// templates are where a kind with pods holds what they are made of.
var templates = map[string][]string{
	"Pod": {}, "CronJob": {"spec", "jobTemplate", "spec", "template"},
	"Deployment": {"spec", "template"}, "StatefulSet": {"spec", "template"}, "DaemonSet": {"spec", "template"},
	"ReplicaSet": {"spec", "template"}, "ReplicationController": {"spec", "template"}, "Job": {"spec", "template"},
	"Rollout": {"spec", "template"}, // of Argo
}

// Files injects manifests as text.
type Files struct {
	Settings  Settings
	Namespace string // of objects that name none
	// Members counts namespaces of which no manifest speaks as the mesh's.
	Members    bool
	namespaces map[string]Namespace
}

// Done is what became of one object.
type Done struct {
	Object   diag.Object
	Injected bool
	Why      string
}

// maxFile is the most that one file may hold.
const maxFile = 64 << 20

// Learn reads the Namespaces of a file, so that the pods of every file are judged
// by them.
func (f *Files) Learn(name string, text []byte) {
	docs, _ := source.Split(name, text, maxFile)
	for _, d := range docs {
		var o Object
		if yaml.Unmarshal(d.Text, &o) != nil {
			continue // Inject says so
		}
		for _, o := range flat(o) {
			if kindOf(o) != "Namespace" {
				continue
			}
			if f.namespaces == nil {
				f.namespaces = map[string]Namespace{}
			}
			n := textOf(o)
			f.namespaces[n] = Namespace{n, strs(at(o, "metadata", "labels")), strs(at(o, "metadata", "annotations"))}
		}
	}
}

func kindOf(o Object) string { return text(o, "kind") }
func textOf(o Object) string { return text(o, "metadata", "name") }

func strs(v any) map[string]string {
	m, _ := v.(Object)
	out := map[string]string{}
	for k, e := range m {
		if s, ok := e.(string); ok {
			out[k] = s
		}
	}
	return out
}

// flat is an object, or the objects of a List.
func flat(o Object) []Object {
	if kindOf(o) == "List" {
		return items(o, "items")
	}
	return []Object{o}
}

// Inject gives a file with its workloads injected. Documents in which nothing
// changes keep every byte; what is not YAML is a finding.
func (f *Files) Inject(name string, text []byte) ([]byte, []Done, diag.List) {
	docs, found := source.Split(name, text, maxFile)
	var out bytes.Buffer
	var done []Done
	for n, d := range docs {
		if n > 0 {
			out.WriteString("---\n")
		}
		part, did, more := f.document(d)
		found.Add(more...)
		done = append(done, did...)
		out.Write(bytes.TrimPrefix(part, []byte("---\n")))
		if !bytes.HasSuffix(part, []byte("\n")) {
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), done, found
}

func (f *Files) document(d *source.Document) ([]byte, []Done, diag.List) {
	var root yamlv3.Node
	if err := yamlv3.Unmarshal(d.Text, &root); err != nil {
		return d.Text, nil, diag.List{unreadable(d, err)}
	}
	var o Object
	if err := yaml.Unmarshal(d.Text, &o); err != nil {
		return d.Text, nil, diag.List{unreadable(d, err)}
	}
	var done []Done
	var found diag.List
	changed := false
	for n, part := range flat(o) {
		at := place{d, &root, nil}
		if kindOf(o) == "List" {
			at.prefix = []string{"items", strconv.Itoa(n)}
		}
		did, ok, more := f.object(part, at)
		found.Add(more...)
		if ok {
			done = append(done, did)
			changed = true
		}
	}
	if !changed {
		return d.Text, nil, found
	}
	text, err := yaml.Marshal(o)
	if err != nil {
		return d.Text, nil, diag.List{unreadable(d, err)}
	}
	return text, done, found
}

// object injects one object in place; ok tells that it is one with pods.
func (f *Files) object(o Object, at place) (done Done, ok bool, found diag.List) {
	path, ok := templates[kindOf(o)]
	if !ok {
		return done, false, nil
	}
	holder, key := o, ""
	for _, step := range path {
		if key != "" {
			holder = child(holder, key)
		}
		key = step
	}
	template := o
	if key != "" {
		template = child(holder, key)
	}
	ns := f.namespace(text(o, "metadata", "namespace"))
	at.prefix = append(at.prefix, path...)
	result, found := Pod(template, ns, f.Settings, at.span)
	done = Done{diag.Object{Kind: kindOf(o), Namespace: ns.Name, Name: textOf(o)}, result.Injected, result.Why}
	for n := range found {
		found[n] = found[n].About(done.Object, strings.Join(append(append([]string{}, path...), found[n].Path), "."))
	}
	if key != "" {
		holder[key] = result.Pod
		return done, true, found
	}
	clear(o)
	for k, v := range result.Pod {
		o[k] = v
	}
	return done, true, found
}

func (f *Files) namespace(name string) Namespace {
	if name == "" {
		name = f.Namespace
	}
	if name == "" {
		name = "default"
	}
	ns, known := f.namespaces[name]
	if !known {
		ns = Namespace{Name: name}
		if f.Members {
			ns.Labels = map[string]string{meshLabel: f.Settings.Mesh}
			if f.Settings.Mesh == "" {
				ns.Labels[meshLabel] = "meshc"
			}
		}
	}
	return ns
}

func unreadable(d *source.Document, err error) diag.Finding {
	return diag.New("MSH0040", diag.Span{File: d.File, Line: d.First + 1, Col: 1}, "this document cannot be read: %v", err)
}

// place finds where a path of a template stands in its document.
type place struct {
	doc    *source.Document
	root   *yamlv3.Node
	prefix []string
}

// span is the position of a path such as spec.containers[0].ports, or of what of it is there.
func (p place) span(path string) diag.Span {
	steps := append([]string{}, p.prefix...)
	steps = append(steps, strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(".[]", r) })...)
	n := p.root
	if n.Kind == yamlv3.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	for _, step := range steps {
		next := descend(n, step)
		if next == nil {
			break
		}
		n = next
	}
	return diag.Span{File: p.doc.File, Line: p.doc.First + max(n.Line, 1), Col: max(n.Column, 1)}
}

func descend(n *yamlv3.Node, step string) *yamlv3.Node {
	switch n.Kind {
	case yamlv3.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1]
			}
		}
	case yamlv3.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i < len(n.Content) {
			return n.Content[i]
		}
	case yamlv3.AliasNode:
		return descend(n.Alias, step)
	}
	return nil
}

// TrustManifest is the ConfigMap of a namespace that its proxies need, as YAML.
func TrustManifest(namespace, name string, roots []byte) ([]byte, error) {
	data, err := Trust(roots)
	if err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(Object{
		"apiVersion": "v1", "kind": "ConfigMap", "data": data,
		"metadata": Object{"name": name, "namespace": namespace, "labels": Object{"app.kubernetes.io/managed-by": "meshc"}},
	})
	if err != nil {
		return nil, fmt.Errorf("inject: %w", err)
	}
	return text, nil
}

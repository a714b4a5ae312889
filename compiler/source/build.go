package source

import (
	"errors"
	"fmt"
	"path"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

// krustyMu guards kustomize, which keeps its schemas in globals of the process.
var krustyMu sync.Mutex

// build renders the kustomization in a folder. An error means that it cannot be
// rendered at all; malformed files are findings only.
func (l *loader) build(p *place, rel, namespace string) error {
	scan := &prescan{l: l, p: p, visited: map[string]bool{}, holds: map[string]*content{}}
	scan.folder(rel)
	l.found.Add(scan.found...)
	if scan.malformed {
		return nil
	}
	name := p.name(path.Join(rel, kustomization(p.fsys, rel)))
	if scan.found.HasErrors() {
		return &UnreadableError{Path: p.name(rel), Reason: errors.New("the kustomization has errors")}
	}
	rendered, err := render(&confined{l: l, p: p, root: path.Join(rel, kustomization(p.fsys, rel))}, path.Join(mount, rel))
	if err != nil {
		f := scan.explain(rel, err)
		l.found.Add(f)
		return &UnreadableError{Path: p.name(rel), Reason: errors.New("the kustomization cannot be rendered")}
	}
	b := &Build{Dir: p.name(rel), Kustomization: name, Namespace: namespace}
	for _, r := range rendered.Resources() {
		out, err := l.resource(p, rel, r)
		if err != nil {
			return fmt.Errorf("kustomize's annotations: %w", err)
		}
		b.Resources = append(b.Resources, out)
	}
	l.tree.Builds = append(l.tree.Builds, b)
	l.found.Add(scan.idlePatches(rendered)...)
	return nil
}

// render runs kustomize: builtin plugins only, no Helm, no functions, files from
// the kustomization's own folder only.
func render(fsys *confined, dir string) (m resmap.ResMap, err error) {
	krustyMu.Lock()
	defer krustyMu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("kustomize failed: %v", r)
		}
	}()
	opts := krusty.MakeDefaultOptions()
	opts.Reorder = krusty.ReorderOptionNone
	return krusty.MakeKustomizer(opts).Run(fsys, dir)
}

// annotations that kustomize writes on request, and that nobody asked for.
const (
	originAnnotation          = "config.kubernetes.io/origin"
	transformationsAnnotation = "alpha.config.kubernetes.io/transformations"
)

// resource takes one rendered object apart from where it came from.
func (l *loader) resource(p *place, dir string, r *resource.Resource) (Rendered, error) {
	origin, err := r.GetOrigin()
	if err != nil {
		return Rendered{}, err
	}
	steps, err := r.GetTransformations()
	if err != nil {
		return Rendered{}, err
	}
	show := func(file string) string {
		if file == "" {
			return ""
		}
		return p.name(path.Join(dir, file))
	}
	out := Rendered{}
	if origin != nil {
		out.Base, out.ConfiguredIn = show(origin.Path), show(origin.ConfiguredIn)
	}
	for _, s := range steps {
		out.Transforms = append(out.Transforms, Transform{ConfiguredIn: show(s.ConfiguredIn), Kind: s.ConfiguredBy.Kind})
	}
	err = errors.Join(
		r.PipeE(kyaml.ClearAnnotation(originAnnotation)),
		r.PipeE(kyaml.ClearAnnotation(transformationsAnnotation)),
		kyaml.ClearEmptyAnnotations(&r.RNode),
	)
	if err != nil {
		return Rendered{}, err
	}
	out.YAML, err = r.AsYAML()
	return out, err
}

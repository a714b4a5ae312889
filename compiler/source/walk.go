package source

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
)

var kustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// named loads a path that the user or a meshc.yaml named: a meshc.yaml rules its
// folder, a kustomization is built, any other folder is walked, a file is read.
func (l *loader) named(p *place, rel string) error {
	info, err := fs.Stat(p.fsys, rel)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		switch base := path.Base(rel); {
		case base == ConfigName:
			return l.ruled(p, path.Dir(rel))
		case isKustomization(base):
			return l.source(p, path.Dir(rel), "")
		}
		return l.file(p, rel, "")
	}
	if exists(p.fsys, path.Join(rel, ConfigName)) {
		return l.ruled(p, rel)
	}
	return l.source(p, rel, "")
}

// source loads a folder or file that is no meshc.yaml.
func (l *loader) source(p *place, rel, namespace string) error {
	info, err := fs.Stat(p.fsys, rel)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return l.file(p, rel, namespace)
	}
	if l.seen[p.key(rel)] {
		return nil
	}
	if kustomization(p.fsys, rel) != "" {
		l.seen[p.key(rel)] = true
		l.tables(p, rel)
		return l.rendered(p, rel, namespace)
	}
	return l.walk(p, rel, rel, namespace)
}

// walk reads the manifests of a plain folder and of those below it.
func (l *loader) walk(p *place, top, dir, namespace string) error {
	if l.seen[p.key(dir)] {
		return nil
	}
	l.seen[p.key(dir)] = true
	entries, err := fs.ReadDir(p.fsys, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		rel := path.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."), !e.IsDir() && l.listed[p.key(rel)]:
		case e.Type()&fs.ModeSymlink != 0:
			l.link(p, top, rel, namespace)
		case e.IsDir():
			if !l.stops(p, rel) {
				l.inWalk(p, rel, l.walk(p, top, rel, namespace))
			}
		case isManifest(e.Name()) && e.Name() != ConfigName:
			l.inWalk(p, rel, l.file(p, rel, namespace))
		}
	}
	return nil
}

// inWalk reports what a walk met and could not open.
func (l *loader) inWalk(p *place, rel string, err error) {
	if err != nil {
		at := diag.Span{File: p.name(rel), Line: 1, Col: 1}
		l.unreadable(at, p.name(rel), "make it readable, or take it out of the folder", err)
	}
}

// stops tells whether a walk must not go into a folder, and says why.
func (l *loader) stops(p *place, rel string) bool {
	if l.listed[p.key(rel)] {
		return true
	}
	if k := kustomization(p.fsys, rel); k != "" {
		at := diag.Span{File: p.name(path.Join(rel, k)), Line: 1, Col: 1}
		l.found.Add(diag.New("MSH0016", at, "%q holds a kustomization: it is not read with the folder around it", p.name(rel)).
			WithHelp("build it by naming it (`meshc build %s`), or list it under `sources` in meshc.yaml as {kustomize: ...}", p.name(rel)))
		return true
	}
	for _, other := range []struct{ name, what, help string }{
		{ConfigName, "its own meshc.yaml", "name it to build it"},
		{"Chart.yaml", "a Helm chart", "render it first: `helm template . | meshc check -`"},
	} {
		if exists(p.fsys, path.Join(rel, other.name)) {
			at := diag.Span{File: p.name(path.Join(rel, other.name)), Line: 1, Col: 1}
			l.found.Add(diag.New("MSH0017", at, "%q holds %s: it is not read with the folder around it", p.name(rel), other.what).
				WithHelp("%s", other.help))
			return true
		}
	}
	return false
}

// link follows a link to a manifest that lies in the walked folder; others are
// findings.
func (l *loader) link(p *place, top, rel, namespace string) {
	at := diag.Span{File: p.name(rel), Line: 1, Col: 1}
	info, err := fs.Stat(p.fsys, rel)
	if err == nil && p.dir != "" {
		real, rerr := filepath.EvalSymlinks(filepath.Join(p.dir, filepath.FromSlash(rel)))
		inside, ierr := filepath.Rel(filepath.Join(p.dir, filepath.FromSlash(top)), real)
		if err = errors.Join(rerr, ierr); err == nil && (inside == ".." || strings.HasPrefix(inside, ".."+string(filepath.Separator))) {
			err = errors.New("leaves the folder")
		}
	}
	switch {
	case err == nil && info.IsDir():
		l.found.Add(diag.New("MSH0017", at, "%q is a link to a folder: links to folders are not followed", p.name(rel)).
			WithHelp("list the folder it leads to under `sources` in meshc.yaml"))
	case err == nil && isManifest(path.Base(rel)):
		l.inWalk(p, rel, l.file(p, rel, namespace))
	case err == nil:
	case isManifest(path.Base(rel)) || !strings.Contains(path.Base(rel), "."):
		l.found.Add(diag.New("MSH0011", at, "the link %q leads out of the tree, or nowhere, and was not followed", p.name(rel)).
			WithHelp("put the file itself into the folder, or list the folder it lies in under `sources` in meshc.yaml"))
	}
}

// file reads one manifest, once.
func (l *loader) file(p *place, rel, namespace string) error {
	if l.seen[p.key(rel)] {
		return nil
	}
	l.seen[p.key(rel)] = true
	data, err := l.read(p, rel)
	if err != nil || data == nil {
		return err
	}
	l.keep(&File{Path: p.name(rel), Data: data, Namespace: namespace})
	return nil
}

// read is a file's bytes; nil if it is too large, which is a finding.
func (l *loader) read(p *place, rel string) ([]byte, error) {
	info, err := fs.Stat(p.fsys, rel)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: rel, Err: errors.New("not a regular file")}
	}
	if data, ok := l.opts.Instead[p.name(rel)]; ok {
		return data, nil
	}
	if info.Size() > int64(l.opts.Limits.FileBytes) {
		l.fits(p.name(rel), l.opts.Limits.FileBytes+1)
		return nil, nil
	}
	data, err := fs.ReadFile(p.fsys, rel)
	if data == nil && err == nil {
		data = []byte{}
	}
	return data, err
}

// key tells one path from another across the places of a run.
func (p *place) key(rel string) string { return p.dir + "\x00" + path.Clean(rel) }

func isManifest(name string) bool {
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		return !isKustomization(name)
	}
	return false
}

func isKustomization(name string) bool {
	for _, k := range kustomizationNames {
		if name == k {
			return true
		}
	}
	return false
}

// kustomization is the name of the folder's kustomization file, "" if it has none.
func kustomization(fsys fs.FS, dir string) string {
	for _, k := range kustomizationNames {
		if exists(fsys, path.Join(dir, k)) {
			return k
		}
	}
	return ""
}

func exists(fsys fs.FS, name string) bool {
	info, err := fs.Stat(fsys, name)
	return err == nil && !info.IsDir()
}

package lsp

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// project is a mesh that is kept compiled.
type project struct {
	place
	env      string
	ruleSets source.RuleSets
	baseline string
	accepted []byte // what the baseline said when the session began; nil: there was none
	adopted  bool   // it is here for open documents alone
	disk     *os.Root
	session  *compiler.Session // nil: it must be read anew
	tree     *source.Tree
	loaded   diag.List // found while files and the lock were read
	model    *model
	past     map[string]past // by name
	texts    texts
	naming   namings
	shown    map[string]*converted // by name; what files were found with last
}

func openProject(at place, opts Options) (*project, error) {
	p := &project{place: at, env: opts.Environment, ruleSets: opts.RuleSets, baseline: opts.Baseline, past: map[string]past{}}
	if at.root == "" {
		return p, nil
	}
	var err error
	p.disk, err = os.OpenRoot(at.root)
	return p, err
}

func (p *project) close() {
	if p.disk != nil {
		_ = p.disk.Close() // opened for reading only
	}
}

// looseName is what a document that is no file is called in its mesh.
const looseName = "untitled.yaml"

// name is what a document is called in the mesh's findings.
func (p *project) name(key string) (string, bool) {
	if p.root == "" {
		return looseName, key == p.file
	}
	if !filepath.IsAbs(key) {
		return "", false
	}
	return within(p.root, key)
}

// key is the document of a name.
func (p *project) key(name string) string {
	if p.root == "" {
		return p.file
	}
	return filepath.Join(p.root, filepath.FromSlash(name))
}

// covers tells whether a document is this mesh's to judge: it lies in its folder,
// or the mesh reads it from elsewhere.
func (p *project) covers(key string) bool {
	if p.file != "" {
		return key == p.file
	}
	if !filepath.IsAbs(key) {
		return false
	}
	if _, ok := within(p.dir, key); ok {
		return true
	}
	name, ok := within(p.root, key)
	return ok && p.model != nil && p.model.holds(name)
}

// follow goes on to what documents and files hold now.
func (p *project) follow(docs map[string]*document, touched []string, all bool, now time.Time) {
	if p.session == nil {
		p.model, p.past = nil, map[string]past{}
		p.session, p.accepted = compiler.NewSession(ir.Known{}, compiler.Options{Now: now, NoPlan: true}), nil
		all = true
	}
	p.session.At(now)
	p.remember(touched)
	var changes []compiler.Change
	if !all {
		var plain bool
		changes, plain = p.changes(docs, touched)
		all = !plain
	}
	switch {
	case all:
		p.load(docs, now)
	case len(changes) > 0:
		for _, c := range changes {
			p.tree = p.tree.With(c.Path, c.Data)
		}
		result, found := p.session.Apply(changes...)
		p.model = p.newModel(result, found)
	}
}

// changes are the files of the mesh that documents changed; plain is false when
// another file is among them than a manifest that is read as it is: what it is read
// for only the loader knows.
func (p *project) changes(docs map[string]*document, touched []string) (changes []compiler.Change, plain bool) {
	for _, key := range touched {
		name, ok := p.name(key)
		if !ok || !manifest(key) {
			continue
		}
		doc := docs[key]
		held, known := p.text(name)
		switch {
		case doc == nil || !known && !p.covers(key):
			continue
		case known && bytes.Equal(held, doc.text.Data):
			continue
		case len(p.tree.Builds) > 0 || !slices.ContainsFunc(p.tree.Files, func(f *source.File) bool { return f.Path == name }):
			return nil, false
		}
		changes = append(changes, compiler.Change{Path: name, Data: doc.text.Data})
	}
	return changes, true
}

// text is what a file of the mesh held when it was compiled last.
func (p *project) text(name string) ([]byte, bool) {
	if p.model == nil {
		return nil, false
	}
	return p.model.data(name)
}

// load reads the mesh anew, documents before what is on disk.
func (p *project) load(docs map[string]*document, now time.Time) {
	fsys := overlay{files: map[string][]byte{}}
	if p.disk != nil {
		fsys.base = p.disk.FS()
	}
	for key, doc := range docs {
		if name, ok := p.name(key); ok {
			fsys.files[name] = doc.text.Data
		}
	}
	top := looseName
	if p.root != "" {
		top, _ = within(p.root, p.dir)
		if p.file != "" {
			top, _ = within(p.root, p.file)
		}
	}
	tree, found, err := source.LoadFS(fsys, source.Options{Paths: []string{top}, Environment: p.env, RuleSets: p.ruleSets})
	if err != nil && len(found) == 0 {
		found.Add(diag.New("MSH0010", diag.Span{File: top, Line: 1, Col: 1}, "%v", err))
	}
	if tree == nil {
		tree = source.FromMap(nil)
	}
	lock, known, faults := readLock(fsys, tree, top)
	found.Add(faults...)
	found.Add(p.accept(fsys, tree, now)...)
	p.tree, p.loaded = tree, found
	result, more := p.session.Load(tree, known)
	if lock.data != nil {
		if stale, ok := resolve.StaleLock(lock.name, known, result.Config.Lock.MaxAge, now); ok {
			p.loaded.Add(stale)
		}
	}
	p.model = p.newModel(result, more)
	p.model.lock = lock
}

// lockFile is the lock as it was read.
type lockFile struct {
	name string
	data []byte // nil: there is none
}

// readLock reads the lock that meshc.yaml names, else the one in the mesh's folder.
func readLock(fsys fs.FS, tree *source.Tree, top string) (lockFile, ir.Known, diag.List) {
	lock := lockFile{name: path.Join(top, "meshc.lock")}
	if tree.Config != nil {
		config, _ := syntax.Parse(&source.Tree{Config: tree.Config, Environment: tree.Environment, Limits: tree.Limits})
		lock.name = path.Join(tree.Dir(), cmp.Or(config.Config.Lock.File, "meshc.lock"))
	}
	data, err := fs.ReadFile(fsys, lock.name)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid):
		return lock, ir.Known{}, nil
	case err != nil:
		if tree.Config == nil { // "FILE/meshc.lock" of a mesh that is one file
			return lock, ir.Known{}, nil
		}
		return lock, ir.Known{}, diag.List{diag.New("MSH0010", diag.Span{File: lock.name, Line: 1, Col: 1}, "%q cannot be opened: %v", lock.name, err).
			WithHelp("make it readable")}
	}
	lock.data = append([]byte{}, data...)
	known, found := resolve.ParseLock(lock.name, data)
	return lock, known, found
}

package source

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/meshc/meshc/compiler/diag"
)

// Kept is what loads have read, for who loads again and again: a file is read once
// more only when its size, time or inode changed, and a kustomization is rendered
// once more only when something that it read did. Bytes that stay are the same
// slice. It serves one load at a time.
type Kept struct {
	files  map[string]keptFile   // by place and path
	builds map[string]*keptBuild // by place, folder and default namespace

	used map[string]bool // keys that the present load asked for
}

type keptFile struct {
	info fs.FileInfo
	data []byte
	read time.Time
}

// settled is how long a file must have been left alone when it is read: times of
// files are coarse, and a second change within one tick would not show.
const settled = 2 * time.Second

// begin starts a load, and end forgets what it did not ask for.
func (k *Kept) begin() {
	if k == nil {
		return
	}
	if k.files == nil {
		k.files, k.builds = map[string]keptFile{}, map[string]*keptBuild{}
	}
	k.used = map[string]bool{}
}

func (k *Kept) end() {
	if k == nil {
		return
	}
	maps.DeleteFunc(k.files, func(key string, _ keptFile) bool { return !k.used[key] })
	maps.DeleteFunc(k.builds, func(key string, _ *keptBuild) bool { return !k.used[key] })
}

// over is a place on disk of which files are read only as they change.
func (k *Kept) over(dir string, disk fs.FS) fs.FS {
	if k == nil {
		return disk
	}
	return &keptFS{FS: disk, kept: k, dir: dir}
}

type keptFS struct {
	fs.FS
	kept *Kept
	dir  string
}

func (f *keptFS) Stat(name string) (fs.FileInfo, error)      { return fs.Stat(f.FS, name) }
func (f *keptFS) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(f.FS, name) }

// ReadFile is what a file holds; nobody changes it.
func (f *keptFS) ReadFile(name string) ([]byte, error) {
	key := (&place{dir: f.dir}).key(name)
	f.kept.used[key] = true
	info, err := fs.Stat(f.FS, name)
	if err != nil {
		return nil, err
	}
	was, known := f.kept.files[key]
	if known && was.same(info) && was.read.Sub(info.ModTime()) > settled {
		return was.data, nil
	}
	now := time.Now()
	data, err := fs.ReadFile(f.FS, name)
	if err != nil {
		delete(f.kept.files, key)
		return nil, err
	}
	if known && bytes.Equal(data, was.data) {
		data = was.data
	}
	f.kept.files[key] = keptFile{info, data, now}
	return data, nil
}

func (k keptFile) same(info fs.FileInfo) bool {
	return os.SameFile(k.info, info) && k.info.Size() == info.Size() && k.info.ModTime().Equal(info.ModTime())
}

// keptBuild is what became of a kustomization, and what was seen meanwhile.
type keptBuild struct {
	saw   *witness
	tree  *Tree
	found diag.List
	err   error
}

// rendered builds a kustomization, unless all that it saw before is as it was.
func (l *loader) rendered(p *place, rel, namespace string) error {
	b := l.renderedBefore(p, p.key(rel)+"\x00"+namespace)
	if b == nil {
		own := *p
		b = &keptBuild{saw: newWitness(p.fsys), tree: &Tree{}}
		own.fsys = b.saw
		inner := &loader{opts: l.opts, tree: b.tree, cwd: l.cwd}
		b.err = inner.build(&own, rel, namespace)
		b.found = inner.found
		for _, made := range b.tree.Builds {
			made.Files = b.tree.Names()
		}
		if l.opts.Kept != nil {
			l.opts.Kept.builds[p.key(rel)+"\x00"+namespace] = b
		}
	}
	l.found.Add(b.found...)
	l.tree.Builds = append(l.tree.Builds, b.tree.Builds...)
	for name, data := range b.tree.texts {
		l.tree.Keep(name, data)
	}
	return b.err
}

func (l *loader) renderedBefore(p *place, key string) *keptBuild {
	if l.opts.Kept == nil {
		return nil
	}
	l.opts.Kept.used[key] = true
	if b := l.opts.Kept.builds[key]; b != nil && b.saw.again(p.fsys) {
		return b
	}
	return nil
}

// SameBuilds tells whether a tree has the very builds of another, and holds the
// same files that they were made of.
func (t *Tree) SameBuilds(other *Tree) bool {
	if !slices.Equal(t.Builds, other.Builds) {
		return false
	}
	for _, b := range t.Builds {
		for _, name := range b.Files {
			if !bytes.Equal(t.texts[name], other.texts[name]) {
				return false
			}
		}
	}
	return true
}

// Same tells whether two trees say the same: then a load found no change.
func (t *Tree) Same(other *Tree) bool {
	file := func(a, b *File) bool {
		return a == b || a != nil && b != nil && a.Path == b.Path && a.Namespace == b.Namespace && a.TablesOnly == b.TablesOnly && bytes.Equal(a.Data, b.Data)
	}
	return t.SameBuilds(other) && t.Environment == other.Environment && t.Limits == other.Limits && file(t.Config, other.Config) &&
		slices.EqualFunc(t.Files, other.Files, file) && slices.EqualFunc(t.Rules, other.Rules, file)
}

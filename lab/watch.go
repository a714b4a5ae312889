package lab

import (
	"context"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
)

// calm is how long the files must be left alone before they are read again: an
// editor's save is several events.
const calm = 100 * time.Millisecond

// Loader reads the manifests anew.
type Loader func() (*source.Tree, ir.Known, error)

// Update is what a change of the files came to.
type Update struct {
	Tree        *source.Tree // nil when it could not be read
	Differences []Difference
	Pods        []string // started or ended, each with + or -
	Err         error    // why nothing was changed: *Refused, or it could not be read or applied
	Took        time.Duration
}

// Empty tells whether the change of the files changed nothing in the mesh.
func (u Update) Empty() bool { return u.Err == nil && len(u.Differences) == 0 && len(u.Pods) == 0 }

// Watch reads the manifests again whenever one of the tree's folders changes, and
// applies them. It returns when the context ends or the folders cannot be watched.
func (l *Lab) Watch(ctx context.Context, load Loader, tell func(Update)) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer watcher.Close()
	if err := watchFolders(watcher, l.opts.Tree); err != nil {
		return err
	}
	still := time.NewTimer(time.Hour)
	still.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors:
			return err
		case <-watcher.Events:
			still.Reset(calm)
		case <-still.C:
			u := l.reload(load)
			if u.Tree != nil {
				if err := watchFolders(watcher, u.Tree); err != nil {
					return err
				}
			}
			tell(u)
		}
	}
}

// watchFolders watches every folder that a file of the tree lies in, and those
// below. Adding one again does nothing.
func watchFolders(w *fsnotify.Watcher, tree *source.Tree) error {
	for _, name := range tree.Names() {
		err := filepath.WalkDir(filepath.Dir(filepath.FromSlash(name)), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil // it went away meanwhile: its folder's event follows
			}
			return w.Add(path)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) reload(load Loader) Update {
	start := time.Now()
	tree, known, err := load()
	if err != nil {
		return Update{Err: err}
	}
	u := Update{Tree: tree}
	before, pods := l.Compiled().Mesh, l.Topology().Pods
	u.Err = l.apply(tree, known)
	if u.Err == nil {
		u.Differences = Differences(before, l.Compiled().Mesh)
		fresh, gone := difference(pods, l.Topology().Pods)
		for _, p := range gone {
			u.Pods = append(u.Pods, "- pod "+p.ID())
		}
		for _, p := range fresh {
			u.Pods = append(u.Pods, "+ pod "+p.ID())
		}
	}
	u.Took = time.Since(start)
	return u
}

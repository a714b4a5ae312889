package watch_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/meshc/meshc/gitops/watch"
)

const patience = 20 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// following watches paths until the test ends.
func following(t *testing.T, names ...string) *watch.Watcher {
	t.Helper()
	w, err := watch.New(50 * time.Millisecond)
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	w.Follow(names...)
	return w
}

// noticed waits for an edit of which there was a notice: looks would find it too,
// but only after a while.
func noticed(t *testing.T, w *watch.Watcher, what string) {
	t.Helper()
	for end := time.After(patience); ; {
		select {
		case e := <-w.Edits():
			if !e.Look {
				return
			}
		case <-end:
			t.Fatalf("no notice of %s", what)
		}
	}
}

// quiet takes the edits of what was done so far: an edit lasts no longer than it
// takes to look twice.
func quiet(t *testing.T, w *watch.Watcher) {
	t.Helper()
	for looks := 0; looks < 2; {
		if e := <-w.Edits(); e.Look {
			looks++
		} else {
			looks = 0
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.WriteFile(name, []byte(text), 0o644))
}

// Whatever way a file changes, who watches is told.
func TestEveryWayOfEditingIsNoticed(t *testing.T) {
	dir := t.TempDir()
	name, other := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")
	write(t, name, "a")
	w := following(t, dir)
	for _, way := range []struct {
		name string
		do   func()
	}{
		{"writing", func() { write(t, name, "b") }},
		{"renaming another over it", func() { write(t, name+"~", "c"); must(t, os.Rename(name+"~", name)) }},
		{"renaming it", func() { must(t, os.Rename(name, other)) }},
		{"removing it", func() { must(t, os.Remove(other)) }},
		{"a new file", func() { write(t, name, "d") }},
	} {
		way.do()
		noticed(t, w, way.name)
		quiet(t, w)
	}
}

// A file that is named is followed through an editor's rename, not as an inode.
func TestAFileIsFollowedByItsName(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.yaml")
	write(t, name, "a")
	w := following(t, name)
	for range 2 {
		write(t, name+"~", "b")
		must(t, os.Rename(name+"~", name))
		noticed(t, w, "the renaming")
		quiet(t, w)
	}
}

// A folder that is removed and comes again is watched again, and so is one that is
// new below it.
func TestFoldersMayComeAndGo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mesh")
	must(t, os.Mkdir(dir, 0o755))
	w := following(t, dir)
	must(t, os.RemoveAll(dir))
	noticed(t, w, "the removal")
	if !w.Follow(dir) {
		t.Error("the folder above is not watched instead")
	}
	quiet(t, w)
	must(t, os.MkdirAll(filepath.Join(dir, "new"), 0o755))
	noticed(t, w, "its return")
	if !w.Follow(dir) {
		t.Error("the folder that came again is not watched")
	}
	quiet(t, w)
	write(t, filepath.Join(dir, "new", "a.yaml"), "a")
	noticed(t, w, "a file in a new folder")
	if w.Follow(dir) {
		t.Error("a folder counts as new that is watched already")
	}
}

// Two names of one folder are one: who follows them again is not told that they are
// new, and sent to look for ever.
func TestAFolderHasOneName(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Symlink(dir, dir+"-link"))
	t.Chdir(dir)
	w := following(t, dir)
	if w.Follow(dir, ".", dir+"-link", "a.yaml", dir+"-link/a.yaml") {
		t.Error("another name of a folder counts as another folder")
	}
}

// A hidden folder holds no manifests, but Git writes into one all the time.
func TestHiddenFoldersAreNotWatched(t *testing.T) {
	dir := t.TempDir()
	git := filepath.Join(dir, ".git")
	must(t, os.Mkdir(git, 0o755))
	w := following(t, dir)
	write(t, filepath.Join(git, "index"), "a")
	for range 2 {
		if e := <-w.Edits(); !e.Look {
			t.Fatal("a file in a hidden folder was noticed")
		}
	}
}

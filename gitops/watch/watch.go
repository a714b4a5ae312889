// Package watch tells when files on disk change, whatever changed them: an editor
// that writes a file or renames another one over it, a checkout, a folder that is
// taken away and comes again. In come paths, out come edits, each with the moment
// its first notice came. It knows nothing of what the files say.
package watch

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// calm is how long files must be left alone: a save is several notices.
	calm = 8 * time.Millisecond
	// longest is how long an edit lasts at most: whoever writes all the time is
	// answered all the same.
	longest = 50 * time.Millisecond
)

// Poll is how often is looked without a notice. There are none of some network
// file systems, and none beyond the kernel's number of watched folders.
const Poll = 2 * time.Second

// Edit is a burst of changes.
type Edit struct {
	At   time.Time // of the first notice
	Look bool      // there was no notice: it is time to look
}

// Watcher watches folders. Its methods are for one goroutine.
type Watcher struct {
	notices *fsnotify.Watcher
	edits   chan Edit
	done    chan struct{}
}

// New watches nothing yet, and looks every so often.
func New(poll time.Duration) (*Watcher, error) {
	notices, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &Watcher{notices: notices, edits: make(chan Edit), done: make(chan struct{})}
	go w.gather(time.NewTicker(poll))
	return w, nil
}

// Edits gives one edit after the other. What happens while one is answered is the
// next one, and its moment is that of its own first notice.
func (w *Watcher) Edits() <-chan Edit { return w.edits }

// Close ends the watching; no edit comes any more.
func (w *Watcher) Close() error {
	err := w.notices.Close()
	<-w.done
	return err
}

// Follow watches the folder of a file; a folder and those below it but for hidden
// ones; and of what is not there the nearest folder above, in which it would come.
// It tells whether it watches a folder that it did not before: something may have
// happened there unnoticed. What cannot be watched is looked at from time to time.
func (w *Watcher) Follow(names ...string) (more bool) {
	watched := map[string]bool{}
	for _, dir := range w.notices.WatchList() {
		watched[dir] = true
	}
	add := func(dir string) {
		if !watched[dir] {
			watched[dir] = true
			more = w.notices.Add(dir) == nil || more
		}
	}
	for _, name := range names {
		name = real(name)
		info, err := os.Stat(name)
		for err != nil && name != filepath.Dir(name) {
			name = filepath.Dir(name)
			if _, err = os.Stat(name); err == nil {
				add(name)
			}
		}
		switch {
		case info == nil:
		case info.IsDir():
			below(name, add)
		default:
			add(filepath.Dir(name))
		}
	}
	return more
}

// real is the one name that a path is watched by: two names of a folder would be
// one watch, of which only the last is known.
func real(name string) string {
	name = filepath.FromSlash(name)
	if full, err := filepath.Abs(name); err == nil {
		name = full
	}
	if resolved, err := filepath.EvalSymlinks(name); err == nil {
		return resolved
	}
	if resolved, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil {
		return filepath.Join(resolved, filepath.Base(name))
	}
	return name
}

// below tells the folders below one, and itself.
func below(top string, add func(string)) {
	_ = filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || !d.IsDir() && name != top: // what goes away meanwhile is noticed
			return nil
		case name != top && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		}
		add(name)
		return nil
	})
}

// gather makes edits of notices, until the watcher is closed.
func (w *Watcher) gather(looks *time.Ticker) {
	defer close(w.done)
	defer close(w.edits)
	defer looks.Stop()
	for {
		edit := Edit{Look: true}
		select {
		case <-looks.C:
			edit.At = time.Now()
		case _, open := <-w.notices.Events:
			if edit = (Edit{At: time.Now()}); !open || !w.settle() {
				return
			}
		case _, open := <-w.notices.Errors: // notices were lost: it is time to look
			if edit.At = time.Now(); !open {
				return
			}
		}
		if !w.deliver(edit) {
			return
		}
	}
}

// settle takes in what belongs to one edit; false once the watcher is closed.
func (w *Watcher) settle() bool {
	end, still := time.After(longest), time.NewTimer(calm)
	defer still.Stop()
	for {
		select {
		case <-still.C:
			return true
		case <-end:
			return true
		case _, open := <-w.notices.Events:
			if !open {
				return false
			}
			still.Reset(calm)
		case _, open := <-w.notices.Errors:
			if !open {
				return false
			}
		}
	}
}

// deliver hands an edit over. What is noticed until somebody takes it is of the
// same edit; a look that nobody takes becomes the edit that is noticed meanwhile.
func (w *Watcher) deliver(edit Edit) bool {
	for {
		select {
		case w.edits <- edit:
			return true
		case _, open := <-w.notices.Events:
			if !open {
				return false
			}
			if edit.Look {
				edit = Edit{At: time.Now()}
			}
		case _, open := <-w.notices.Errors:
			if !open {
				return false
			}
		}
	}
}

package follow

import (
	"log/slog"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// watch gives notice of changes in a folder and of the folder itself being
// replaced. Where the kernel gives none, polling finds them.
type watch struct {
	dir string
	fs  *fsnotify.Watcher
	log *slog.Logger
}

func newWatch(dir string, log *slog.Logger) *watch {
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("changes are found by polling alone", "error", err)
	}
	w := &watch{dir: dir, fs: fs, log: log}
	w.refresh()
	if fs != nil {
		go w.complain()
	}
	return w
}

// complain logs what the kernel could not tell, until the watch is closed.
func (w *watch) complain() {
	for err := range w.fs.Errors {
		w.log.Warn("watching the bundle", "path", w.dir, "error", err)
	}
}

// refresh watches the folder that now has the name.
func (w *watch) refresh() {
	if w.fs == nil {
		return
	}
	for _, dir := range []string{filepath.Dir(filepath.Clean(w.dir)), w.dir} {
		_ = w.fs.Add(dir) // it may not be there yet: polling finds it
	}
}

func (w *watch) events() <-chan fsnotify.Event {
	if w.fs == nil {
		return nil
	}
	return w.fs.Events
}

func (w *watch) close() {
	if w.fs != nil {
		_ = w.fs.Close()
	}
}

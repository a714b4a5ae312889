package file

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/meshc/meshc/catalog"
)

// Options of a Provider; the zero value is useful.
type Options struct {
	Log *slog.Logger // slog.Default()
	// Poll is how often the file is looked at beside the notices of the kernel,
	// which some file systems do not give. 10s.
	Poll time.Duration
}

// settle is how long to wait after a notice: editors write in several steps.
const settle = 50 * time.Millisecond

// Provider follows a catalog file. It is a catalog.Provider.
type Provider struct {
	path    string
	log     *slog.Logger
	changed chan struct{}
	done    chan struct{}
	stopped chan struct{}

	mu   sync.Mutex
	snap *catalog.Snapshot
	err  error
	sum  [sha256.Size]byte // of the bytes that were last judged
}

var _ catalog.Provider = (*Provider)(nil)

// Open reads the catalog and follows it until Close. The first reading must
// succeed: the error is *Invalid where the file can be read and is wrong.
func Open(path string) (*Provider, error) { return OpenWith(path, Options{}) }

// OpenWith is Open with options.
func OpenWith(path string, opts Options) (*Provider, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.Poll <= 0 {
		opts.Poll = 10 * time.Second
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	p := &Provider{path: path, log: opts.Log, changed: make(chan struct{}, 1), done: make(chan struct{}), stopped: make(chan struct{})}
	w, err := newWatch(abs)
	if err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	p.reload() // after the watch began: what is written in between is seen
	if p.err != nil {
		w.close()
		return nil, p.err
	}
	go p.follow(w, opts.Poll)
	return p, nil
}

// Snapshot is the last good catalog.
func (p *Provider) Snapshot() *catalog.Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.snap
}

// Changed is sent to after Snapshot or Err changed.
func (p *Provider) Changed() <-chan struct{} { return p.changed }

// Err is why the file as it is now does not count, nil when it does. It is
// *Invalid for a catalog with findings.
func (p *Provider) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Close stops following. The last snapshot stays.
func (p *Provider) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	<-p.stopped
	return nil
}

func (p *Provider) follow(w *watch, every time.Duration) {
	defer close(p.stopped)
	defer w.close()
	poll := time.NewTicker(every)
	defer poll.Stop()
	quiet := time.NewTimer(every)
	defer quiet.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-w.events():
			quiet.Reset(settle)
			continue
		case err := <-w.errors():
			p.log.Warn("watching the catalog", "path", p.path, "error", err)
		case <-quiet.C:
		case <-poll.C:
		}
		w.refresh()
		p.reload()
	}
}

// reload judges the file if its bytes are new, and tells when something changed.
func (p *Provider) reload() {
	data, err := read(p.path)
	if err != nil {
		p.settleOn(nil, fmt.Errorf("catalog: %w", err), [sha256.Size]byte{})
		return
	}
	sum := sha256.Sum256(data)
	if p.judged(sum) {
		return
	}
	snap, findings := Parse(p.path, data)
	if snap == nil {
		p.settleOn(nil, &Invalid{findings}, sum)
		return
	}
	for _, f := range findings {
		p.log.Warn("catalog", "at", f.At().String(), "code", f.Code, "finding", f.Message)
	}
	p.settleOn(snap, nil, sum)
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(io.LimitReader(f, maxSize+1)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (p *Provider) judged(sum [sha256.Size]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sum == sum
}

// settleOn keeps the last good snapshot when there is no new one.
func (p *Provider) settleOn(snap *catalog.Snapshot, err error, sum [sha256.Size]byte) {
	p.mu.Lock()
	same := snap == nil && p.err != nil && err != nil && p.err.Error() == err.Error()
	had := p.snap != nil
	if snap != nil {
		p.snap = snap
	}
	p.err, p.sum = err, sum
	p.mu.Unlock()
	if same {
		return
	}
	if err != nil && had {
		p.log.Error("the catalog stays as it was", "path", p.path, "error", err)
	}
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// watch sees the folders a path leads through: a file that is replaced by
// rename, or reached by symlinks that are swapped, changes no inode that could
// be watched itself.
type watch struct {
	path string
	fs   *fsnotify.Watcher
	dirs map[string]bool
}

func newWatch(path string) (*watch, error) {
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &watch{path: path, fs: fs, dirs: map[string]bool{}}
	w.refresh()
	return w, nil
}

func (w *watch) events() <-chan fsnotify.Event { return w.fs.Events }
func (w *watch) errors() <-chan error          { return w.fs.Errors }
func (w *watch) close()                        { w.fs.Close() }

// refresh watches the folders of today's links. What cannot be watched is polled.
func (w *watch) refresh() {
	now := map[string]bool{}
	for path, hops := w.path, 0; hops < 40; hops++ {
		now[filepath.Dir(path)] = true
		// A folder on the way may be a link as well: watch where it stands.
		if real, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil && real != filepath.Dir(path) {
			now[real], now[filepath.Dir(filepath.Dir(path))] = true, true
		}
		next, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(next) {
			next = filepath.Join(filepath.Dir(path), next)
		}
		path = next
	}
	for dir := range w.dirs {
		if !now[dir] {
			_ = w.fs.Remove(dir) // it may be gone already
		}
	}
	for dir := range now {
		// Adding a folder again is harmless, and needed where it was made anew.
		if w.fs.Add(dir) != nil {
			delete(now, dir)
		}
	}
	w.dirs = now
}

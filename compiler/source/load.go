package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
)

// UnreadableError says that something that was named cannot be opened or
// rendered (exit 3). The findings that Load returned beside it have positions.
type UnreadableError struct {
	Path   string
	Reason error
}

// Error names the path and why it cannot be read.
func (e *UnreadableError) Error() string { return fmt.Sprintf("cannot read %s: %v", e.Path, e.Reason) }

// Unwrap is the reason, such as fs.ErrNotExist.
func (e *UnreadableError) Unwrap() error { return e.Reason }

// Load reads paths from disk and standard input. The findings hold what was left
// unread and why; an error is always an *UnreadableError, and the first of them.
func Load(opts Options) (*Tree, diag.List, error) {
	l, err := newLoader(opts)
	if err != nil {
		return nil, nil, err
	}
	defer l.close()
	opts.Kept.begin()
	defer opts.Kept.end()
	paths := opts.Paths
	if len(paths) == 0 {
		paths = []string{"."}
	}
	for _, p := range paths {
		l.open(p, l.disk(p))
	}
	return l.done()
}

// LoadFS is Load for a file system in memory or at a commit: paths are slash
// paths into fsys, which is the whole tree.
func LoadFS(fsys fs.FS, opts Options) (*Tree, diag.List, error) {
	l, err := newLoader(opts)
	if err != nil {
		return nil, nil, err
	}
	paths := opts.Paths
	if len(paths) == 0 {
		paths = []string{"."}
	}
	for _, p := range paths {
		l.open(p, l.named(&place{fsys: fsys}, path.Clean(p)))
	}
	return l.done()
}

type loader struct {
	opts  Options
	tree  *Tree
	found diag.List
	// unopened are the findings of paths that were named and are not there.
	unopened diag.List
	err      error
	cwd      string // absolute
	seen     map[string]bool
	// listed are the folders that a meshc.yaml names as sources of their own.
	listed map[string]bool
	bytes  int
	roots  []*os.Root
}

func newLoader(opts Options) (*loader, error) {
	opts.Limits = opts.Limits.withDefaults()
	cwd, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, &UnreadableError{Path: opts.Dir, Reason: err}
	}
	if real, err := filepath.EvalSymlinks(cwd); err == nil {
		cwd = real
	}
	return &loader{
		opts: opts, cwd: cwd, seen: map[string]bool{}, listed: map[string]bool{},
		tree: &Tree{Environment: opts.Environment, Limits: opts.Limits},
	}, nil
}

func (l *loader) close() {
	for _, r := range l.roots {
		_ = r.Close() // opened for reading only
	}
}

func (l *loader) done() (*Tree, diag.List, error) {
	l.tree.sort()
	if len(l.found) > 0 {
		l.found.Add(l.unopened...)
	}
	// Two overlays of one base find its faults twice.
	sorted := l.found.Sorted()
	return l.tree, slices.CompactFunc(sorted, func(a, b diag.Finding) bool {
		return a.Code == b.Code && a.At() == b.At() && a.Message == b.Message
	}), l.err
}

// open keeps the error of a path that was named. One that has no finding yet
// gets one when there are others: who prints findings shall not miss it.
func (l *loader) open(name string, err error) {
	var already *UnreadableError
	if err != nil && !errors.As(err, &already) {
		l.unopened.Add(diag.New("MSH0010", diag.Span{File: filepath.ToSlash(name), Line: 1, Col: 1}, "%q cannot be opened: %v", name, reason(err)).
			WithHelp("check the spelling; paths are relative to the working directory"))
	}
	l.fail(name, err)
}

// fail keeps the first error; the others have their findings.
func (l *loader) fail(name string, err error) {
	if err == nil {
		return
	}
	var unreadable *UnreadableError
	if !errors.As(err, &unreadable) {
		unreadable = &UnreadableError{Path: name, Reason: reason(err)}
	}
	if l.err == nil {
		l.err = unreadable
	}
}

// reason strips the operation and path that os errors repeat.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// place is a file system that nothing may leave, and how its paths are shown.
type place struct {
	fsys fs.FS
	dir  string // absolute, links resolved; "" in memory
	cwd  string
	abs  bool // the user wrote an absolute path
}

// name is the display path of a path in the place.
func (p *place) name(rel string) string {
	if p.dir == "" {
		return path.Clean(rel)
	}
	full := filepath.Join(p.dir, filepath.FromSlash(rel))
	short, err := filepath.Rel(p.cwd, full)
	if err != nil || p.abs && strings.HasPrefix(short, "..") {
		return filepath.ToSlash(full)
	}
	return filepath.ToSlash(short)
}

// disk loads what the user named on the command line.
func (l *loader) disk(name string) error {
	if name == "-" {
		return l.stdin()
	}
	full := name
	if !filepath.IsAbs(full) {
		full = filepath.Join(l.cwd, name)
	}
	info, err := os.Stat(full)
	if err != nil {
		return err
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return l.pipe(name, full)
	}
	if full, err = filepath.EvalSymlinks(full); err != nil {
		return err
	}
	dir := full
	if !info.IsDir() {
		dir = filepath.Dir(full)
	}
	root := l.root(dir)
	r, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	l.roots = append(l.roots, r)
	rel, err := filepath.Rel(root, full)
	if err != nil {
		return err
	}
	return l.named(&place{fsys: l.opts.Kept.over(root, r.FS()), dir: root, cwd: l.cwd, abs: filepath.IsAbs(name)}, filepath.ToSlash(rel))
}

// root is the folder that a kustomization at dir may reach: the repository, else
// the folder of a meshc.yaml above it, else the working directory, else the
// folder two levels up (overlays/prod beside base).
func (l *loader) root(dir string) string {
	for _, mark := range []string{".git", ConfigName} {
		for d := dir; ; d = filepath.Dir(d) {
			if _, err := os.Stat(filepath.Join(d, mark)); err == nil {
				return d
			}
			if d == filepath.Dir(d) {
				break
			}
		}
	}
	if rel, err := filepath.Rel(l.cwd, dir); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) && rel != "." {
		return l.cwd
	}
	return filepath.Dir(filepath.Dir(dir))
}

func (l *loader) stdin() error {
	if l.seen["-"] {
		return nil
	}
	l.seen["-"] = true
	if l.opts.Stdin == nil {
		return nil
	}
	return l.stream(StdinName, l.opts.Stdin)
}

// pipe reads what a shell gives for <(command), and other files without an end.
func (l *loader) pipe(name, full string) error {
	f, err := os.Open(full)
	if err != nil {
		return err
	}
	return errors.Join(l.stream(filepath.ToSlash(name), f), f.Close())
}

func (l *loader) stream(name string, r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, int64(l.opts.Limits.FileBytes)+1))
	if err != nil {
		return err
	}
	l.keep(&File{Path: name, Data: data})
	return nil
}

// keep adds a file to the tree unless it is too large.
func (l *loader) keep(f *File) {
	if l.fits(f.Path, len(f.Data)) {
		l.tree.add(f)
	}
}

// fits counts a file's bytes against the limits and reports one that is too large.
func (l *loader) fits(name string, size int) bool {
	whole := diag.Span{File: name, Line: 1, Col: 1}
	if size > l.opts.Limits.FileBytes {
		l.found.Add(diag.New("MSH0018", whole, "%q is larger than %d MiB and was not read", name, l.opts.Limits.FileBytes>>20).
			WithHelp("split it, or leave it out of the folder"))
		return false
	}
	if l.bytes += size; l.bytes > l.opts.Limits.TotalBytes {
		l.found.Add(diag.New("MSH0018", whole, "all files together are larger than %d MiB; %q was not read", l.opts.Limits.TotalBytes>>20, name).
			WithHelp("name the folders that hold the mesh's manifests instead of the whole repository"))
		return false
	}
	return true
}

package git

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tree is all files of a commit. Blobs are read when they are opened, by one git
// process that runs until Close. It is for one goroutine.
type Tree struct {
	entries map[string]*entry // by path; "." is the top
	cat     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

var _ fs.ReadDirFS = (*Tree)(nil)

// entry is a file, a folder or a link. It is its own fs.FileInfo and fs.DirEntry.
type entry struct {
	path     string
	mode     fs.FileMode
	object   string
	size     int64
	children []fs.DirEntry // of a folder, by name
}

func (e *entry) Name() string               { return path.Base(e.path) }
func (e *entry) Size() int64                { return e.size }
func (e *entry) Mode() fs.FileMode          { return e.mode }
func (e *entry) Type() fs.FileMode          { return e.mode.Type() }
func (e *entry) ModTime() time.Time         { return time.Time{} }
func (e *entry) IsDir() bool                { return e.mode.IsDir() }
func (e *entry) Sys() any                   { return nil }
func (e *entry) Info() (fs.FileInfo, error) { return e, nil }

// Tree lists the files of a commit.
func (r *Repository) Tree(commit string) (*Tree, error) {
	list, err := run(r.Top, "ls-tree", "-r", "-z", "-l", "--full-tree", commit)
	if err != nil {
		return nil, err
	}
	t := &Tree{entries: map[string]*entry{".": {path: ".", mode: fs.ModeDir | 0o755}}}
	for _, record := range bytes.Split(list, []byte{0}) {
		if len(record) == 0 {
			continue
		}
		if err := t.list(string(record)); err != nil {
			return nil, err
		}
	}
	for _, e := range t.entries {
		slices.SortFunc(e.children, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return t, t.start(r.Top)
}

// list takes in a record of ls-tree: "MODE TYPE OBJECT SIZE\tPATH".
func (t *Tree) list(record string) error {
	head, name, ok := strings.Cut(record, "\t")
	fields := strings.Fields(head)
	if !ok || len(fields) != 4 || !fs.ValidPath(name) {
		return fmt.Errorf("git ls-tree printed %q", record)
	}
	e := &entry{path: name, mode: 0o644, object: fields[2]}
	switch fields[0] {
	case "120000":
		e.mode = fs.ModeSymlink | 0o777
	case "160000": // a submodule: its files are not of this commit
		e.mode = fs.ModeDir | 0o755
	}
	e.size, _ = strconv.ParseInt(fields[3], 10, 64) // "-" for a submodule
	t.entries[name] = e
	for child := e; ; {
		dir := path.Dir(child.path)
		parent, known := t.entries[dir]
		if !known {
			parent = &entry{path: dir, mode: fs.ModeDir | 0o755}
			t.entries[dir] = parent
		}
		parent.children = append(parent.children, child)
		if known {
			return nil
		}
		child = parent
	}
}

func (t *Tree) start(dir string) (err error) {
	t.cat = command(dir, "cat-file", "--batch")
	if t.in, err = t.cat.StdinPipe(); err != nil {
		return err
	}
	out, err := t.cat.StdoutPipe()
	if err != nil {
		return err
	}
	t.out = bufio.NewReader(out)
	return t.cat.Start()
}

// Close ends the process that reads blobs.
func (t *Tree) Close() error { return errors.Join(t.in.Close(), t.cat.Wait()) }

// blob reads an object.
func (t *Tree) blob(e *entry) ([]byte, error) {
	if _, err := io.WriteString(t.in, e.object+"\n"); err != nil {
		return nil, err
	}
	head, err := t.out.ReadString('\n')
	if err != nil {
		return nil, err
	}
	var object, kind string
	var size int64
	if _, err := fmt.Sscan(head, &object, &kind, &size); err != nil || kind != "blob" || size != e.size {
		return nil, fmt.Errorf("git cannot read %s (%s)", e.path, strings.TrimSpace(head))
	}
	data := make([]byte, size+1) // and a line's end
	if _, err := io.ReadFull(t.out, data); err != nil {
		return nil, err
	}
	return data[:size], nil
}

// mostLinks is how many links one path may lead through.
const mostLinks = 40

// find follows links, which cannot leave the tree.
func (t *Tree) find(op, name string) (*entry, error) {
	fail := func(err error) (*entry, error) { return nil, &fs.PathError{Op: op, Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	at, rest, links := ".", name, 0
	for {
		e := t.entries[at]
		switch {
		case e == nil:
			return fail(fs.ErrNotExist)
		case e.mode.Type() == fs.ModeSymlink:
			target, err := t.blob(e)
			if err != nil {
				return fail(err)
			}
			if links++; links > mostLinks {
				return fail(errors.New("too many links"))
			}
			at, rest = ".", path.Join(path.Dir(at), string(target), rest)
			if path.IsAbs(string(target)) || !fs.ValidPath(rest) {
				return fail(errors.New("the link leads out of the tree"))
			}
			continue
		case rest == "" || rest == ".":
			return e, nil
		}
		first, more, _ := strings.Cut(rest, "/")
		at, rest = path.Join(at, first), more
	}
}

// Open opens a file or a folder.
func (t *Tree) Open(name string) (fs.File, error) {
	e, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	if e.IsDir() {
		return &folder{entry: e}, nil
	}
	data, err := t.blob(e)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &file{entry: e, Reader: bytes.NewReader(data)}, nil
}

// Stat tells of a file without reading it.
func (t *Tree) Stat(name string) (fs.FileInfo, error) { return t.find("stat", name) }

// ReadDir lists a folder in order of name.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !e.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a folder")}
	}
	return slices.Clone(e.children), nil
}

type file struct {
	*entry
	*bytes.Reader
}

func (f *file) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *file) Close() error               { return nil }
func (f *file) Size() int64                { return f.entry.size }

type folder struct {
	*entry
	read int
}

func (f *folder) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *folder) Close() error               { return nil }
func (f *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.path, Err: errors.New("is a folder")}
}

func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	left := f.children[f.read:]
	if n > 0 && len(left) == 0 {
		return nil, io.EOF
	}
	if n > 0 && len(left) > n {
		left = left[:n]
	}
	f.read += len(left)
	return slices.Clone(left), nil
}

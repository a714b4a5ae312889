package lsp

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// overlay is a folder in which some files hold what an editor shows of them.
type overlay struct {
	base  fs.FS             // nil: nothing is below
	files map[string][]byte // by slash path
}

// Open opens a file of the editor, else of the folder.
func (o overlay) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if data, ok := o.files[name]; ok {
		return &buffer{Reader: bytes.NewReader(data), info: shown{path.Base(name), len(data)}}, nil
	}
	if o.base == nil {
		if name == "." {
			return &buffer{Reader: bytes.NewReader(nil), info: folder{"."}}, nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return o.base.Open(name)
}

// ReadDir lists a folder with the files that only the editor has.
func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	var entries []fs.DirEntry
	var err error
	if o.base != nil {
		if entries, err = fs.ReadDir(o.base, name); err != nil {
			return nil, err
		}
	}
	for file, data := range o.files {
		base := path.Base(file)
		if path.Dir(file) != name {
			continue
		}
		own := fs.FileInfoToDirEntry(shown{base, len(data)})
		if i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return e.Name() == base }); i >= 0 {
			entries[i] = own
		} else {
			entries = append(entries, own)
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// buffer is a file that an editor shows.
type buffer struct {
	io.Reader
	info fs.FileInfo
}

func (b *buffer) Stat() (fs.FileInfo, error) { return b.info, nil }
func (b *buffer) Close() error               { return nil }

// shown describes a file that an editor shows.
type shown struct {
	name string
	size int
}

func (f shown) Name() string       { return f.name }
func (f shown) Size() int64        { return int64(f.size) }
func (f shown) Mode() fs.FileMode  { return 0o644 }
func (f shown) ModTime() time.Time { return time.Time{} }
func (f shown) IsDir() bool        { return false }
func (f shown) Sys() any           { return nil }

// folder describes the folder of a file that lies nowhere.
type folder struct{ name string }

func (f folder) Name() string       { return f.name }
func (f folder) Size() int64        { return 0 }
func (f folder) Mode() fs.FileMode  { return fs.ModeDir | 0o755 }
func (f folder) ModTime() time.Time { return time.Time{} }
func (f folder) IsDir() bool        { return true }
func (f folder) Sys() any           { return nil }

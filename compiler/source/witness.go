package source

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"
)

// witness is a file system that remembers what was seen in it: whether all of it
// is as it was tells whether what was made of it would be made again.
type witness struct {
	fs.FS
	files   map[string][]byte // read; nil could not be
	folders map[string]string // listed
	kinds   map[string]string // asked about
}

func newWitness(fsys fs.FS) *witness {
	return &witness{FS: fsys, files: map[string][]byte{}, folders: map[string]string{}, kinds: map[string]string{}}
}

// Open stands for reading, for who reads in steps.
func (w *witness) Open(name string) (fs.File, error) {
	_, _ = w.ReadFile(name)
	return w.FS.Open(name)
}

func (w *witness) ReadFile(name string) ([]byte, error) {
	data, err := fs.ReadFile(w.FS, name)
	w.files[name] = present(data, err)
	return data, err
}

func (w *witness) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(w.FS, name)
	w.folders[name] = listing(entries, err)
	return entries, err
}

func (w *witness) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(w.FS, name)
	w.kinds[name] = kindOf(info, err)
	return info, err
}

// again tells whether all that was seen is to be seen again.
func (w *witness) again(fsys fs.FS) bool {
	for name, was := range w.kinds {
		if kindOf(fs.Stat(fsys, name)) != was {
			return false
		}
	}
	for name, was := range w.folders {
		if listing(fs.ReadDir(fsys, name)) != was {
			return false
		}
	}
	for name, was := range w.files {
		is := present(fs.ReadFile(fsys, name))
		if (is == nil) != (was == nil) || !bytes.Equal(is, was) {
			return false
		}
	}
	return true
}

func present(data []byte, err error) []byte {
	switch {
	case err != nil:
		return nil
	case data == nil:
		return []byte{}
	}
	return data
}

func kindOf(info fs.FileInfo, err error) string {
	if err != nil {
		return "none"
	}
	return fmt.Sprint(info.Mode().Type(), info.Size()>>20) // what is too large is not read
}

func listing(entries []fs.DirEntry, err error) string {
	if err != nil {
		return "none"
	}
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.Name() + "/" + e.Type().String() + "\n")
	}
	return b.String()
}

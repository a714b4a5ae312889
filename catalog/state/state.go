// Package state keeps private files in a state folder: folders are 0700 and
// files 0600, loose permissions are refused, and a file changes by write, sync
// and rename, so that a reader sees the old bytes or the new ones, never half.
package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxFile bounds what Read takes into memory, in bytes.
const maxFile = 16 << 20

// Dir makes a private folder, with its parents, or accepts one that is there
// and that nobody but its owner may enter.
func Dir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("state folder %s is a file", path)
	}
	return tight(path, info, 0o700)
}

// Read reads a private file. It refuses one that others may read or write.
func Read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if err := tight(path, info, 0o600); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return data, err
}

func tight(path string, info fs.FileInfo, want fs.FileMode) error {
	if mode := info.Mode().Perm(); mode&^want != 0 {
		return fmt.Errorf("%s has mode %04o, so others may reach what is secret in it: run chmod %04o %s", path, mode, want, path)
	}
	return nil
}

// Write replaces a file by one of mode 0600 that holds data.
func Write(path string, data []byte) error {
	return place(path, data, os.Rename)
}

// Create makes a file of mode 0600 that holds data. When it is there already,
// made perhaps by another process a moment ago, the error is fs.ErrExist.
func Create(path string, data []byte) error {
	return place(path, data, func(from, to string) error {
		err := os.Link(from, to)
		return errors.Join(err, os.Remove(from))
	})
}

func place(path string, data []byte, put func(from, to string) error) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // CreateTemp makes it 0600
	if err != nil {
		return err
	}
	if err := fill(tmp, data); err != nil {
		os.Remove(tmp.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := put(tmp.Name(), path); err != nil {
		os.Remove(tmp.Name())
		return err
	}
	return syncDir(dir)
}

func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes a rename last through a power cut. Some file systems cannot
// sync a folder; the rename itself has happened all the same.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	return nil
}

// Lock takes the folder's lock against other processes, waiting for it; the
// function it returns gives it back. On a file system that is read-only for now
// the lock that is there can be taken too: who only reads then goes on.
func Lock(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, ".lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, unix.EROFS) {
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { f.Close() }, nil
}

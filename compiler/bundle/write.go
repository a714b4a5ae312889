package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// ErrNotBundle is why Write does not replace a folder: it holds something else.
var ErrNotBundle = errors.New("the folder holds something that is no bundle")

// Names beside the target while it is written: TARGET is the new one until it is
// complete, and the old one until the new one stands.
const (
	newMark = ".meshc-new-"
	oldMark = ".meshc-old-"
)

// Write puts a bundle at dir, in place of the bundle or the empty folder that is
// there. Whoever looks sees the old bundle or the new one, never a part: it is
// written and synced beside dir, then renamed. What a crashed Write left behind
// is removed, or restored if it was the only bundle.
func Write(dir string, b *Bundle) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved // replace what the link leads to, not the link
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	unlock, err := lockFolder(parent)
	if err != nil {
		return err
	}
	defer unlock()
	if err := clean(dir); err != nil {
		return err
	}
	if err := replaceable(dir); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(parent, filepath.Base(dir)+newMark)
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	if err := fill(fresh, b); err != nil {
		return err
	}
	if err := replace(fresh, dir); err != nil {
		return err
	}
	return syncFolder(parent)
}

// replaceable refuses a target that would cost the user something else.
func replaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == ManifestFile {
			return nil
		}
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s: %w", dir, ErrNotBundle)
	}
	return nil
}

func fill(dir string, b *Bundle) error {
	if err := os.Chmod(dir, 0o755); err != nil { // MkdirTemp's is for its owner only
		return err
	}
	signatures := filepath.Join(dir, SignaturesDir)
	if len(b.Signatures()) > 0 {
		if err := os.Mkdir(signatures, 0o755); err != nil {
			return err
		}
	}
	var g errgroup.Group // a disk syncs many files in little more time than one
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		g.Go(func() error { return writeSynced(filepath.Join(dir, name), b.files[name]) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if len(b.Signatures()) > 0 {
		if err := syncFolder(signatures); err != nil {
			return err
		}
	}
	return syncFolder(dir)
}

func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// replace renames fresh to dir. Where the system can exchange two names, dir is
// never missing; elsewhere it is for a moment, and clean restores it after a crash.
func replace(fresh, dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(fresh, dir)
	}
	if exchange(fresh, dir) == nil {
		return nil // fresh is the old one now, and Write removes it
	}
	old, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+oldMark)
	if err != nil {
		return err
	}
	if err := os.Rename(dir, old); err != nil {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return os.RemoveAll(old)
}

// clean takes away what crashed writes of the same target left. The folder's
// lock is held, so nobody is writing these now.
func clean(dir string) error {
	parent, base := filepath.Dir(dir), filepath.Base(dir)
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	_, err = os.Lstat(dir)
	missing := errors.Is(err, fs.ErrNotExist)
	for _, e := range entries {
		path := filepath.Join(parent, e.Name())
		isOld := strings.HasPrefix(e.Name(), base+oldMark)
		if isOld && missing {
			if _, err := os.Stat(filepath.Join(path, ManifestFile)); err == nil {
				missing = false
				if err := os.Rename(path, dir); err != nil {
					return err
				}
				continue
			}
		}
		if isOld || strings.HasPrefix(e.Name(), base+newMark) {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

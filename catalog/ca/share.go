package ca

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/meshc/meshc/catalog/state"
)

// Files are what several state folders of one mesh hold alike, by name: roots with
// their keys, what they are signed by, how far a rotation is, and the line of roots.
// An intermediate is among them only where it was brought from elsewhere: of all
// others each folder has its own, so that none waits for another to renew it. Peers
// trust by the root, so it makes no difference to them.
type Files map[string]Secret

const (
	// sharedFile is the Files that a folder was last made of.
	sharedFile = "shared.json"
	// lineageName is among Files: the fingerprints of all roots that ever issued, in order.
	lineageName = "lineage"
)

var (
	sharedNames       = []string{domainFile, rootFile, crossFile, rotationFile, next + rootFile, next + crossFile}
	intermediateNames = []string{next + intermediateFile, intermediateFile}
)

// Collect is what the authority of a state folder shares; the error is fs.ErrNotExist
// where there is none. With intermediates, those are taken that are there: after an
// import into a folder that no server has used.
func Collect(stateDir string, intermediates bool) (Files, error) {
	dir := filepath.Join(stateDir, "ca")
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	unlock, err := state.Lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return collect(dir, intermediates)
}

func collect(dir string, intermediates bool) (Files, error) {
	before, err := placed(dir)
	if err != nil {
		return nil, err
	}
	out := Files{}
	for _, name := range slices.Concat(sharedNames, intermediateNames) {
		data, err := state.Read(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains(intermediateNames, name) && !intermediates && !before.brought(data) {
			continue
		}
		out[name] = data
	}
	root, err := parsePair(out[rootFile])
	if err != nil || root.cert == nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, rootFile), errors.Join(err, fs.ErrNotExist))
	}
	lineage := strings.Fields(string(before[lineageName]))
	if own := fingerprint(root.cert); !slices.Contains(lineage, own) {
		lineage = append(lineage, own)
	}
	out[lineageName] = []byte(strings.Join(lineage, "\n") + "\n")
	return out, nil
}

// brought tells whether an intermediate is one that is shared.
func (f Files) brought(intermediate []byte) bool {
	return slices.ContainsFunc(intermediateNames, func(name string) bool { return bytes.Equal(f[name], intermediate) })
}

// placed is what a folder was last made of; nil if it never was.
func placed(dir string) (Files, error) {
	path := filepath.Join(dir, sharedFile)
	data, err := state.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var raw map[string][]byte
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := Files{}
	for name, data := range raw {
		out[name] = data
	}
	return out, nil
}

// keep notes what a folder is made of.
func (f Files) keep(dir string) error {
	raw := map[string][]byte{}
	for name, data := range f {
		raw[name] = data
	}
	data, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	return state.Write(filepath.Join(dir, sharedFile), data)
}

// Kept are the files that a state folder was last made of, or that were published of
// it; nil if that never was.
func Kept(stateDir string) (Files, error) { return placed(filepath.Join(stateDir, "ca")) }

// Keep notes that what a folder shares is now these files, as they were published.
func (f Files) Keep(stateDir string) error {
	dir := filepath.Join(stateDir, "ca")
	unlock, err := state.Lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	return f.keep(dir)
}

// Place makes the authority of a state folder one of these files. It may be repeated:
// what an interruption left half is whole then. Servers of the folder see it at once.
func (f Files) Place(stateDir string) error {
	dir := filepath.Join(stateDir, "ca")
	if err := state.Dir(dir); err != nil {
		return err
	}
	unlock, err := state.Lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	return f.place(dir)
}

func (f Files) place(dir string) error {
	before, err := placed(dir)
	if err != nil {
		before = nil // it is damaged, and written anew
	}
	if err := f.keep(dir); err != nil {
		return err
	}
	for _, name := range sharedNames {
		if err := f.put(dir, name); err != nil {
			return err
		}
	}
	for _, name := range intermediateNames {
		if data, given := f[name]; given && !bytes.Equal(data, before[name]) {
			if err := f.put(dir, name); err != nil {
				return err
			}
		}
	}
	return f.fitIntermediates(dir)
}

func (f Files) put(dir, name string) error {
	path := filepath.Join(dir, name)
	data, given := f[name]
	if !given {
		return remove(path)
	}
	if old, err := state.Read(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	return state.Write(path, data)
}

// fitIntermediates takes away the folder's own intermediates that are not of the root
// beside them. When a rotation has ended, that of the next line becomes the current one.
func (f Files) fitIntermediates(dir string) error {
	of := func(rootName, name string) []byte {
		root, errRoot := parsePair(f[rootName])
		data, err := state.Read(filepath.Join(dir, name))
		if err != nil || errRoot != nil || root.cert == nil {
			return nil
		}
		if p, err := parsePair(data); err != nil || p.cert == nil || !signedBy(p, root) {
			return nil
		}
		return data
	}
	if of(rootFile, intermediateFile) == nil {
		err := remove(filepath.Join(dir, intermediateFile))
		if data := of(rootFile, next+intermediateFile); data != nil {
			err = state.Write(filepath.Join(dir, intermediateFile), data)
		}
		if err != nil {
			return err
		}
	}
	if of(next+rootFile, next+intermediateFile) == nil {
		return remove(filepath.Join(dir, next+intermediateFile))
	}
	return nil
}

// Describe tells what authority these files are, or why they are none. It works in a
// folder below the given one, which it removes.
func (f Files) Describe(below string) (Description, error) {
	if err := os.MkdirAll(below, 0o700); err != nil {
		return Description{}, err
	}
	dir, err := os.MkdirTemp(below, ".shared-*") // 0700
	if err != nil {
		return Description{}, err
	}
	defer os.RemoveAll(dir)
	if err := f.Place(dir); err != nil {
		return Description{}, err
	}
	return Show(dir)
}

// Succeeds tells whether these files lead on from one of the roots in PEM: whoever
// trusts it is served on. Two authorities that know nothing of each other do not.
func (f Files) Succeeds(roots []byte) bool {
	old, err := parsePair(roots)
	if err != nil || old.cert == nil {
		return false
	}
	line := strings.Fields(string(f[lineageName]))
	for _, name := range []string{rootFile, next + rootFile} {
		if p, err := parsePair(f[name]); err == nil && p.cert != nil {
			line = append(line, fingerprint(p.cert))
		}
	}
	for _, c := range append(old.chain, old.cert) {
		if slices.Contains(line, fingerprint(c)) {
			return true
		}
	}
	return false
}

// publish tells the others what the folder shares. Where they cannot be told it did
// not happen: the folder is put back. The folder is locked.
func (a *Authority) publish() error {
	if a.opts.Publish == nil {
		return nil
	}
	files, err := collect(a.dir, false)
	if err != nil {
		return err
	}
	if err = a.opts.Publish(files); err == nil {
		return files.keep(a.dir)
	}
	before, errBefore := placed(a.dir)
	if errBefore == nil && before != nil {
		errBefore = before.place(a.dir)
	}
	return errors.Join(err, errBefore, a.read())
}

// Equal tells whether two sets of files are the same.
func (f Files) Equal(other Files) bool {
	return maps.EqualFunc(f, other, func(a, b Secret) bool { return bytes.Equal(a, b) })
}

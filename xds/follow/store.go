package follow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/file"
	"github.com/meshc/meshc/catalog/state"
	"github.com/meshc/meshc/compiler/bundle"
)

// store is the folder `served` of a state folder: the last good bundle and catalog.
type store struct{ dir string }

func openStore(stateDir string) (*store, error) {
	s := &store{dir: filepath.Join(stateDir, "served")}
	if err := state.Dir(s.dir); err != nil {
		return nil, err
	}
	return s, nil
}

// KeptBundle is the bundle that a start can begin with; an error if there is none.
func KeptBundle(stateDir string) (*bundle.Bundle, error) {
	return (&store{dir: filepath.Join(stateDir, "served")}).bundle()
}

// Kept tells whether a state folder holds a bundle that a start can begin with.
func Kept(stateDir string) bool {
	s := &store{dir: filepath.Join(stateDir, "served")}
	_, err := os.Stat(filepath.Join(s.bundleDir(), bundle.ManifestFile))
	return err == nil
}

func (s *store) bundleDir() string   { return filepath.Join(s.dir, "bundle") }
func (s *store) servedFile() string  { return filepath.Join(s.dir, "served.json") }
func (s *store) catalogFile() string { return filepath.Join(s.dir, "catalog.yaml") }

func (s *store) bundle() (*bundle.Bundle, error) {
	b, findings, err := bundle.Open(s.bundleDir())
	switch {
	case err != nil:
		return nil, fmt.Errorf("no earlier bundle is kept: %w", err)
	case b == nil:
		return nil, fmt.Errorf("the bundle that is kept is refused as well: %s [%s]", findings[0].Message, findings[0].Code)
	}
	return b, nil
}

// keepBundle writes a bundle unless it is the one that is kept.
func (s *store) keepBundle(b *bundle.Bundle) error {
	if kept, err := s.bundle(); err == nil && kept.Manifest.BundleDigest == b.Manifest.BundleDigest &&
		maps.EqualFunc(kept.Signatures(), b.Signatures(), bytes.Equal) {
		return nil
	}
	return bundle.Write(s.bundleDir(), b)
}

// served is what was served last, by the last process too; zero if nothing was.
func (s *store) served() (served, error) {
	var out served
	data, err := state.Read(s.servedFile())
	if errors.Is(err, fs.ErrNotExist) {
		if kept, err := s.bundle(); err == nil {
			out = servedOf(kept)
		}
		return out, nil
	}
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(data, &out); err != nil {
		return out, fmt.Errorf("%s does not say what was served last: %w; without this file the next bundle may be an older one", s.servedFile(), err)
	}
	if out.Mesh == "" { // an earlier meshc did not write it down
		if kept, err := s.bundle(); err == nil {
			out.Mesh, out.Environment = kept.Manifest.Mesh, kept.Manifest.Environment
		}
	}
	return out, nil
}

func (s *store) keepServed(now served) error {
	if was, err := s.served(); err == nil && was == now {
		if _, err := os.Stat(s.servedFile()); err == nil {
			return nil
		}
	}
	data, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return state.Write(s.servedFile(), append(data, '\n'))
}

func (s *store) catalog() (*catalog.Snapshot, error) {
	data, err := state.Read(s.catalogFile())
	if err != nil {
		return nil, fmt.Errorf("no earlier catalog is kept: %w", err)
	}
	snap, findings := file.Parse(s.catalogFile(), data)
	if snap == nil {
		return nil, fmt.Errorf("the catalog that is kept is refused as well: %s [%s]", findings[0].Message, findings[0].Code)
	}
	return snap, nil
}

func (s *store) keepCatalog(snap *catalog.Snapshot) error {
	data, err := file.Marshal(snap)
	if err != nil {
		return err
	}
	return state.Write(s.catalogFile(), data)
}

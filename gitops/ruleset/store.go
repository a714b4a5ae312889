package ruleset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/meshc/meshc/gitops/oci"
)

// artifacts is what a rule set is called in a registry.
var artifacts = oci.Kind{
	Config: "application/vnd.meshc.ruleset.config.v1+json", Layer: "application/vnd.meshc.ruleset.content.v1.tar+gzip",
	MaxLayer: maxBytes, MaxUnpacked: 2 * maxBytes, MaxEntries: 2*maxFiles + 64,
}

// DamagedError says that there is something, and that it is no whole rule set.
type DamagedError struct{ why error }

// Error says what is wrong with it.
func (e *DamagedError) Error() string { return e.why.Error() }

// Push puts a set into a registry, under further tags too, and gives the reference
// by digest.
func Push(ctx context.Context, s *Set, to oci.Reference, source string, tags ...string) (oci.Reference, error) {
	notes := map[string]string{"org.opencontainers.image.created": "1970-01-01T00:00:00Z", "dev.meshc.ruleset-digest": s.Digest()}
	if source != "" {
		notes["org.opencontainers.image.source"] = source
	}
	return oci.PushFiles(ctx, s.packed(), artifacts, notes, to, tags...)
}

// Pull fetches the set that a reference leads to, keeps it in the cache, and gives
// the reference by digest as well. A *DamagedError tells what is wrong with it.
func Pull(ctx context.Context, from oci.Reference, keep Cache) (*Set, oci.Reference, error) {
	a, at, err := oci.Fetch(ctx, from, artifacts)
	switch {
	case oci.IsContent(err):
		return nil, at, &DamagedError{err}
	case err != nil:
		return nil, at, err
	}
	s, err := open(a)
	if err != nil {
		return nil, at, err
	}
	return s, at, keep.put(a)
}

func open(a oci.Artifact) (*Set, error) {
	files, err := a.Files(artifacts)
	if err == nil {
		var s *Set
		if s, err = unpack(files); err == nil {
			return s, nil
		}
	}
	return nil, &DamagedError{err}
}

// Cache is a folder that holds artifacts by their digests. What lies there is
// checked whenever it is read.
type Cache string

// DefaultCache is where MESHC_CACHE says, else in the user's folder of caches.
func DefaultCache() (Cache, error) {
	if dir := os.Getenv("MESHC_CACHE"); dir != "" {
		return Cache(filepath.Join(dir, "rulesets")), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder for caches: set MESHC_CACHE: %w", err)
	}
	return Cache(filepath.Join(dir, "meshc", "rulesets")), nil
}

func (c Cache) dir(digest string) string {
	return filepath.Join(string(c), strings.Replace(digest, ":", "-", 1))
}

// Get is the set of a digest. fs.ErrNotExist: it was not pulled; *DamagedError: what
// lies there is something else.
func (c Cache) Get(digest string) (*Set, error) {
	dir := c.dir(digest)
	manifest, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		return nil, err
	}
	layer, err := os.ReadFile(filepath.Join(dir, "layer.tar.gz"))
	if err != nil {
		return nil, err
	}
	a := oci.Artifact{Manifest: manifest, Layer: layer}
	if a.Digest() != digest {
		return nil, &DamagedError{fmt.Errorf("what was kept of it has the digest %s", a.Digest())}
	}
	return open(a)
}

// put keeps an artifact: written beside its place, then renamed, so that nobody
// reads half of one. What was kept before is replaced only if it is damaged.
func (c Cache) put(a oci.Artifact) error {
	if _, err := c.Get(a.Digest()); err == nil {
		return nil
	}
	dir := c.dir(a.Digest())
	if err := os.MkdirAll(string(c), 0o755); err != nil {
		return err
	}
	beside, err := os.MkdirTemp(string(c), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(beside)
	for name, data := range map[string][]byte{"manifest.json": a.Manifest, "layer.tar.gz": a.Layer} {
		if err := os.WriteFile(filepath.Join(beside, name), data, 0o644); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Rename(beside, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

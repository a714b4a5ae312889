package oci

import (
	"context"
	"errors"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
)

// maxManifest bounds a manifest, in bytes.
const maxManifest = 1 << 20

// errContent is a fault of what the registry gave, not of the way to it.
type errContent struct {
	code diag.Code
	why  error
}

func (e *errContent) Error() string { return e.why.Error() }

func faulty(format string, args ...any) error {
	return &errContent{"MSH0415", fmt.Errorf(format, args...)}
}

// Pull fetches the bundle that a reference leads to, and gives the reference by
// digest as well. What is wrong with the content is a finding, and then there is
// no bundle; an error means that it could not be fetched.
func Pull(ctx context.Context, from Reference) (*bundle.Bundle, Reference, diag.List, error) {
	repo, err := from.repository()
	if err != nil {
		return nil, from, nil, err
	}
	manifest, err := repo.Resolve(ctx, from.at.Reference)
	if err != nil {
		return nil, from, nil, err
	}
	return pull(ctx, repo, from, manifest)
}

func pull(ctx context.Context, repo *remote.Repository, from Reference, manifest ocispec.Descriptor) (*bundle.Bundle, Reference, diag.List, error) {
	found := from.At(manifest.Digest.String())
	files, err := fetch(ctx, repo, manifest)
	var wrong *errContent
	switch {
	case errors.As(err, &wrong):
		return nil, found, diag.List{diag.New(wrong.code, diag.Span{File: from.String()}, "%q holds no bundle that can be taken: %v", from, wrong.why).
			WithEffect("nothing of it is taken; what was served before stays served").
			WithHelp("push a bundle there with `meshc push`, or correct the reference")}, nil
	case err != nil:
		return nil, found, nil, err
	}
	b, findings := bundle.FromFiles(files)
	for i := range findings {
		findings[i].Locations[0].File = from.String() + "/" + findings[i].At().File
	}
	return b, found, findings, nil
}

// fetch gives the files of a bundle's artifact.
func fetch(ctx context.Context, repo *remote.Repository, manifest ocispec.Descriptor) (map[string][]byte, error) {
	a, err := fetchArtifact(ctx, repo, manifest, bundles)
	if err != nil {
		return nil, err
	}
	return a.Files(bundles)
}

func firstType(layers []ocispec.Descriptor) string {
	if len(layers) == 0 {
		return ""
	}
	return layers[0].MediaType
}

// fetchBytes reads content of a bounded size and checks its digest.
func fetchBytes(ctx context.Context, from content.Fetcher, d ocispec.Descriptor, limit int64) ([]byte, error) {
	if d.Size < 0 || d.Size > limit {
		return nil, faulty("%s has %d bytes; at most %d are read", d.Digest, d.Size, limit)
	}
	if err := d.Digest.Validate(); err != nil {
		return nil, faulty("digest %q: %w", d.Digest, err)
	}
	out, err := content.FetchAll(ctx, from, d)
	if errors.Is(err, content.ErrMismatchedDigest) || errors.Is(err, content.ErrTrailingData) {
		return nil, faulty("%s is not what the registry gave for it: %w", d.Digest, err)
	}
	return out, err
}

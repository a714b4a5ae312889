package oci

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"
)

// Kind is a kind of artifact: what config and layer are called, and how much of
// one is read.
type Kind struct {
	Config, Layer string // media types
	Also          string // another type that the layer may have; "": none
	MaxLayer      int64  // bytes of the archive
	MaxUnpacked   int64  // bytes of all files
	MaxEntries    int    // of the archive
}

// bundles are artifacts that Flux takes.
var bundles = Kind{
	Config: configType, Layer: layerType, Also: ocispec.MediaTypeImageLayerGzip,
	MaxLayer: 512 << 20, MaxUnpacked: maxUnpacked, MaxEntries: maxEntries,
}

// Contracts are artifacts that hold what a policy relies on, a file a namespace; a
// folder that Flux pushed is one as well.
var Contracts = Kind{
	Config: "application/vnd.meshc.contracts.config.v1+json", Layer: "application/vnd.meshc.contracts.content.v1.tar+gzip", Also: layerType,
	MaxLayer: 16 << 20, MaxUnpacked: 64 << 20, MaxEntries: 16384,
}

// Artifact is one as it lies in a registry, byte for byte: its manifest, and the
// only layer.
type Artifact struct{ Manifest, Layer []byte }

// Digest is what a reference by digest names: of the manifest.
func (a Artifact) Digest() string { return digest.FromBytes(a.Manifest).String() }

// IsContent tells a fault of what a registry holds, or of an artifact that was
// kept, from one of the way to it.
func IsContent(err error) bool {
	var wrong *errContent
	return errors.As(err, &wrong)
}

// Fetch gets the artifact that a reference leads to, checked against its digests,
// and the reference by digest. IsContent tells what is wrong with the artifact.
func Fetch(ctx context.Context, from Reference, kind Kind) (Artifact, Reference, error) {
	repo, err := from.repository()
	if err != nil {
		return Artifact{}, from, err
	}
	manifest, err := repo.Resolve(ctx, from.at.Reference)
	if err != nil {
		return Artifact{}, from, err
	}
	a, err := fetchArtifact(ctx, repo, manifest, kind)
	return a, from.At(manifest.Digest.String()), err
}

func fetchArtifact(ctx context.Context, repo *remote.Repository, manifest ocispec.Descriptor, kind Kind) (Artifact, error) {
	if manifest.MediaType != ocispec.MediaTypeImageManifest {
		return Artifact{}, faulty("it is of the type %q, not an image manifest", manifest.MediaType)
	}
	text, err := fetchBytes(ctx, repo.Manifests(), manifest, maxManifest)
	if err != nil {
		return Artifact{}, err
	}
	layer, err := layerOf(text, kind)
	if err != nil {
		return Artifact{}, err
	}
	archive, err := fetchBytes(ctx, repo.Blobs(), layer, kind.MaxLayer)
	return Artifact{text, archive}, err
}

// layerOf is the only layer that a manifest names.
func layerOf(manifest []byte, kind Kind) (ocispec.Descriptor, error) {
	var m ocispec.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return ocispec.Descriptor{}, faulty("its manifest cannot be read: %w", err)
	}
	if t := firstType(m.Layers); len(m.Layers) != 1 || t == "" || t != kind.Layer && t != kind.Also {
		return ocispec.Descriptor{}, faulty("it has %d layers, the first of the type %q; one of the type %q is wanted", len(m.Layers), firstType(m.Layers), kind.Layer)
	}
	return m.Layers[0], nil
}

// Files unpacks an artifact, in memory and within the bounds of its kind. The layer
// must be the one that the manifest names; every error is one of content.
func (a Artifact) Files(kind Kind) (map[string][]byte, error) {
	layer, err := layerOf(a.Manifest, kind)
	if err != nil {
		return nil, err
	}
	if got := digest.FromBytes(a.Layer); got != layer.Digest || int64(len(a.Layer)) != layer.Size {
		return nil, faulty("its layer is %s, and the manifest names %s", got, layer.Digest)
	}
	files, err := unpack(a.Layer, kind.MaxUnpacked, kind.MaxEntries)
	if err != nil {
		return nil, &errContent{"MSH0414", err}
	}
	return files, nil
}

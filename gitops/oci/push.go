package oci

import (
	"context"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/memory"

	"encoding/json"
	"strconv"

	"github.com/meshc/meshc/compiler/bundle"
	"oras.land/oras-go/v2/content"
)

// The media types that Flux's OCIRepository takes.
const (
	configType = "application/vnd.cncf.flux.config.v1+json"
	layerType  = "application/vnd.cncf.flux.content.v1.tar+gzip"
)

// Annotations of the manifest, for people who look into the registry. Nobody
// relies on them: the bundle says the same under its own digest.
const (
	annotationMesh   = "dev.meshc.mesh"
	annotationPolicy = "dev.meshc.policy-digest"
	annotationBundle = "dev.meshc.bundle-digest"
	annotationEpoch  = "dev.meshc.epoch"
)

// unborn stands for the time of making: equal bundles have equal digests.
const unborn = "1970-01-01T00:00:00Z"

// Push puts a bundle, with its signatures, where the reference says, and under
// further tags. source is the URL of the sources, for Flux; it may be empty. The
// result is the reference by digest.
func Push(ctx context.Context, b *bundle.Bundle, to Reference, source string, tags ...string) (Reference, error) {
	return PushFiles(ctx, b.Files(), bundles, annotations(b.Manifest, source), to, tags...)
}

// PushFiles puts files where the reference says, as one artifact, and under further
// tags. Equal files and annotations have equal digests; the result is the reference
// by digest.
func PushFiles(ctx context.Context, files map[string][]byte, kind Kind, annotations map[string]string, to Reference, tags ...string) (Reference, error) {
	repo, err := to.repository()
	if err != nil {
		return Reference{}, err
	}
	store := memory.New()
	manifest, err := artifact(ctx, store, files, kind, annotations)
	if err != nil {
		return Reference{}, err
	}
	if err := store.Tag(ctx, manifest, manifest.Digest.String()); err != nil {
		return Reference{}, err
	}
	if !to.Pinned() {
		tags = append([]string{to.at.Reference}, tags...)
	}
	if _, err := oras.Copy(ctx, store, manifest.Digest.String(), repo, manifest.Digest.String(), oras.DefaultCopyOptions); err != nil {
		return Reference{}, err
	}
	for _, tag := range tags {
		if err := repo.Tag(ctx, manifest, tag); err != nil {
			return Reference{}, err
		}
	}
	return to.At(manifest.Digest.String()), nil
}

// artifact puts layer, config and manifest of files into a store.
func artifact(ctx context.Context, store content.Pusher, files map[string][]byte, kind Kind, annotations map[string]string) (ocispec.Descriptor, error) {
	archive, err := pack(files)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	layer, err := oras.PushBytes(ctx, store, kind.Layer, archive)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	config, err := oras.PushBytes(ctx, store, kind.Config, []byte("{}"))
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: config, Layers: []ocispec.Descriptor{layer}, Annotations: annotations,
	})
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	return oras.PushBytes(ctx, store, ocispec.MediaTypeImageManifest, manifest)
}

func annotations(m bundle.Manifest, source string) map[string]string {
	out := map[string]string{
		ocispec.AnnotationCreated: unborn,
		annotationPolicy:          m.PolicyDigest,
		annotationBundle:          m.BundleDigest,
	}
	for name, value := range map[string]string{annotationMesh: m.Mesh, ocispec.AnnotationRevision: m.Revision, ocispec.AnnotationSource: source} {
		if value != "" {
			out[name] = value
		}
	}
	if m.Epoch > 0 {
		out[annotationEpoch] = strconv.FormatInt(m.Epoch, 10)
	}
	return out
}

package oci

import (
	"context"

	"github.com/opencontainers/go-digest"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
)

// Source is a reference that is looked at again and again. It is for one
// goroutine at a time.
type Source struct {
	from Reference

	digest   digest.Digest // of what was judged last
	bundle   *bundle.Bundle
	findings diag.List
}

// NewSource makes a source of a reference.
func NewSource(from Reference) *Source { return &Source{from: from} }

// Fetch gives the bundle that the reference leads to now. While it leads to the
// same, the same bundle comes back and only the tag is looked up; a reference by
// digest is not looked up again.
func (s *Source) Fetch(ctx context.Context) (*bundle.Bundle, diag.List, error) {
	if s.from.Pinned() && s.digest != "" {
		return s.bundle, s.findings, nil
	}
	repo, err := s.from.repository()
	if err != nil {
		return nil, nil, err
	}
	manifest, err := repo.Resolve(ctx, s.from.at.Reference)
	if err != nil {
		return nil, nil, err
	}
	if manifest.Digest == s.digest {
		return s.bundle, s.findings, nil
	}
	b, _, findings, err := pull(ctx, repo, s.from, manifest)
	if err != nil {
		return nil, nil, err
	}
	s.digest, s.bundle, s.findings = manifest.Digest, b, findings
	return b, findings, nil
}

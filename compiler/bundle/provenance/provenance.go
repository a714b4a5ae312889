// Package provenance says how a bundle came to be, as an in-toto statement with
// a SLSA provenance predicate: which bundle, built by whom, from which revision
// and which files. Equal builds give equal bytes; it knows no clock, and whether
// anybody vouches for the statement is for compiler/bundle/signature.
package provenance

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/meshc/meshc/compiler/bundle"
)

// The types that make a statement known to tools of supply chains.
const (
	PayloadType   = "application/vnd.in-toto+json" // of its DSSE envelope
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "https://slsa.dev/provenance/v1"
	buildType     = "https://meshc.dev/build/v1"
)

// Build is what a bundle does not say of its own making.
type Build struct {
	Builder string // URI of who ran the build
	Version string // of meshc
}

type statement struct {
	Type          string     `json:"_type"`
	Subject       []resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     predicate  `json:"predicate"`
}

// resource is in-toto's ResourceDescriptor.
type resource struct {
	Name   string            `json:"name,omitempty"`
	Digest map[string]string `json:"digest"`
}

type predicate struct {
	Definition definition `json:"buildDefinition"`
	Details    details    `json:"runDetails"`
}

type definition struct {
	BuildType    string            `json:"buildType"`
	External     map[string]string `json:"externalParameters"`
	Internal     map[string]string `json:"internalParameters"`
	Dependencies []resource        `json:"resolvedDependencies"`
}

type details struct {
	Builder struct {
		ID      string            `json:"id"`
		Version map[string]string `json:"version"`
	} `json:"builder"`
}

// Statement is the statement about a bundle, as JSON.
func Statement(b *bundle.Bundle, build Build) ([]byte, error) {
	m := b.Manifest
	s := statement{Type: statementType, PredicateType: predicateType, Subject: []resource{subject(m)}}
	s.Predicate.Definition = definition{
		BuildType: buildType,
		External:  external(m),
		Internal:  map[string]string{"policyDigest": m.PolicyDigest, "format": m.Format.String(), "judged": m.Judged},
	}
	s.Predicate.Definition.Dependencies = dependencies(m)
	s.Predicate.Details.Builder.ID = build.Builder
	s.Predicate.Details.Builder.Version = map[string]string{"meshc": build.Version}
	out, err := json.MarshalIndent(s, "", "  ")
	return append(out, '\n'), err
}

func subject(m bundle.Manifest) resource {
	return resource{Name: m.Mesh, Digest: sha256(m.BundleDigest)}
}

func sha256(digest string) map[string]string {
	return map[string]string{"sha256": strings.TrimPrefix(digest, "sha256:")}
}

// external is what whoever started the build chose.
func external(m bundle.Manifest) map[string]string {
	out := map[string]string{"mesh": m.Mesh, "epoch": fmt.Sprint(m.Epoch)}
	for name, value := range map[string]string{"environment": m.Environment, "revision": m.Revision} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

// commit is the hash of a Git commit somewhere in a revision, such as
// main@sha1:HASH.
var commit = regexp.MustCompile(`\b([0-9a-f]{64}|[0-9a-f]{40})\b`)

// dependencies are the commit, if the revision names one, and every input.
func dependencies(m bundle.Manifest) []resource {
	out := []resource{}
	if hash := commit.FindString(m.Revision); hash != "" {
		out = append(out, resource{Name: "revision", Digest: map[string]string{"gitCommit": hash}})
	}
	for _, f := range m.Inputs {
		out = append(out, resource{Name: f.Path, Digest: sha256(f.Digest)})
	}
	return out
}

// Describes checks that a statement is a provenance of this bundle.
func Describes(data []byte, b *bundle.Bundle) error {
	var s statement
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("it is no in-toto statement: %w", err)
	}
	if s.Type != statementType || s.PredicateType != predicateType {
		return fmt.Errorf("it is a %q with the predicate %q, not a %s with the predicate %s", s.Type, s.PredicateType, statementType, predicateType)
	}
	want := subject(b.Manifest).Digest["sha256"]
	for _, r := range s.Subject {
		if r.Digest["sha256"] == want {
			return nil
		}
	}
	return errors.New("it is about another bundle")
}

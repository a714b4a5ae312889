package provenance_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/bundle/provenance"
	"github.com/meshc/meshc/compiler/ir"
)

func packed(t *testing.T, revision string) *bundle.Bundle {
	t.Helper()
	b, err := bundle.Pack(bundle.Input{
		Mesh: &ir.Mesh{Settings: ir.Settings{Name: "shop", TrustDomain: "cluster.local"}}, Plan: &ir.Plan{},
		Environment: "prod", Revision: revision, Epoch: 7, Judged: "2026-03-01", Inputs: []bundle.File{bundle.NewFile("apps.yaml", []byte("x"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var build = provenance.Build{Builder: "https://ci.example/meshc", Version: "1.2.3"}

// The statement is one that in-toto's own types take, field for field, and says
// which bundle was built from what.
func TestStatementIsSLSAProvenance(t *testing.T) {
	const hash = "0123456789abcdef0123456789abcdef01234567"
	b := packed(t, "main@sha1:"+hash)
	out, err := provenance.Statement(b, build)
	if err != nil {
		t.Fatal(err)
	}
	var s intoto.Statement
	if err := protojson.Unmarshal(out, &s); err != nil { // refuses unknown fields
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	predicate, err := protojson.Marshal(s.GetPredicate())
	if err != nil {
		t.Fatal(err)
	}
	var p slsa.Provenance
	if err := protojson.Unmarshal(predicate, &p); err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	if s.GetPredicateType() != "https://slsa.dev/provenance/v1" || "sha256:"+s.GetSubject()[0].GetDigest()["sha256"] != b.Manifest.BundleDigest {
		t.Errorf("it is a %s about %v", s.GetPredicateType(), s.GetSubject())
	}
	deps := p.GetBuildDefinition().GetResolvedDependencies()
	if len(deps) != 2 || deps[0].GetDigest()["gitCommit"] != hash || deps[1].GetName() != "apps.yaml" ||
		"sha256:"+deps[1].GetDigest()["sha256"] != b.Manifest.Inputs[0].Digest {
		t.Errorf("built from %v", deps)
	}
	if id := p.GetRunDetails().GetBuilder().GetId(); id != build.Builder {
		t.Errorf("built by %s", id)
	}
	again, err := provenance.Statement(packed(t, "main@sha1:"+hash), build)
	if err != nil || !bytes.Equal(out, again) {
		t.Errorf("equal builds are told differently (%v)", err)
	}
}

// A statement about another bundle, or another kind of statement, describes nothing.
func TestStatementDescribesItsBundleOnly(t *testing.T) {
	b := packed(t, "r1")
	out, err := provenance.Statement(b, build)
	if err != nil {
		t.Fatal(err)
	}
	if err := provenance.Describes(out, b); err != nil {
		t.Error(err)
	}
	if strings.Contains(string(out), "gitCommit") {
		t.Error("a revision that is no commit is told as one")
	}
	for what, c := range map[string]struct {
		data []byte
		b    *bundle.Bundle
	}{
		"another bundle":    {out, packed(t, "r2")},
		"another predicate": {bytes.Replace(out, []byte("slsa.dev/provenance/v1"), []byte("slsa.dev/provenance/v9"), 1), b},
		"no JSON":           {[]byte("x"), b},
	} {
		if provenance.Describes(c.data, c.b) == nil {
			t.Errorf("%s passes", what)
		}
	}
	if !json.Valid(out) {
		t.Error("no JSON")
	}
}

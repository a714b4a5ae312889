package syntax_test

import (
	"testing"

	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// People keep the catalog of their machines beside the policy.
func TestCatalogIsPassedOver(t *testing.T) {
	tree := source.FromMap(map[string][]byte{"catalog.yaml": []byte("apiVersion: meshc.dev/v1alpha1\nkind: Catalog\nspec: {services: []}\n")})
	files, found := syntax.Parse(tree)
	if len(found) != 0 || files.Passed != 1 || len(files.Objects) != 0 {
		t.Errorf("a catalog beside the manifests fails the build: %v, passed over %d", found, files.Passed)
	}
}

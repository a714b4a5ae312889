package resolve_test

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// A message quotes the beginning of an expression, however long somebody made it:
// a log of CI or a comment on a pull request must not drown in it.
func TestLongExpressionsAreQuotedInPart(t *testing.T) {
	for code, regex := range map[string]string{"MSH1017": "/" + strings.Repeat("a", 2000), "MSH1015": "/(" + strings.Repeat("b", 200_000), "MSH1018": strings.Repeat("c", 2000)} {
		text := "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: g, namespace: shop}\nspec: {matches: [{name: m, pathRegex: '" + regex + "'}]}\n"
		files, _ := syntax.Parse(source.FromMap(map[string][]byte{"a.yaml": []byte(text)}))
		_, _, _, found := resolve.Mesh(files, ir.Known{}, resolve.Options{})
		told := false
		for _, f := range found {
			told = told || string(f.Code) == code
			if n := len(f.Message) + len(f.Help); n > 500 {
				t.Errorf("%s says %d characters", f.Code, n)
			}
		}
		if !told {
			t.Errorf("%s is not found: %v", code, found)
		}
	}
}

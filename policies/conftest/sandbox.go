package conftest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/types"
	"sigs.k8s.io/yaml"
)

// forbidden reach out of the sandbox, though OPA does not say so of all of them;
// a schema may refer to the network.
var forbidden = []string{"http.send", "net.lookup_ip_addr", "opa.runtime", "json.verify_schema", "json.match_schema", "providers.aws.sign_req"}

// capabilities are all functions of OPA but those whose answers differ from run to
// run. The clock is among those that stay: it shows the time of judgement.
var capabilities = sync.OnceValue(func() *ast.Capabilities {
	caps := *ast.CapabilitiesForThisVersion()
	caps.Builtins = slices.Clone(caps.Builtins)
	caps.Builtins = slices.DeleteFunc(caps.Builtins, func(b *ast.Builtin) bool {
		return slices.Contains(forbidden, b.Name) || b.Nondeterministic && b.Name != ast.NowNanos.Name
	})
	caps.Builtins = append(caps.Builtins, parseConfig)
	caps.AllowNet = []string{}
	return &caps
})

// parseConfig is conftest's own function for tests: parse_config("yaml", text).
var parseConfig = &ast.Builtin{Name: "parse_config", Decl: types.NewFunction(types.Args(types.S, types.S), types.A)}

func functions() map[string]*topdown.Builtin {
	return map[string]*topdown.Builtin{parseConfig.Name: {Decl: parseConfig, Func: parsed}}
}

// parsed reads text as YAML or JSON; conftest's other parsers are of no use here.
func parsed(_ topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
	kind, isText := operands[0].Value.(ast.String)
	text, ok := operands[1].Value.(ast.String)
	if !isText || !ok {
		return fmt.Errorf("parse_config takes two texts")
	}
	if kind != "yaml" && kind != "json" {
		return fmt.Errorf("parse_config reads yaml and json here, not %s", kind)
	}
	json, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return fmt.Errorf("parse_config: %w", err)
	}
	v, err := ast.ValueFromReader(strings.NewReader(string(json)))
	if err != nil {
		return err
	}
	return iter(ast.NewTerm(v))
}

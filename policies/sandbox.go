package policies

import (
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/diag"
)

// allowed are the built-in functions a rule may call: they depend on their
// arguments alone, and what they cost grows with what they are given. A function
// that a later OPA brings is forbidden until it is listed here.
var allowed = strings.Fields(`
	eq assign equal neq gt gte lt lte
	internal.member_2 internal.member_3 internal.print internal.test_case internal.template_string print
	plus minus mul div rem round ceil floor abs numbers.range
	and or intersection union count sum product max min sort
	array.concat array.flatten array.slice array.reverse
	object.get object.keys object.union object.union_n object.remove object.filter object.subset
	json.filter json.remove json.marshal json.unmarshal json.is_valid walk graph.reachable
	regex.match regex.is_valid regex.find_n regex.find_all_string_submatch_n regex.split regex.replace regex.template_match
	glob.match glob.quote_meta
	strings.any_prefix_match strings.any_suffix_match strings.count strings.reverse strings.replace_n strings.split_n
	concat contains startswith endswith format_int indexof indexof_n lower upper replace split sprintf substring
	trim trim_left trim_prefix trim_right trim_space trim_suffix to_number
	base64.encode base64.decode base64.is_valid base64url.encode base64url.decode hex.encode hex.decode
	urlquery.encode urlquery.decode uri.parse uri.is_valid crypto.sha256
	net.cidr_contains net.cidr_intersects net.cidr_is_valid semver.compare semver.is_valid
	time.now_ns time.parse_ns time.parse_rfc3339_ns time.parse_duration_ns time.format time.date time.weekday time.add_date time.diff
	is_array is_boolean is_null is_number is_object is_set is_string type_name
	rego.metadata.rule rego.metadata.chain
`)

// sandbox are the capabilities that rules are compiled with.
var sandbox = sync.OnceValue(func() *ast.Capabilities {
	caps := *ast.CapabilitiesForThisVersion()
	all := caps.Builtins
	caps.Builtins = nil
	for _, b := range all {
		if slices.Contains(allowed, b.Name) {
			caps.Builtins = append(caps.Builtins, b)
		}
	}
	caps.AllowNet = []string{}
	return &caps
})

// reasons say why a group of functions is forbidden.
var reasons = []struct{ prefix, why string }{
	{"http.", "a rule has no network: equal input must give equal findings"},
	{"net.lookup", "a rule has no network: equal input must give equal findings"},
	{"opa.runtime", "a rule does not see the environment"},
	{"rand.", "a rule has no randomness: equal input must give equal findings"},
	{"uuid.rfc4122", "a rule has no randomness: equal input must give equal findings"},
	{"json.verify_schema", "a schema may refer to the network"},
	{"json.match_schema", "a schema may refer to the network"},
	{"trace", "use print, and see it with `meshc policy test`"},
}

// forbidden finds the calls of functions that the sandbox does not have.
func forbidden(m *ast.Module) diag.List {
	var found diag.List
	seen := map[diag.Span]bool{}
	report := func(name string, loc *ast.Location) {
		b, builtin := ast.BuiltinMap[name]
		if at := spanOf(loc); builtin && !slices.Contains(allowed, b.Name) && !seen[at] {
			seen[at] = true
			why := "it is not among the functions of the sandbox"
			for _, r := range reasons {
				if strings.HasPrefix(name, r.prefix) {
					why = r.why
				}
			}
			found.Add(diag.New(CodeForbidden, at, "a rule may not call %s: %s", name, why).
				WithEffect("the rule was not applied").
				WithHelp("give what it needs as a parameter in meshc.yaml, or judge what data.mesh holds"))
		}
	}
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if e.IsCall() {
			report(e.Operator().String(), e.Location)
		}
		for _, w := range e.With {
			if ref, ok := w.Value.Value.(ast.Ref); ok {
				report(ref.String(), w.Location)
			}
		}
		return false
	})
	ast.WalkTerms(m, func(t *ast.Term) bool {
		if call, ok := t.Value.(ast.Call); ok && len(call) > 0 {
			report(call[0].String(), t.Location)
		}
		return false
	})
	return found
}

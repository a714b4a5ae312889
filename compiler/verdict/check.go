package verdict

import (
	"fmt"
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Check finds what is wrong with tables themselves: cases that ask nothing that
// can be asked, or expect what cannot be.
func Check(tables []*syntax.VerdictTable, trustDomain string) diag.List {
	var out diag.List
	for _, t := range tables {
		seen := map[string]int{}
		for i := range t.Cases {
			c := checker{table: t, index: i, c: &t.Cases[i]}
			c.request(trustDomain)
			c.expectation()
			if first, dup := seen[c.c.Name]; dup && c.c.Name != "" {
				c.find("MSH0353", []any{"name"}, "two cases are named %q", c.c.Name)
				c.found[len(c.found)-1] = c.found[len(c.found)-1].WithRelated(t.Cases[first].At, "the other case")
			}
			seen[c.c.Name] = i
			out.Add(c.found...)
		}
	}
	return out
}

type checker struct {
	table *syntax.VerdictTable
	index int
	c     *syntax.VerdictCase
	found diag.List
}

func (c *checker) find(code diag.Code, field []any, format string, args ...any) {
	at := c.c.At
	if c.table.Object != nil {
		at = c.table.Object.At(append([]any{"spec", "cases", c.index}, field...)...)
	}
	f := diag.New(code, at, format, args...).WithEffect("the case fails, whatever the mesh does")
	if c.table.Object != nil {
		f = f.About(c.table.Object.Ref(), fmt.Sprintf("spec.cases[%d]", c.index))
	}
	c.found.Add(f)
}

// request reads what the case asks; fields that are missing are findings of syntax.
func (c *checker) request(trustDomain string) {
	if _, err := Source(trustDomain, c.c.From); err != nil && c.c.From != "" {
		c.find("MSH0351", []any{"from"}, "%s", err)
	}
	if _, _, err := Destination(c.c.To); err != nil && c.c.To != "" {
		c.find("MSH0351", []any{"to"}, "%s", err)
	}
	if c.c.HTTP == nil {
		if !c.c.TCP {
			c.find("MSH0352", nil, "the case sends neither http nor tcp")
			c.found[len(c.found)-1] = c.found[len(c.found)-1].WithHelp("add `http: {method: GET, path: /}` or `tcp: {}`")
		}
		return
	}
	h := &ir.HTTPRequest{Method: c.c.HTTP.Method, Path: c.c.HTTP.Path}
	for _, l := range c.c.HTTP.Headers {
		h.Headers = append(h.Headers, ir.Header{Name: l.Name, Value: l.Regex})
	}
	if field, err := checkHTTP(h); err != nil {
		c.find("MSH0351", []any{"http", field}, "%s", err)
	}
}

// expectation finds contradictions.
func (c *checker) expectation() {
	if c.c.Status != 0 && c.c.HTTP == nil {
		c.find("MSH0352", []any{"status"}, "raw bytes get no status")
	}
	if c.c.Expect == string(ir.Deny) && len(c.c.Because) > 0 && !slices.Equal(c.c.Because, []string{None}) {
		c.find("MSH0352", []any{"because"}, "a denial has no deciding grant: the lack of one decides")
		c.found[len(c.found)-1] = c.found[len(c.found)-1].WithHelp("write `because: none`, or leave it out")
	}
	if slices.Contains(c.c.Because, None) && len(c.c.Because) > 1 {
		c.find("MSH0352", []any{"because"}, "none stands beside other names")
	}
	if c.c.Split == nil {
		return
	}
	sum := 0
	for _, name := range slices.Sorted(maps.Keys(c.c.Split)) {
		sum += c.c.Split[name]
	}
	if sum < 99 || sum > 101 { // thirds do not add up to 100
		c.find("MSH0352", []any{"split"}, "the shares add up to %d%%", sum)
	}
	if c.c.Split[Denied] > 0 && c.c.Expect == string(ir.Allow) {
		c.find("MSH0352", []any{"split", Denied}, "a request that is allowed has no denied share")
		c.found[len(c.found)-1] = c.found[len(c.found)-1].WithHelp("write `expect: mixed`")
	}
}

package verdict_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/verdict"
)

// A part is exercised by what it lets through, not by what is denied beside it.
func TestCoverageCountsWhatLetsARequestIn(t *testing.T) {
	m := shop(0, 1, 1, 0)
	for i := range m.Grants {
		name := m.Grants[i].Name
		m.Grants[i].HTTP[0].Name = "HTTPRouteGroup/shop/r#list"
		m.Grants[i].HTTP = append(m.Grants[i].HTTP, ir.Match{Name: "HTTPRouteGroup/shop/r#buy", Path: "^(?:/buy).*$", Methods: []string{"POST"}})
		m.Grants[i].Name = name
	}
	m.Origins = map[string]ir.Origin{"HTTPRouteGroup/shop/r#buy": {File: "routes.yaml", Line: 9}}
	percent := func(cases ...syntax.VerdictCase) *verdict.Coverage { return verdict.Cover(m, run(t, m, cases...)) }

	denied := books(func(c *syntax.VerdictCase) { c.From, c.Expect = "shop/v3", "deny" })
	if c := percent(denied); c.Percent != 0 || c.Total != 5 {
		t.Errorf("a denied case exercises %d of %d", c.Covered, c.Total)
	}
	one := books(func(c *syntax.VerdictCase) { c.To = "shop/v1:80" })
	if c := percent(one, denied); c.Covered != 1 || c.Percent != 20 {
		t.Errorf("a case of one match exercises %d, %d%%", c.Covered, c.Percent)
	}
	// The split sends it to both, so both grants' match counts, and the split.
	c := percent(books(nil))
	if c.Covered != 3 || c.Percent != 60 {
		t.Errorf("a case that is split exercises %d, %d%%", c.Covered, c.Percent)
	}
	var out bytes.Buffer
	if err := c.Text(&out); err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{"coverage 60% (3 of 5 parts)", "TrafficTarget/shop/v1#rule0\n      match HTTPRouteGroup/shop/r#buy (routes.yaml:9)"} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("it does not say %q:\n%s", says, &out)
		}
	}
	if strings.Contains(out.String(), "r#list") || strings.Contains(out.String(), "TrafficSplit") {
		t.Errorf("it names what is exercised:\n%s", &out)
	}
	all := percent(books(nil), books(func(c *syntax.VerdictCase) { c.HTTP.Method, c.HTTP.Path = "POST", "/buy" }))
	if all.Percent != 100 || all.Short(100) != "" || c.Short(61) == "" || c.Short(60) != "" {
		t.Errorf("all is %d%%", all.Percent)
	}
	open := shop(0, 1, 1, 0)
	open.Settings.Mode = ir.Permissive
	if c := verdict.Cover(open, run(t, open, books(nil))); c.Covered != 1 {
		t.Errorf("permissive mode lets it in, and %d parts are exercised, not the split alone", c.Covered)
	}
	if c := verdict.Cover(&ir.Mesh{}, nil); c.Percent != 100 {
		t.Errorf("of nothing %d%% are exercised", c.Percent)
	}
}

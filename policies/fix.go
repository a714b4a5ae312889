package policies

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

// fixed adds the fix that a rule offers: `fix: {title, path, value}` gives a text
// another text, `fix: {title, path, remove: true}` takes an entry out. One that
// cannot be made surely in what was written is left out.
func fixed(f diag.Finding, about *syntax.Object, o ast.Object) diag.Finding {
	t := o.Get(ast.InternedTerm("fix"))
	if t == nil {
		return f
	}
	fix, ok := t.Value.(ast.Object)
	if !ok {
		return f
	}
	path, ok := pathOf(fix.Get(ast.InternedTerm("path")))
	if !ok || len(path) == 0 {
		return f
	}
	var e diag.Edit
	if value := textOf(fix, "value"); value != "" {
		e, ok = about.Replace(about.PathTo(path...), value)
	} else if remove := fix.Get(ast.InternedTerm("remove")); remove != nil && remove.Value.Compare(ast.Boolean(true)) == 0 {
		e, ok = about.Remove(about.PathTo(path...))
	} else {
		return f
	}
	if title := clip(textOf(fix, "title")); ok && title != "" {
		f = f.WithFix(title, e)
	}
	return f
}

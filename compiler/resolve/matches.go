package resolve

import (
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	smi "github.com/meshc/meshc/compiler/syntax"
)

// maxProgram is the most instructions a regular expression may have (row 20).
const maxProgram = 5000

// mostPatterns is how many expressions are remembered.
const mostPatterns = 10000

// routeGroup is an HTTPRouteGroup with its matches resolved; a match that has an
// error is nil: it grants nothing.
type routeGroup struct {
	*part
	obj     *smi.Object
	order   []string
	matches map[string]*ir.Match
}

// readGroup resolves a route group, also one that nobody names; nil: there is
// none of that name.
func (r *resolver) readGroup(id ir.ServiceID) *routeGroup {
	o, ok := r.find("HTTPRouteGroup", id.Namespace, id.Name)
	if !ok {
		return nil
	}
	g := &routeGroup{obj: o, matches: map[string]*ir.Match{}}
	g.part = r.unit(func() { r.readMatches(g) })
	return g
}

func (r *resolver) readMatches(g *routeGroup) {
	o := g.obj
	if o.HTTPRouteGroup == nil || !r.ours.Get(o.Namespace) {
		return
	}
	for i, m := range o.HTTPRouteGroup.Matches {
		if first, dup := g.matches[m.Name]; dup {
			r.report(diag.New("MSH1023", o.AtUnion("spec", "matches", i, "name"), "the group has two matches named %q", m.Name).
				WithEffect("rules that name it cannot tell which they mean: neither grants anything").
				WithHelp("give each match a name of its own").About(o.Ref(), pathString(o.PathTo("spec", "matches", i, "name"))))
			if first != nil {
				g.matches[m.Name] = nil
			}
			continue
		}
		g.order = append(g.order, m.Name)
		g.matches[m.Name] = r.match(o, i, m)
	}
}

func (r *resolver) match(o *smi.Object, i int, m smi.HTTPMatch) *ir.Match {
	name := "HTTPRouteGroup/" + o.Namespace + "/" + o.Name + "#" + m.Name
	r.origin(name, o, o.AtUnion("spec", "matches", i))
	out := &ir.Match{Name: name, Methods: methods(m.Methods)}
	path, ok := r.path(o, i, m.PathRegex)
	out.Path = path
	for j, h := range m.Headers {
		hm, good := r.header(o, i, j, h)
		ok = ok && good
		out.Headers = append(out.Headers, hm)
	}
	slices.SortFunc(out.Headers, func(a, b ir.HeaderMatch) int { return strings.Compare(a.Name, b.Name) })
	if !ok || o.Invalid {
		return nil
	}
	return out
}

// methods are sorted; `*` anywhere is any method.
func methods(written []string) []string {
	if slices.Contains(written, "*") {
		return nil
	}
	out := slices.Clone(written)
	slices.Sort(out)
	return slices.Compact(out)
}

// path makes the expression that must match a whole path (row 20).
func (r *resolver) path(o *smi.Object, i int, regex string) (string, bool) {
	if regex == "" {
		return "", true
	}
	at := []any{"spec", "matches", i, "pathRegex"}
	p, ok := r.pattern(o, at, regex)
	if !ok {
		return "", false
	}
	if p.literal != "" && p.literal[0] != '/' && p.literal[0] != '*' { // OPTIONS asks for the path `*`
		f := matchFinding(o, "MSH1018", at, "pathRegex %q cannot match: paths begin with a slash", diag.Clip(regex)).
			WithEffect("the match lets nothing through").WithHelp("write %q", diag.Clip("/"+strings.TrimPrefix(regex, "^")))
		r.report(f)
	}
	if p.query {
		r.report(matchFinding(o, "MSH1018", at, "pathRegex %q cannot match: it asks for a query, and paths are matched without theirs", diag.Clip(regex)).
			WithEffect("the match lets nothing through").WithHelp("end the expression before the question mark; queries cannot be matched"))
	}
	switch {
	case p.anything:
		return "", true
	case r.compat == ir.CompatOSM, p.open:
		return regex, true
	}
	r.report(matchFinding(o, "MSH1017", at, "pathRegex %q also allows longer paths", diag.Clip(regex)).
		WithEffect("what begins like it is allowed too: SMI anchors a path at its start only").
		WithHelp("end it with `$` to allow this path alone, or with `.*` to say that longer ones are meant"))
	return "(?:" + regex + ").*", true
}

func matchFinding(o *smi.Object, code diag.Code, path []any, format string, args ...any) diag.Finding {
	return diag.New(code, o.AtUnion(path...), format, args...).About(o.Ref(), pathString(o.PathTo(path...)))
}

// header makes a header match (row 21).
func (r *resolver) header(o *smi.Object, i, j int, h smi.Header) (ir.HeaderMatch, bool) {
	name := strings.ToLower(h.Name)
	if name == "host" {
		name = ":authority"
	}
	if ir.ProxyHeader(name) {
		r.report(matchFinding(o, "MSH1024", headerPath(o, i, j, h.Name), "no request holds a match on the header %s: proxies write it, or take it away", name).
			WithEffect("the match lets nothing through").WithHelp("match a header that only clients write, or what a certificate says, by `sources`"))
	}
	if h.Regex == "" {
		return ir.HeaderMatch{Name: name, Regex: ".*"}, true // present, whatever it says
	}
	_, ok := r.pattern(o, headerPath(o, i, j, h.Name), h.Regex)
	return ir.HeaderMatch{Name: name, Regex: h.Regex, Full: r.compat == ir.CompatOSM}, ok
}

// headerPath is the path of a header's value: headers may be a map, or a list of maps.
func headerPath(o *smi.Object, i, j int, name string) []any {
	inMap := []any{"spec", "matches", i, "headers", name}
	if o.AtUnion(inMap...) != o.AtUnion("spec", "matches", i, "headers") {
		return inMap
	}
	return []any{"spec", "matches", i, "headers", j, name}
}

// pattern is what is known of one regular expression as written.
type pattern struct {
	err      string
	size     int
	anything bool   // matches every path
	open     bool   // says itself how it ends: all alternatives end in `$` or `.*`
	literal  string // what every match begins with, "" if that varies
	query    bool   // every match holds a question mark
}

// pattern parses an expression once; a bad one is a finding at path.
func (r *resolver) pattern(o *smi.Object, path []any, regex string) (*pattern, bool) {
	p, ok := r.regexes[regex]
	if !ok {
		p = parsePattern(regex)
		if len(r.regexes) >= mostPatterns {
			clear(r.regexes) // a session may see very many in its life
		}
		r.regexes[regex] = p
	}
	switch {
	case p.err != "":
		r.report(matchFinding(o, "MSH1015", path, "%q is not a RE2 expression: %s", diag.Clip(regex), diag.Clip(p.err)).
			WithEffect("the match lets nothing through").
			WithHelp("RE2 has no look-ahead and no back-references; a literal dot is written `\\.`"))
	case p.size > maxProgram:
		r.report(matchFinding(o, "MSH1016", path, "the expression has %d instructions, more than %d", p.size, maxProgram).
			WithEffect("the match lets nothing through: proxies refuse expressions this large").
			WithHelp("use smaller repetition counts, or several matches"))
	default:
		return p, true
	}
	return nil, false
}

func parsePattern(regex string) *pattern {
	re, err := syntax.Parse(regex, syntax.Perl)
	if err != nil {
		return &pattern{err: strings.TrimPrefix(err.Error(), "error parsing regexp: ")}
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return &pattern{err: err.Error()}
	}
	size, err := ir.ExpressionSize(regex)
	if err != nil {
		return &pattern{err: err.Error()}
	}
	if size <= ir.ProgramLimit {
		size = len(prog.Inst)
	}
	return &pattern{size: size, anything: isAnything(re), open: endsOpen(re), literal: literalStart(re), query: needsQuery(re)}
}

func isAnything(re *syntax.Regexp) bool {
	return re.Op == syntax.OpStar && (re.Sub[0].Op == syntax.OpAnyChar || re.Sub[0].Op == syntax.OpAnyCharNotNL)
}

// endsOpen tells whether every alternative ends in `$` or `.*`: then a full match
// of the expression is the prefix match that SMI means.
func endsOpen(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEndText:
		return true
	case syntax.OpConcat:
		return endsOpen(re.Sub[len(re.Sub)-1])
	case syntax.OpCapture:
		return endsOpen(re.Sub[0])
	case syntax.OpAlternate:
		return !slices.ContainsFunc(re.Sub, func(s *syntax.Regexp) bool { return !endsOpen(s) })
	}
	return isAnything(re)
}

// literalStart is the text every match begins with.
func literalStart(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune)
	case syntax.OpCapture:
		return literalStart(re.Sub[0])
	case syntax.OpConcat:
		for _, s := range re.Sub {
			if s.Op != syntax.OpBeginText {
				return literalStart(s)
			}
		}
	}
	return ""
}

// needsQuery tells whether every match of the expression holds a question mark.
func needsQuery(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return slices.Contains(re.Rune, '?')
	case syntax.OpCapture, syntax.OpPlus:
		return needsQuery(re.Sub[0])
	case syntax.OpConcat:
		return slices.ContainsFunc(re.Sub, needsQuery)
	}
	return false
}

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/allow"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/verdict"
)

type allowFlags struct {
	report  *reportFlags
	compile *compileFlags
	output  string
	dryRun  bool
	audit   string
	write   bool
	headers []string
}

func newAllowCmd(s streams) *cobra.Command {
	f := &allowFlags{}
	cmd := &cobra.Command{
		Use:   "allow FROM TO [METHOD PATH] [SOURCE...]",
		Short: "Write the grant that lets one workload call another",
		Long: `Write the grant that lets FROM send METHOD PATH to TO, and nothing more: a match in
a TrafficTarget that is theirs alone, or a new TrafficTarget and HTTPRouteGroup beside
what is there; and a row for the verdict table. What is written by hand keeps its
comments and layout. The result is compiled, and what it newly allows is told.

FROM is NAMESPACE/SERVICEACCOUNT or a SPIFFE id, TO is NAMESPACE/SERVICE:PORT (without
:PORT if the service has one port). PATH is one path, as it stands; leave METHOD and
PATH out for the bytes of a TCP port. What does not exist, what is allowed already and
what a verdict table says is denied is refused, and nothing is written. With -H only
requests with these headers are let in; a client chooses its headers itself.

Where the objects are items of a List the new ones are too. Of what a kustomization
renders, the resource that it was made of is edited, and its own before those of its
bases; what a patch or a generator makes is refused, with the place to edit. What an
edit allows in other environments of meshc.yaml is told as well.

--from-audit reads the access log of servers' proxies and proposes grants for what
audit mode let through for lack of one, by caller, service, method and path. Where
paths differ by a number or a random name, the proposed expression takes any such,
and says that it is wider than what was seen. Proposals are written with --write.`,
		Example: `  meshc allow bookthief/bookthief bookstore/bookstore-v1 GET /books --dry-run examples/01-bookstore
  meshc allow bookstore/bookstore-v1 bookwarehouse/mysql --dry-run examples/01-bookstore
  meshc allow bookthief/bookthief bookstore/bookstore-v1 GET /books -H 'client-app: thief' --dry-run examples/01-bookstore
  meshc allow --from-audit examples/05-permissive-to-strict/access.log examples/05-permissive-to-strict`,
		Args: func(_ *cobra.Command, args []string) error {
			if f.audit == "" && len(args) < 2 {
				return fmt.Errorf("it takes FROM and TO, or --from-audit LOG")
			}
			return nil
		},
	}
	f.report = addReportFlags(cmd)
	f.compile = addCompileFlags(cmd)
	cmd.Flags().StringArrayVarP(&f.headers, "header", "H", nil, "let in only requests with the header `NAME:VALUE`; repeatable")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "write nothing, print what would change as a unified diff")
	cmd.Flags().StringVar(&f.audit, "from-audit", "", "propose grants for what the access log `FILE` (- for standard input) says audit mode let through")
	cmd.Flags().BoolVar(&f.write, "write", false, "with --from-audit: write what is proposed")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "`FORMAT` of what is done: text or json")
	cmd.RunE = func(_ *cobra.Command, args []string) error { return f.run(s, args) }
	return cmd
}

func (f *allowFlags) run(s streams, args []string) error {
	switch {
	case !slices.Contains([]string{"text", "json"}, f.output):
		return usage(fmt.Errorf("-o %q is none of text, json", f.output))
	case f.write && (f.audit == "" || f.dryRun):
		return usage(fmt.Errorf("--write goes with --from-audit, and not with --dry-run"))
	}
	if f.audit != "" {
		return f.fromAudit(s, args)
	}
	ask := canFlags{output: "text", headers: f.headers}
	q, err := ask.parse(args)
	if err != nil {
		return usage(err)
	}
	g, err := f.open(s, q.sources)
	if err != nil {
		return err
	}
	question, err := g.question(q, args)
	if err != nil {
		return usage(err)
	}
	if found := g.add(question); len(found) > 0 {
		return f.refuse(s, g, found)
	}
	return f.finish(s, g, f.dryRun, nil)
}

// refuse tells why nothing is written.
func (f *allowFlags) refuse(s streams, g *granting, found diag.List) error {
	if err := f.report.emit(s, found, g.text); err != nil {
		return err
	}
	return failed(exitFindings) // whatever --fail-on says: it was not done
}

// granting is a tree to which grants are added.
type granting struct {
	*compilation
	before  *ir.Mesh
	tree    *source.Tree
	after   *compiler.Result
	found   diag.List // of the compilation after
	asked   string    // the command line, for findings that point into it
	touched []string  // files, in order of name
	// edited is what files hold that were there, by path; elsewhere what the edits
	// allow in other environments.
	edited    map[string][]byte
	elsewhere []allowedElsewhere
}

func (f *allowFlags) open(s streams, sources []string) (*granting, error) {
	c, err := f.compile.compile(s, f.report, sources)
	if err != nil {
		return nil, err
	}
	if c.Plan == nil {
		if err := c.report(s, f.report); err != nil && exitCode(err) == exitUsage {
			return nil, err
		}
		return nil, engine(fmt.Errorf("the sources have errors: mend these first"))
	}
	return &granting{compilation: c, before: c.Mesh, tree: c.Tree, after: c.Result, found: c.Findings, edited: map[string][]byte{}}, nil
}

// question is what the arguments ask, with their places on the command line.
func (g *granting) question(q asked, args []string) (allow.Question, error) {
	g.asked = "meshc allow " + strings.Join(args, " ")
	at := func(i int) diag.Span {
		col := len([]rune("meshc allow ")) + 1
		for _, a := range args[:i] {
			col += len([]rune(a)) + 1
		}
		return diag.Span{File: commandLine, Line: 1, Col: col, EndLine: 1, EndCol: col + len([]rune(args[i]))}
	}
	out := allow.Question{From: at(0), To: at(1), What: at(1)}
	if q.http != nil {
		out.What = at(2)
	}
	var err error
	if out.Request, err = q.named(g.Mesh); err != nil {
		return out, err
	}
	out.Request.HTTP = q.http
	return out, nil
}

// commandLine is what findings call the arguments.
const commandLine = "command line"

func (g *granting) text(name string) ([]byte, bool) {
	if name == commandLine {
		return []byte(g.asked + "\n"), true
	}
	if b, ok := g.tree.Text(name); ok {
		return b, true
	}
	return g.compilation.text(name)
}

// add writes one grant into the tree, in memory, and compiles it. Where anything is
// wrong the tree stays as it was.
func (g *granting) add(q allow.Question) diag.List {
	files, _ := syntax.Parse(g.tree) // its findings are among the compilation's
	edits, found := allow.Write(allow.Mesh{Tree: g.tree, Files: files, Mesh: g.after.Mesh, Tables: g.after.Tables}, q)
	if len(found) > 0 {
		return found
	}
	edited := maps.Clone(g.edited)
	for _, e := range edits {
		edited[e.Path] = e.Data
	}
	tree, faults := g.with(edited, g.tree, g.compilation.Tree.Environment)
	if len(faults) > 0 {
		return faults
	}
	after, findings := compiler.Compile(tree, g.Lock.Known, compiler.Options{Now: g.Now})
	if after.Plan == nil {
		return onlyErrors(findings)
	}
	if v := ir.Decide(allow.Strict(after.Mesh), q.Request); v.Outcome != ir.Allow {
		return diag.List{diag.New("MSH4652", q.What, "a grant by itself does not let it in: %s", v.Reason)}
	}
	if broken := g.contradicted(after); len(broken) > 0 {
		return broken
	}
	elsewhere, broken := g.inOthers(edited)
	if len(broken) > 0 {
		return broken
	}
	g.elsewhere, g.edited = elsewhere, edited
	for _, e := range edits {
		if !slices.Contains(g.touched, e.Path) {
			g.touched = append(g.touched, e.Path)
		}
	}
	slices.Sort(g.touched)
	g.tree, g.after, g.found = tree, after, findings
	return nil
}

// contradicted are the cases that hold before and no more.
func (g *granting) contradicted(after *compiler.Result) diag.List {
	held, err := verdict.Run(g.after.Tables, g.after.Mesh, g.after.Plan)
	if err != nil {
		return diag.List{diag.New(compiler.CodeInternal, diag.Span{File: commandLine, Line: 1, Col: 1}, "%v", err)}
	}
	failing := map[string]bool{}
	for i := range held {
		failing[held[i].Table+"/"+held[i].Name] = held[i].Failed()
	}
	cases, err := verdict.Run(after.Tables, after.Mesh, after.Plan)
	if err != nil {
		return diag.List{diag.New(compiler.CodeInternal, diag.Span{File: commandLine, Line: 1, Col: 1}, "%v", err)}
	}
	var out diag.List
	for i := range cases {
		c := &cases[i]
		was, known := failing[c.Table+"/"+c.Name]
		if c.Failed() && known && !was {
			out.Add(diag.New("MSH4653", c.At, "case %q expects %s, and the grant makes it %s", c.Name, c.Want.Expect, c.Mesh.Outcome).
				WithEffect("nothing was written").WithHelp("change the case first, if what it says is no longer meant"))
		}
	}
	return out
}

// widened is what the new grants allow, as if audit mode let nothing through.
func (g *granting) widened() diff.Changes {
	return diff.Meshes(allow.Strict(g.before), allow.Strict(g.after.Mesh))
}

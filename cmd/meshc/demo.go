package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab"
)

// The demo's hero loses its grant: these lines of the story stand in one place.
const (
	demoBuyer  = "bookbuyer"
	demoPolicy = "manifests/policy-bookstore.yaml"
)

func newDemoCmd(s streams) *cobra.Command {
	var example string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the bookstore on real Envoys on this machine, and take a grant away",
		Long: `Compile the bookstore example and run it on real Envoys on this machine: print who
may call whom as compiled beside what the Envoys answered, measure the split, remove
the buyer's grant from a copy of the manifest, apply the change live, and show the
call refused. Nothing is left behind.`,
		Example: "  meshc demo\n  meshc demo --rootless",
		Args:    cobra.NoArgs,
	}
	flags := addLabFlags(cmd)
	cmd.Flags().StringVar(&example, "example", "examples/01-bookstore", "`FOLDER` of the bookstore example")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		dir, err := os.MkdirTemp("", "meshc-demo-")
		if err != nil {
			return input(err)
		}
		defer os.RemoveAll(dir)
		if err := os.CopyFS(dir, os.DirFS(example)); err != nil {
			return input(fmt.Errorf("the bookstore example: %w", err))
		}
		d := &demo{streams: s, dir: dir, report: &reportFlags{failOn: "error", color: "auto"}, compile: &compileFlags{}}
		ctx, stop := untilStopped(cmd)
		defer stop()
		return d.run(ctx, flags)
	}
	return cmd
}

// demo is one telling of the story, on a copy of the example in dir.
type demo struct {
	streams
	dir     string
	report  *reportFlags
	compile *compileFlags
	lab     *lab.Lab
}

func (d *demo) run(ctx context.Context, flags *labFlags) (err error) {
	d.say("1. compile the manifests, and start a mesh of them on this machine")
	opts, err := flags.options(d.quiet(), d.report, d.compile, []string{d.dir})
	if err != nil {
		return err
	}
	opts.Name = "demo"
	opts.Progress = nil
	start := time.Now()
	if d.lab, err = lab.Up(ctx, opts); err != nil {
		return engine(err)
	}
	defer func() {
		if down := d.lab.Down(); down != nil && err == nil {
			err = engine(down)
		}
		if err == nil {
			d.say("\nthe lab is gone: no process, namespace or file of it is left")
		}
	}()
	fmt.Fprintf(d.Out, "   %d pods, each with an Envoy of its own, after %.1f s\n", len(d.lab.Topology().Pods), time.Since(start).Seconds())
	if err := d.verdicts(ctx); err != nil {
		return err
	}
	return d.takeAway()
}

// verdicts asks the table's questions and prints both columns.
func (d *demo) verdicts(ctx context.Context) error {
	d.say("\n2. who may call whom: as compiled, and as the Envoys answered")
	report, err := d.lab.Test(ctx)
	if err != nil {
		return engine(err)
	}
	w := tabwriter.NewWriter(d.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "   COMPILED\tENVOYS\tWHO MAY CALL WHOM")
	for _, c := range report.Cases {
		fmt.Fprintf(w, "   %s\t%s\t%s\n", c.Compiled, c.Live, c.Question)
		for _, name := range c.By {
			fmt.Fprintf(w, "   \t\t  because of %s\n", name)
		}
	}
	w.Flush()
	for _, c := range report.Cases {
		if len(c.Shares) > 1 && c.Requests >= 1000 {
			fmt.Fprintf(d.Out, "\n   the split, measured over %d requests: %s\n", c.Requests, sharesText(c.Shares, c.Requests))
		}
	}
	if n := report.Failed(); n > 0 {
		report.Print(d.Out)
		return engine(fmt.Errorf("%d verdicts do not hold on real Envoys", n))
	}
	return nil
}

func sharesText(shares map[string]int, total int) string {
	var parts []string
	for name, n := range shares {
		parts = append(parts, fmt.Sprintf("%s %.1f%%", name, 100*float64(n)/float64(total)))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// takeAway removes the buyer's targets from the manifest, applies it, and asks again.
func (d *demo) takeAway() error {
	d.say("\n3. remove the buyer's grant from the manifest, and apply the change live")
	request, err := d.buyersRequest()
	if err != nil {
		return engine(err)
	}
	if err := d.tell("before", request, ir.Allow); err != nil {
		return err
	}
	if err := dropTargetsOf(filepath.Join(d.dir, filepath.FromSlash(demoPolicy)), demoBuyer); err != nil {
		return input(err)
	}
	before := d.lab.Compiled().Mesh
	c, err := d.compile.compile(d.quiet(), d.report, []string{d.dir})
	if err != nil {
		return err
	}
	start := time.Now()
	if err := d.lab.Apply(c.Tree); err != nil {
		return engine(err)
	}
	took := time.Since(start)
	for _, difference := range lab.Differences(before, d.lab.Compiled().Mesh) {
		fmt.Fprintf(d.Out, "   %s\n", difference)
	}
	fmt.Fprintf(d.Out, "   every proxy acknowledged after %d ms\n", took.Milliseconds())
	return d.tell("after", request, ir.Deny)
}

// buyersRequest is the first request of the table that the buyer may send.
func (d *demo) buyersRequest() (ir.Request, error) {
	mesh := d.lab.Compiled().Mesh
	from := ir.NewIdentity(mesh.Settings.TrustDomain, demoBuyer, demoBuyer)
	r := ir.Request{
		From: from, To: ir.PortID{Service: ir.ServiceID{Namespace: "bookstore", Name: "bookstore"}, Port: 14001},
		HTTP: &ir.HTTPRequest{Method: "GET", Path: "/buy-a-book/new"},
	}
	if v := ir.Decide(mesh, r); v.Outcome != ir.Allow {
		return r, fmt.Errorf("the example is not the bookstore: %s", v.Reason)
	}
	return r, nil
}

// tell sends the request once and prints what came back; another outcome than
// the story's is a failure of the demo.
func (d *demo) tell(when string, r ir.Request, want ir.Outcome) error {
	observed, err := d.lab.Request(r, 1)
	if err != nil {
		return engine(err)
	}
	got, broken := observed.Outcome()
	answer := observed.Results[0]
	said := firstLine(answer.Body)
	if seen := observed.Seen[0]; seen.Reached {
		said = "answered by " + seen.Pod
	}
	fmt.Fprintf(d.Out, "   %s: %s %s at %s is %d: %s\n", when, r.HTTP.Method, r.HTTP.Path, r.To, answer.Status, said)
	if got != want {
		return engine(fmt.Errorf("the Envoys say %s %s, the policy says %s", got, broken, want))
	}
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// dropTargetsOf removes the documents of a manifest that are TrafficTargets with
// a source in the namespace, and leaves every other byte as it was.
func dropTargetsOf(path, namespace string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var kept [][]byte
	for _, document := range bytes.Split(data, []byte("---\n")) {
		_, sources, target := bytes.Cut(document, []byte("sources:"))
		if target && bytes.Contains(document, []byte("kind: TrafficTarget")) && bytes.Contains(sources, []byte("namespace: "+namespace+"\n")) {
			continue
		}
		kept = append(kept, document)
	}
	if len(kept) == bytes.Count(data, []byte("---\n"))+1 {
		return errors.New(path + " holds no TrafficTarget of " + namespace)
	}
	return os.WriteFile(path, bytes.Join(kept, []byte("---\n")), fs.FileMode(0o644))
}

func (d *demo) say(text string) { fmt.Fprintln(d.Out, text) }

// quiet drops the findings' text: the demo's manifests have hints only, which
// `meshc check` shows. Errors still end the run by their exit code.
func (d *demo) quiet() streams {
	s := d.streams
	s.Err = errorsOnly{d.Err}
	return s
}

// errorsOnly passes a report on only when it speaks of an error.
type errorsOnly struct{ io.Writer }

func (e errorsOnly) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(diag.Error.String()+"[")) {
		return e.Writer.Write(p)
	}
	return len(p), nil
}

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/bundle/signature"
)

type buildFlags struct {
	compile *compileFlags
	output  string
	allEnvs bool
	lockedFlags
	signFlags
	envoy   string
	signers []signature.Signer
	idle    idle
}

const buildHelp = `Compile SMI manifests into a bundle: a folder with the Envoy configuration of
every identity, versioned by its digest.

PATH is a file, a folder, a folder with a kustomization, or - for standard input;
the working directory if there is none. A folder with a meshc.yaml is ruled by
it. All findings of a run are reported at once. Where one is at or above
--fail-on, nothing is written and what is at DIR stays; else the new bundle
takes its place in one step.

Equal policy has an equal policy digest, whatever the names and the order of its
files. The bundle digest also covers positions, inputs, revision and the day of
the judgement; SOURCE_DATE_EPOCH stands for the clock where builds must be equal
byte for byte.

--sign puts a signature of the bundle digest into the bundle; servers that were
started with --trust take no other. A server takes no bundle of a smaller epoch
than the one it serves. It is the time of the Git commit that the sources are of,
which clocks and rebasing can turn back: where a pipeline counts its runs, say
--epoch.

Every build compares the configuration with what the mesh means, request by
request. With --envoy, an Envoy judges it too, in its validation mode, once for
each distinct configuration of a proxy; what it took is remembered in the user's
cache folder.`

func newBuildCmd(s streams) *cobra.Command {
	f := &buildFlags{}
	cmd := &cobra.Command{
		Use:   "build [PATH...] -o DIR",
		Short: "Compile manifests into a bundle",
		Long:  buildHelp,
		Example: `  meshc build examples/01-bookstore -o ./bundle
  meshc build examples/04-kustomize-overlays --all-envs -o ./bundles
  meshc build examples/01-bookstore -o ./bundle --sign mesh.key --provenance bundle.intoto.json
  helm template shop | meshc build - -o ./bundle`,
	}
	report := addReportFlags(cmd)
	f.compile = addCompileFlags(cmd)
	f.compile.judging = addJudgingFlags(cmd)
	f.lockedFlags.add(cmd)
	f.signFlags.add(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "folder `DIR` to write the bundle to")
	cmd.Flags().BoolVar(&f.allEnvs, "all-envs", false, "build every environment of meshc.yaml, each to DIR/NAME")
	// Hidden: a build judges and proves itself; only who measures what that costs may leave it out.
	cmd.Flags().BoolVar(&f.compile.noRules, "no-rules", false, "leave out the rules (for benchmarks)")
	cmd.Flags().BoolVar(&f.compile.noVerify, "no-verify", false, "do not compare the configuration with the mesh (for benchmarks)")
	for _, name := range []string{"no-rules", "no-verify"} {
		_ = cmd.Flags().MarkHidden(name)
	}
	cmd.Flags().StringVar(&f.envoy, "envoy", "", "let the Envoy `BINARY` validate the configuration of every proxy")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		signers, err := f.signFlags.check()
		if err != nil {
			return err
		}
		f.signers = signers
		switch {
		case f.output == "":
			return usage(errors.New("build needs -o DIR, the folder to write the bundle to"))
		case f.allEnvs && f.compile.env != "":
			return usage(errors.New("--env and --all-envs exclude each other"))
		case f.allEnvs:
			return f.buildAll(s, report, args)
		}
		if err := f.apart(nil); err != nil {
			return err
		}
		if err := f.compile.judging.prepare(s, f.compile, report, args, []string{f.compile.env}); err != nil {
			return err
		}
		return f.build(s, report, args, f.compile.env, f.output)
	}
	return cmd
}

// buildAll builds every environment. The first failure's code is the run's; the
// others are built nevertheless, so that one run shows all findings.
func (f *buildFlags) buildAll(s streams, report *reportFlags, paths []string) error {
	names, err := environments(s, paths)
	if err != nil {
		return err
	}
	if err := f.apart(names); err != nil {
		return err
	}
	if err := f.compile.judging.prepare(s, f.compile, report, paths, names); err != nil {
		return err
	}
	var first error
	f.idle.left = len(names)
	for _, env := range names {
		if err := f.build(s, report, paths, env, filepath.Join(f.output, env)); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (f *buildFlags) build(s streams, report *reportFlags, paths []string, env, dir string) error {
	c, err := f.compile.compileEnvironment(s, report, paths, env)
	if err != nil {
		return err
	}
	c.Findings = f.idle.of(c.Findings)
	c.Findings.Add(f.lockedFlags.check(c)...)
	if err := f.validate(c); err != nil {
		return err
	}
	if err := c.report(s, report); err != nil {
		return err
	}
	if c.Plan == nil { // an error below --fail-on does not exist; this is a defect
		return engine(errors.New("the compiler gave neither a plan nor an error"))
	}
	b, err := c.pack(f.origin(c.inputs()))
	if err == nil {
		b, err = sign(b, f.signers)
	}
	if err != nil {
		return engine(err)
	}
	if err := f.write(b, dir, env); err != nil {
		return err
	}
	m := b.Manifest
	fmt.Fprintf(s.Out, "%s: mesh %q, %s, %s, %s\npolicy digest %s\n%s\n", dir, m.Mesh,
		plural(len(b.Mesh.Services), "service"), plural(len(b.Mesh.Grants), "grant"), plural(len(b.Plan.Resources), "resource"), m.PolicyDigest, ancestry(m))
	return nil
}

// write puts the bundle at dir, and its provenance where it was asked for.
func (f *buildFlags) write(b *bundle.Bundle, dir, env string) error {
	if err := writeBundle(dir, b); err != nil {
		return err
	}
	path := f.provenance
	if path == "" {
		return nil
	}
	if f.allEnvs {
		path = filepath.Join(path, env+".intoto.json")
	}
	return f.tell(b, f.signers, path)
}

// writeBundle puts a bundle at dir.
func writeBundle(dir string, b *bundle.Bundle) error {
	switch err := bundle.Write(dir, b); {
	case errors.Is(err, bundle.ErrNotBundle):
		return usage(fmt.Errorf("%w: name another folder, or empty it", err))
	case err != nil:
		return input(err)
	}
	return nil
}

// ancestry is where a bundle stands in time.
func ancestry(m bundle.Manifest) string {
	out := fmt.Sprintf("epoch %d", m.Epoch)
	if m.Epoch == 0 {
		out = "no epoch: the sources are in no Git commit, and --epoch is not given"
	}
	if m.Revision != "" {
		out += ", revision " + m.Revision
	}
	return out
}

// validate shows the configuration of every proxy to an Envoy, and adds what it
// has against them to the findings.
func (f *buildFlags) validate(c *compilation) error {
	if f.envoy == "" || c.Plan == nil {
		return nil
	}
	v, err := newValidator(f.envoy)
	if err != nil {
		return usage(fmt.Errorf("--envoy: %w", err))
	}
	b, err := c.pack(revision{}) // the same configuration, whatever its age
	if err != nil {
		return engine(err)
	}
	configs, err := proxyConfigs(b)
	if err != nil {
		return engine(err)
	}
	refused, err := v.judge(configs)
	if err != nil {
		return engine(err)
	}
	c.Findings.Add(refused...)
	return nil
}

// inputs are the bytes that were compiled.
func (c *compilation) inputs() []sourceFile {
	var out []sourceFile
	for _, name := range c.Tree.Names() {
		if data, ok := c.Tree.Text(name); ok {
			out = append(out, sourceFile{name, data})
		}
	}
	if c.Lock.Data != nil {
		out = append(out, sourceFile{c.Lock.Path, c.Lock.Data})
	}
	return out
}

// pack makes the bundle of a compilation without errors.
func (c *compilation) pack(from revision) (*bundle.Bundle, error) {
	in := bundle.Input{
		Mesh: c.Mesh, Plan: c.Plan, Findings: c.Findings, Environment: c.Config.Environment,
		Revision: from.Name, Epoch: from.Epoch, Judged: c.Now.Format(time.DateOnly), Lock: c.Lock.Known.Header,
	}
	for _, file := range c.inputs() {
		in.Inputs = append(in.Inputs, bundle.NewFile(file.path, file.data))
	}
	return bundle.Pack(in)
}

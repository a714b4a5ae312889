package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/chart"
	"github.com/meshc/meshc/deploy/install"
)

// connectFlags say which cluster a verb works on.
type connectFlags struct{ kubeconfig, context string }

func (f *connectFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.kubeconfig, "kubeconfig", "", "`FILE` that says how the cluster is reached (default KUBECONFIG, ~/.kube/config, or the pod's own account)")
	cmd.Flags().StringVar(&f.context, "context", "", "`NAME` of the context in it (default the current one)")
}

func (f *connectFlags) open() (*api.Client, error) {
	c, err := api.Open(f.kubeconfig, f.context)
	if err != nil {
		return nil, input(err)
	}
	return c, nil
}

// controlFlags say where the control plane is.
type controlFlags struct {
	connectFlags
	namespace string
}

func (f *controlFlags) add(cmd *cobra.Command) {
	f.connectFlags.add(cmd)
	cmd.Flags().StringVarP(&f.namespace, "namespace", "n", install.Namespace, "`NAMESPACE` of the control plane")
}

// valueFlags are the chart's values.
type valueFlags struct {
	files, set, setString []string
}

func (f *valueFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.files, "values", "f", nil, "`FILE` with values of the chart, - for standard input; repeatable, later ones count")
	flags.StringArrayVar(&f.set, "set", nil, "a value of the chart as `NAME=VALUE`: a.b=c,d=e; repeatable")
	flags.StringArrayVar(&f.setString, "set-string", nil, "the same, taken as a text whatever `NAME=VALUE` looks like")
}

// read is what the flags say of values, and who said each.
func (f *valueFlags) read(s streams) (said []saidValues, err error) {
	names, texts, err := manifestTexts(s, f.files)
	if err != nil {
		return nil, input(err)
	}
	for _, name := range names {
		values, err := chart.Parse(texts[name])
		if err != nil {
			return nil, input(fmt.Errorf("%s: %w", name, err))
		}
		said = append(said, saidValues{name, values})
	}
	for _, list := range []struct {
		flag  string
		words []string
		text  bool
	}{{"--set", f.set, false}, {"--set-string", f.setString, true}} {
		for _, w := range list.words {
			values, err := chart.Set(w, list.text)
			if err != nil {
				return nil, usage(fmt.Errorf("%s: %w", list.flag, err))
			}
			said = append(said, saidValues{list.flag + " " + w, values})
		}
	}
	return said, nil
}

// saidValues are values and who said them.
type saidValues struct {
	where  string
	values chart.Object
}

// judged are values that the chart takes, or findings of why not.
func judged(said []saidValues) (chart.Object, diag.List, error) {
	values, err := chart.Defaults()
	if err != nil {
		return nil, nil, err
	}
	for _, s := range said {
		values = chart.Merge(values, s.values)
	}
	faults, err := chart.Check(values)
	if err != nil {
		return nil, nil, err
	}
	var found diag.List
	for _, f := range faults {
		found.Add(diag.New("MSH4112", diag.Span{File: sayer(said, f.Path)}, "%s %s", strings.Join(f.Path, "."), f.Says))
	}
	for _, name := range []string{"image", "envoyImage"} {
		if image, _ := values[name].(string); image != "" && !strings.Contains(image, "@sha256:") {
			found.Add(diag.New("MSH4113", diag.Span{File: sayer(said, []string{name})}, "%s %q is a tag", name, image))
		}
	}
	return values, found, nil
}

// sayer is who said a value last.
func sayer(said []saidValues, path []string) string {
	for _, s := range slices.Backward(said) {
		if at := api.At(s.values, path...); at != nil {
			return s.where
		}
	}
	return "values.yaml"
}

type installFlags struct {
	controlFlags
	valueFlags
	dryRun, wait bool
	timeout      time.Duration
}

func newInstallCmd(s streams) *cobra.Command {
	f := &installFlags{}
	cmd := &cobra.Command{
		Use:   "install --set image=IMAGE",
		Short: "Put the control plane into a cluster",
		Long: `Put the control plane into a cluster: definitions, roles, the controller with two
replicas, webhooks, and the object of kind Mesh. It is what the Helm chart in
deploy/chart makes, applied by server-side apply. Done again it changes what differs
and deletes what it made before and is no longer wanted.

It refuses where another control plane of meshc is installed, and where Open Service
Mesh or Traefik Mesh works on the same namespaces. Namespaces join the mesh by
"meshc namespace add".`,
		Example: "  meshc install --set image=registry.example/meshc:dev --dry-run\n  meshc install --set image=registry.example/meshc:dev --wait\n  meshc install -f values.yaml --set mesh.spec.mode=permissive",
		Args:    cobra.NoArgs,
	}
	f.controlFlags.add(cmd)
	f.valueFlags.add(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the manifests; no cluster is asked")
	flags.BoolVar(&f.wait, "wait", false, "wait until the control plane is available")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long --wait waits")
	report := addReportFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		said, err := f.read(s)
		if err != nil {
			return err
		}
		plan, found, err := f.plan(said)
		if err != nil {
			return err
		}
		if err := report.emit(s, report.worth(found), nil); err != nil || plan == nil {
			return err
		}
		if f.dryRun {
			text, err := plan.Print()
			if err != nil {
				return engine(err)
			}
			_, err = fmt.Fprint(s.Out, text)
			return err
		}
		return f.run(cmd.Context(), s, plan, report)
	}
	return cmd
}

// plan is what the values ask for; none where they do not fit.
func (f *installFlags) plan(said []saidValues) (*install.Plan, diag.List, error) {
	values, found, err := judged(said)
	if err != nil {
		return nil, nil, engine(err)
	}
	if max, ok := found.Max(); ok && max == diag.Error {
		return nil, found, nil
	}
	plan, err := install.NewPlan(f.namespace, values)
	if err != nil {
		found.Add(diag.New("MSH4112", diag.Span{File: "values.yaml"}, "%v", err))
		return nil, found, nil
	}
	return plan, found, nil
}

// run applies a plan to the cluster.
func (f *installFlags) run(ctx context.Context, s streams, plan *install.Plan, report *reportFlags) error {
	c, err := f.open()
	if err != nil {
		return err
	}
	before, err := install.Installed(ctx, c, f.namespace)
	if err != nil {
		return input(err)
	}
	found, err := install.Refuse(ctx, c, plan, before)
	if err != nil {
		return input(err)
	}
	if err := report.emit(s, found, nil); err != nil {
		return err
	}
	_, err = install.Apply(ctx, c, plan, before, install.Options{Tell: func(c install.Change) { fmt.Fprintln(s.Out, c) }})
	if err != nil {
		return input(err)
	}
	if !f.wait {
		return nil
	}
	return f.await(ctx, s, c, report)
}

// await waits for the control plane.
func (f *installFlags) await(ctx context.Context, s streams, c *api.Client, report *reportFlags) error {
	fmt.Fprintf(s.Err, "waiting up to %s for the control plane\n", f.timeout)
	missing, err := install.Wait(ctx, c, f.namespace, f.timeout)
	if err != nil {
		return input(err)
	}
	if err := report.emit(s, missing, nil); err != nil {
		return err
	}
	fmt.Fprintln(s.Out, "the control plane is available")
	return nil
}

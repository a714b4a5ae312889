package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/deploy/api"
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

type installFlags struct {
	controlFlags
	valueFlags
	dryRun, wait bool
	timeout      time.Duration
	report       *reportFlags
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
	f.report = addReportFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		said, err := f.read(s)
		if err != nil {
			return err
		}
		plan, found, err := f.plan(said)
		if err != nil {
			return err
		}
		if err := f.report.emit(s, f.report.worth(found), nil); err != nil || plan == nil {
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
		return f.run(cmd.Context(), s, plan)
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
func (f *installFlags) run(ctx context.Context, s streams, plan *install.Plan) error {
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
	if err := f.report.emit(s, found, nil); err != nil {
		return err
	}
	return f.carryOut(ctx, s, c, plan, before)
}

// carryOut applies a plan that nothing speaks against.
func (f *installFlags) carryOut(ctx context.Context, s streams, c *api.Client, plan *install.Plan, before *install.Record) error {
	_, err := install.Apply(ctx, c, plan, before, install.Options{Tell: func(c install.Change) { fmt.Fprintln(s.Out, c) }})
	if err != nil {
		return input(err)
	}
	if !f.wait {
		return nil
	}
	fmt.Fprintf(s.Err, "waiting up to %s for the control plane\n", f.timeout)
	missing, err := install.Wait(ctx, c, f.namespace, f.timeout)
	if err != nil {
		return input(err)
	}
	if err := f.report.emit(s, missing, nil); err != nil {
		return err
	}
	fmt.Fprintln(s.Out, "the control plane is available")
	return nil
}

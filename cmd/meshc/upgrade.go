package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/catalog/kube"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/control"
	"github.com/meshc/meshc/deploy/install"
	"github.com/meshc/meshc/gitops/live"
)

func newUpgradeCmd(s streams) *cobra.Command {
	f := &installFlags{}
	var plan, reset bool
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Change the control plane of a cluster, or show what would change",
		Long: `Change the control plane to that of this meshc, with the values that it was installed
with and those that are given now. Replicas are replaced one by one; proxies keep what
they have meanwhile. What is no longer wanted is deleted, policy never.

With --plan nothing is changed. It shows each object that would be other, field by
field, as the API server would have it; and what proxies would be sent: the bundle that
the control plane serves is compared with what this meshc makes of the same cluster.`,
		Example: "  meshc upgrade --plan\n  meshc upgrade --set image=registry.example/meshc:next --wait\n  meshc upgrade --set replicas=3",
		Args:    cobra.NoArgs,
	}
	f.controlFlags.add(cmd)
	f.valueFlags.add(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&plan, "plan", false, "show what would change, and change nothing")
	flags.BoolVar(&reset, "reset-values", false, "forget the values of the installation; only those given now hold")
	flags.BoolVar(&f.wait, "wait", false, "wait until the control plane is available")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long --wait waits")
	f.report = addReportFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.upgrade(cmd.Context(), s, plan, reset) }
	return cmd
}

// upgrade changes what is installed, or with plan shows what would be other.
func (f *installFlags) upgrade(ctx context.Context, s streams, plan, reset bool) error {
	c, err := f.open()
	if err != nil {
		return err
	}
	before, err := install.Installed(ctx, c, f.namespace)
	if err != nil {
		return input(err)
	}
	if before == nil {
		return usage(errors.New("meshc install put nothing into namespace " + f.namespace + ": there is nothing to upgrade"))
	}
	said, err := f.read(s)
	if err != nil {
		return err
	}
	if !reset {
		said = append([]saidValues{{"the installation", before.Values}}, said...)
	}
	next, found, err := f.plan(said)
	if err != nil {
		return err
	}
	if next != nil {
		refused, err := install.Refuse(ctx, c, next, before)
		if err != nil {
			return input(err)
		}
		found.Add(refused...)
	}
	if err := f.report.emit(s, f.report.worth(found), nil); err != nil || next == nil {
		return err
	}
	if plan {
		return f.show(ctx, s, c, next, before)
	}
	return f.carryOut(ctx, s, c, next, before)
}

// show tells what a plan would change.
func (f *installFlags) show(ctx context.Context, s streams, c *api.Client, plan *install.Plan, before *install.Record) error {
	differences, err := install.Differences(ctx, c, plan, before)
	if err != nil {
		return input(err)
	}
	if len(differences) == 0 {
		fmt.Fprintln(s.Out, "no object would change")
	}
	for _, d := range differences {
		fmt.Fprintln(s.Out, d.Change)
		for _, field := range d.Fields {
			fmt.Fprintf(s.Out, "    %s: %s -> %s\n", field.Path, orDash(field.Before), orDash(field.After))
		}
	}
	if err := f.policyPlan(ctx, s, c, plan); err != nil {
		fmt.Fprintf(s.Err, "what proxies would be sent is not known: %v\n", err)
	}
	return nil
}

// policyPlan compares what is served with what this meshc makes of the cluster.
func (f *installFlags) policyPlan(ctx context.Context, s streams, c *api.Client, plan *install.Plan) error {
	served, err := clusterBundle(ctx, c, f.namespace)
	if err != nil {
		return err
	}
	config, err := kube.Config(f.kubeconfig, f.context)
	if err != nil {
		return err
	}
	quietKlog()
	planned, err := plannedMesh(ctx, c, plan)
	if err != nil {
		return err
	}
	l, err := live.Watch(live.Options{Config: config, Mesh: plan.Mesh, Instead: planned,
		TrustDomain: func(context.Context) string { return served.Mesh.Settings.TrustDomain }})
	if err != nil {
		return err
	}
	defer l.Close()
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := l.Wait(wait); err != nil {
		return err
	}
	made, findings, err := l.Fetch(ctx)
	if err != nil {
		return err
	}
	if made == nil {
		return errors.New(firstMessage(findings))
	}
	d := &diffFlags{output: "text", report: f.report}
	r, err := d.compare(s, bundleSide("what is served", served), bundleSide("what this meshc makes", made))
	if err != nil {
		return err
	}
	fmt.Fprintln(s.Out, "\nwhat proxies would be sent:")
	return diffText(s.Out, r, f.report.colored(s.Out))
}

// plannedMesh is the Mesh as it would be then, nil where the plan has none.
func plannedMesh(ctx context.Context, c *api.Client, plan *install.Plan) (*unstructured.Unstructured, error) {
	for _, o := range plan.Objects {
		if api.Text(o, "kind") != "Mesh" {
			continue
		}
		now, err := c.Apply(ctx, o, true)
		return &unstructured.Unstructured{Object: now}, err
	}
	return nil, nil
}

// clusterBundle reads the bundle that a cluster's control plane serves.
func clusterBundle(ctx context.Context, c *api.Client, namespace string) (*bundle.Bundle, error) {
	return servedBundle("the control plane", func(name string) ([]byte, error) {
		return control.File(ctx, c, namespace, "/bundle/"+name)
	})
}

// Package doctor looks at a cluster, before a mesh is put into it and after, and finds
// what will not work: with a code, the object and what to do. It changes nothing; what
// it asks the API server to make, it asks as a dry run.
package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/control"
	"github.com/meshc/meshc/deploy/install"
)

// Options say what is looked at.
type Options struct {
	Client    *api.Client
	Namespace string // of the control plane
	Mesh      string // its name where none is installed
	Now       time.Time
}

// Check is one look, and what it found.
type Check struct {
	Name  string // kubelets
	Says  string // what it saw, in words
	Found diag.List
}

// look is a check that runs; it says what it saw.
type look func(context.Context) (says string, found diag.List, err error)

// Run makes all checks in order: those of the cluster, and where a control plane is
// installed those of it. A check that could not be made is a finding.
func Run(ctx context.Context, o Options) ([]Check, error) {
	record, err := install.Find(ctx, o.Client, o.Namespace)
	if err != nil {
		return nil, err
	}
	d := &doctor{Options: o, record: record}
	if record != nil {
		d.Mesh = record.Mesh
		d.native = api.Text(record.Values, "sidecar") != "classic"
	} else {
		d.native = true
	}
	looks := []struct {
		name      string
		look      look
		installed bool
	}{
		{"kubernetes", d.kubernetes, false},
		{"kubelets", d.kubelets, false},
		{"permissions", d.permissions, false},
		{"clocks", d.clocks, false},
		{"other meshes", d.others, false},
		{"control plane", d.control, true},
		{"its permissions", d.account, true},
		{"certificates", d.certificates, true},
		{"definitions", d.definitions, true},
		{"webhooks", d.webhooks, true},
		{"namespaces", d.namespaces, false},
	}
	var out []Check
	for _, l := range looks {
		if l.installed && record == nil {
			continue
		}
		says, found, err := l.look(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return out, ctx.Err()
			}
			found.Add(diag.New("MSH4119", diag.Span{File: l.name}, "%s could not be looked at: %v", l.name, err))
		}
		out = append(out, Check{l.name, says, found})
	}
	return out, nil
}

type doctor struct {
	Options
	record *install.Record
	native bool // sidecars
}

// control looks whether the control plane is available, and what it says of itself.
func (d *doctor) control(ctx context.Context) (string, diag.List, error) {
	found, err := install.Readiness(ctx, d.Client, d.Namespace)
	if err != nil || len(found) > 0 {
		return "not available", found, err
	}
	replicas, err := control.Replicas(ctx, d.Client, d.Namespace)
	if err != nil {
		return "available", nil, err
	}
	proxies := 0
	for _, r := range replicas {
		if r.Err != nil {
			return "available", found, fmt.Errorf("the status of replica %s, through the API server: %w", r.Pod, r.Err)
		}
		ref := api.Ref{APIVersion: "v1", Kind: "Pod", Namespace: d.Namespace, Name: r.Pod}
		for _, why := range r.Status.Degraded {
			found.Add(install.About("MSH4118", ref, "replica %s is degraded: %s", r.Pod, why.Reason))
		}
		proxies += len(r.Status.Proxies)
	}
	return fmt.Sprintf("version %s, %d replicas, %d proxies", d.record.Version, len(replicas), proxies), found, nil
}

// others looks for Open Service Mesh and Traefik Mesh.
func (d *doctor) others(ctx context.Context) (string, diag.List, error) {
	found, err := install.Shared(ctx, d.Client, d.Mesh)
	if err != nil {
		return "", nil, err
	}
	others, err := install.Others(ctx, d.Client)
	running := map[string]bool{}
	for _, o := range others {
		running[o.Name] = running[o.Name] || o.Runs
	}
	for _, o := range others {
		if running[o.Name] {
			continue
		}
		f := install.About("MSH4103", o.Object, "%s is left of %s, whose control plane is gone", o.Object, o.Name).
			WithHelp("kubectl delete %s %s", o.Object.Kind, o.Object.Name)
		if o.Object.Kind == "MutatingWebhookConfiguration" {
			f = f.WithEffect("a webhook that nobody answers can keep pods from being made")
		}
		found.Add(f)
	}
	if len(others) == 0 {
		return "none", found, err
	}
	return fmt.Sprintf("%d objects of others", len(others)), found, err
}

// Package support gathers what somebody else needs to see what is wrong with a mesh in
// a cluster: an archive of statuses, policy, events and logs. What is secret is never
// read: of a Secret only its name and keys are there; values of environment variables, and
// what applications are started with, are taken out of pods.
package support

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/chart"
	"github.com/meshc/meshc/deploy/control"
	"github.com/meshc/meshc/deploy/install"
)

// Options say what is gathered.
type Options struct {
	Client    *api.Client
	Namespace string // of the control plane
	// More namespaces whose pods, services and events are gathered, and their proxies' logs.
	More  []string
	Lines int // of each log; 1000 if zero
	Now   time.Time
	// Files are further ones, by name: what the caller knows.
	Files map[string][]byte
}

// Write writes the archive, a tar file under gzip. What could not be read is in its
// errors.txt: half of an archive is better than none.
func Write(ctx context.Context, out io.Writer, o Options) error {
	if o.Lines == 0 {
		o.Lines = 1000
	}
	zip := gzip.NewWriter(out)
	g := &gathering{Options: o, tar: tar.NewWriter(zip)}
	for _, name := range slices.Sorted(maps.Keys(o.Files)) {
		g.file(name, o.Files[name])
	}
	g.cluster(ctx)
	g.controller(ctx)
	for _, ns := range slices.Compact(slices.Sorted(slices.Values(append([]string{o.Namespace}, o.More...)))) {
		g.space(ctx, ns)
	}
	g.file("errors.txt", []byte(g.errors))
	if g.failed != nil {
		return g.failed
	}
	if err := g.tar.Close(); err != nil {
		return err
	}
	return zip.Close()
}

type gathering struct {
	Options
	tar    *tar.Writer
	errors string
	failed error // of writing
}

func (g *gathering) file(name string, text []byte) {
	if g.failed != nil {
		return
	}
	head := &tar.Header{Name: "meshc-support/" + name, Mode: 0o600, Size: int64(len(text)), ModTime: g.Now, Format: tar.FormatPAX}
	if g.failed = g.tar.WriteHeader(head); g.failed == nil {
		_, g.failed = g.tar.Write(text)
	}
}

func (g *gathering) missed(what string, err error) {
	g.errors += fmt.Sprintf("%s: %v\n", what, err)
}

// objects writes all objects of a kind, as YAML.
func (g *gathering) objects(ctx context.Context, name string, kind api.Ref) []api.Object {
	all, err := g.Client.List(ctx, kind, "")
	if err != nil {
		g.missed(name, err)
		return nil
	}
	if len(all) == 0 {
		return nil
	}
	list := make([]any, len(all))
	for n, o := range all {
		list[n] = Redact(o)
	}
	text, err := yaml.Marshal(api.Object{"apiVersion": "v1", "kind": "List", "items": list})
	if err != nil {
		g.missed(name, err)
		return nil
	}
	g.file(name+".yaml", text)
	return all
}

// cluster is what belongs to no namespace, and policy of all.
func (g *gathering) cluster(ctx context.Context) {
	g.objects(ctx, "cluster/nodes", api.Ref{APIVersion: "v1", Kind: "Node"})
	g.objects(ctx, "cluster/namespaces", api.Ref{APIVersion: "v1", Kind: "Namespace"})
	for name, ref := range map[string]api.Ref{
		"cluster/validating": {APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration"},
		"cluster/mutating":   {APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration"},
	} {
		g.objects(ctx, name, ref)
	}
	definitions, err := chart.Definitions()
	if err != nil {
		g.missed("policy", err)
	}
	for _, m := range definitions {
		versions := api.List(m.Object, "spec", "versions")
		kind := api.Ref{APIVersion: api.Text(m.Object, "spec", "group") + "/" + api.Text(versions[len(versions)-1], "name"), Kind: api.Text(m.Object, "spec", "names", "kind")}
		g.objects(ctx, "policy/"+api.Text(m.Object, "metadata", "name"), kind)
	}
}

// controller is what the control plane says of itself.
func (g *gathering) controller(ctx context.Context) {
	record, err := install.Installed(ctx, g.Client, g.Namespace)
	if err != nil {
		g.missed("inventory", err)
	} else if text, err := json.MarshalIndent(record, "", "  "); err == nil {
		g.file("control-plane/inventory.json", text)
	}
	replicas, err := control.Replicas(ctx, g.Client, g.Namespace)
	if err != nil {
		g.missed("replicas", err)
	}
	for _, r := range replicas {
		if r.Err != nil {
			g.missed("status of "+r.Pod, r.Err)
			continue
		}
		g.file("control-plane/"+r.Pod+"-status.json", r.Raw)
	}
	for _, name := range []string{"manifest.json", "findings.json"} {
		text, err := control.File(ctx, g.Client, g.Namespace, "/bundle/"+name)
		if err != nil {
			g.missed("bundle "+name, err)
			continue
		}
		g.file("control-plane/bundle/"+name, text)
	}
	if text, err := control.File(ctx, g.Client, g.Namespace, "/metrics"); err == nil {
		g.file("control-plane/metrics.txt", text)
	}
}

// space is what a namespace holds.
func (g *gathering) space(ctx context.Context, ns string) {
	for name, ref := range map[string]api.Ref{
		"deployments": {APIVersion: "apps/v1", Kind: "Deployment"}, "services": {APIVersion: "v1", Kind: "Service"}, "events": {APIVersion: "v1", Kind: "Event"},
		"endpointslices": {APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"}, "serviceaccounts": {APIVersion: "v1", Kind: "ServiceAccount"},
		"secrets": {APIVersion: "v1", Kind: "Secret"},
	} {
		ref.Namespace = ns
		g.objects(ctx, "namespaces/"+ns+"/"+name, ref)
	}
	pods := g.objects(ctx, "namespaces/"+ns+"/pods", api.Ref{APIVersion: "v1", Kind: "Pod", Namespace: ns})
	for _, p := range pods {
		name := api.Text(p, "metadata", "name")
		for _, c := range append(api.List(p, "spec", "initContainers"), api.List(p, "spec", "containers")...) {
			container := api.Text(c, "name")
			if ns != g.Namespace && !slices.Contains([]string{"meshc-init", "meshc-proxy"}, container) {
				continue // what applications log is theirs
			}
			text, err := control.Logs(ctx, g.Client, ns, name, container, g.Lines)
			if err != nil {
				g.missed("log of "+ns+"/"+name+" "+container, err)
				continue
			}
			g.file("namespaces/"+ns+"/logs/"+name+"-"+container+".log", text)
		}
	}
}

package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/deploy/api"
)

// labels takes the mesh's labels from namespaces, or tells which have them.
func (rm *removing) labels(ctx context.Context) error {
	if rm.record.Mesh == "" { // what an uninstall left says no name
		return nil
	}
	all, err := rm.client.List(ctx, api.Ref{APIVersion: "v1", Kind: "Namespace"}, "meshc.dev/mesh="+rm.record.Mesh)
	if err != nil {
		return err
	}
	for _, o := range all {
		ref := api.RefOf(o)
		if !rm.what.Labels {
			rm.note(Left, ref, "its label meshc.dev/mesh; --delete-labels takes it off")
			continue
		}
		if !rm.what.DryRun {
			off := api.Object{}
			for _, name := range Labels {
				off[name] = nil
			}
			if _, err := rm.client.Merge(ctx, ref, api.Object{"metadata": api.Object{"labels": off}}); err != nil {
				return fmt.Errorf("%s: %w", ref, err)
			}
		}
		rm.note(Changed, ref, "its labels of the mesh are gone")
	}
	return nil
}

// home deletes the inventory and the namespace, where meshc made it and nothing is
// in it that others put there.
func (rm *removing) home(ctx context.Context) error {
	if err := rm.delete(ctx, inventoryRef(rm.namespace)); err != nil {
		return err
	}
	ref := api.Ref{APIVersion: "v1", Kind: "Namespace", Name: rm.namespace}
	if item, ok := rm.record.item(ref); !ok || item.Found {
		rm.note(Left, ref, "it was there before meshc")
		return nil
	}
	if !rm.what.Authority {
		if _, err := rm.client.Get(ctx, api.Ref{APIVersion: "v1", Kind: "Secret", Namespace: rm.namespace, Name: Authority}); err == nil {
			rm.note(Left, ref, "the Secret "+Authority+" is in it")
			return nil
		} else if !api.Gone(err) {
			return err
		}
	}
	forms, err := rm.client.List(ctx, api.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: rm.namespace}, "meshc.dev/accepted")
	if err != nil {
		return err
	}
	if len(forms) > 0 && !rm.what.Definitions {
		rm.note(Left, ref, "last accepted forms of policy are in it")
		return nil
	}
	others, err := rm.foreign(ctx)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		rm.note(Left, ref, "others put into it: "+strings.Join(others, ", "))
		return nil
	}
	return rm.delete(ctx, ref)
}

// foreign are objects in the control plane's namespace that are neither ours nor made
// by Kubernetes for every namespace, of every kind that the API server has. What cannot
// be looked at may be somebody's.
func (rm *removing) foreign(ctx context.Context) ([]string, error) {
	kinds, unknown, err := rm.client.Namespaced(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, kind := range kinds {
		kind.Namespace = rm.namespace
		all, err := rm.client.List(ctx, kind, partOf+"!=meshc")
		if api.Gone(err) {
			continue // its definition went meanwhile
		}
		if err != nil {
			unknown = append(unknown, kind.APIVersion+" "+kind.Kind)
			continue
		}
		for _, o := range all {
			if !byKubernetes(kind, o) {
				out = append(out, kind.Kind+"/"+api.Text(o, "metadata", "name"))
			}
		}
	}
	slices.Sort(out)
	for _, name := range unknown {
		out = append(out, "what cannot be listed of "+name)
	}
	return slices.Compact(out), nil
}

// byKubernetes tells objects that come and go with others, or with every namespace, and
// those that are only shown.
func byKubernetes(kind api.Ref, o api.Object) bool {
	name := api.Text(o, "metadata", "name")
	switch kind.Kind {
	case "Event", "Endpoints", "EndpointSlice":
		return true
	case "ConfigMap":
		if name == "kube-root-ca.crt" {
			return true
		}
	case "ServiceAccount":
		if name == "default" {
			return true
		}
	}
	return api.Text(o, "metadata", "uid") == "" || len(api.List(o, "metadata", "ownerReferences")) > 0
}

// Sidecars counts the pods that run with a proxy of the mesh, by namespace.
func Sidecars(ctx context.Context, c *api.Client) (map[string]int, error) {
	pods, err := c.List(ctx, api.Ref{APIVersion: "v1", Kind: "Pod"}, "meshc.dev/injected=true")
	out := map[string]int{}
	for _, p := range pods {
		out[api.Text(p, "metadata", "namespace")]++
	}
	return out, err
}

// Vanished waits until what was deleted is gone: a namespace and a definition take
// what is in them along.
func Vanished(ctx context.Context, c *api.Client, changes []Change, patience time.Duration) error {
	return until(ctx, patience, func() error {
		for _, change := range changes {
			if change.What != Deleted {
				continue
			}
			if _, err := c.Get(ctx, change.Object); err == nil {
				return fmt.Errorf("%w gone: %s", errWaiting, change.Object)
			} else if !api.Gone(err) {
				return err
			}
		}
		return nil
	}, func(err error) bool { return errors.Is(err, errWaiting) || passing(err) })
}

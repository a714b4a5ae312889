package install

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/meshc/meshc/deploy/api"
)

// Removal says what of a mesh is deleted beside its control plane.
type Removal struct {
	// Definitions with all objects of their kinds: policy.
	Definitions bool
	// Labels of the mesh on namespaces.
	Labels bool
	// Authority is the Secret with the mesh's root key.
	Authority bool
	// DryRun changes nothing, and tells what would be.
	DryRun bool
}

// Remove takes the control plane out of a cluster: webhooks first, so that nothing
// waits for a server that is gone, then what the inventory says, in the opposite order
// of its making, then what the controller made. What stays is told, with the reason.
func Remove(ctx context.Context, c *api.Client, namespace string, r *Record, what Removal, o Options) ([]Change, error) {
	rm := &removing{client: c, namespace: namespace, record: r, what: what, options: o}
	for _, step := range []func(context.Context) error{rm.webhooks, rm.controller, rm.made, rm.rest, rm.policy, rm.labels, rm.home} {
		if err := step(ctx); err != nil {
			return rm.changes, err
		}
	}
	return rm.changes, nil
}

type removing struct {
	client    *api.Client
	namespace string
	record    *Record
	what      Removal
	options   Options
	changes   []Change
}

func (rm *removing) note(what Verb, ref api.Ref, why string) {
	c := Change{what, ref, why}
	rm.changes = append(rm.changes, c)
	rm.options.tell(c)
}

// delete deletes an object that is there.
func (rm *removing) delete(ctx context.Context, ref api.Ref) error {
	did := false
	var err error
	if rm.what.DryRun {
		_, err = rm.client.Get(ctx, ref)
		if did = err == nil; api.Gone(err) {
			err = nil
		}
	} else {
		did, err = rm.client.Delete(ctx, ref)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	if did {
		rm.note(Deleted, ref, "")
	}
	return nil
}

func (rm *removing) webhooks(ctx context.Context) error {
	for _, ref := range configurations {
		if item, ok := rm.record.item(ref); !ok || item.Found {
			continue
		}
		if err := rm.delete(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

// controller ends the control plane, and waits until none of it writes anything more.
func (rm *removing) controller(ctx context.Context) error {
	ref := deploymentRef(rm.namespace)
	if err := rm.delete(ctx, ref); err != nil || rm.what.DryRun {
		return err
	}
	return until(ctx, rm.options.patience(), func() error {
		pods, err := rm.client.List(ctx, api.Ref{APIVersion: "v1", Kind: "Pod", Namespace: rm.namespace}, "app.kubernetes.io/name="+Controller)
		if err == nil && len(pods) > 0 {
			err = fmt.Errorf("%w: %d pods of the control plane have not ended", errWaiting, len(pods))
		}
		return err
	}, func(err error) bool { return errors.Is(err, errWaiting) || passing(err) })
}

// made deletes what the controller made.
func (rm *removing) made(ctx context.Context) error {
	trust, err := rm.client.List(ctx, api.Ref{APIVersion: "v1", Kind: "ConfigMap", Name: Trust}, "")
	if err != nil {
		return err
	}
	for _, o := range trust {
		if api.Text(o, "metadata", "labels", partOf) != "meshc" {
			rm.note(Left, api.RefOf(o), "the controller did not make it")
		} else if err := rm.delete(ctx, api.RefOf(o)); err != nil {
			return err
		}
	}
	if err := rm.accepted(ctx); err != nil {
		return err
	}
	refs := []api.Ref{
		{APIVersion: "coordination.k8s.io/v1", Kind: "Lease", Namespace: rm.namespace, Name: Controller},
		{APIVersion: "v1", Kind: "Secret", Namespace: rm.namespace, Name: Serving},
	}
	authority := api.Ref{APIVersion: "v1", Kind: "Secret", Namespace: rm.namespace, Name: Authority}
	if rm.what.Authority {
		refs = append(refs, authority)
	} else if _, err := rm.client.Get(ctx, authority); err == nil {
		rm.note(Left, authority, "the mesh's root key; --delete-ca deletes it")
	} else if !api.Gone(err) {
		return err
	}
	for _, ref := range refs {
		if err := rm.delete(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

// accepted are the forms that faulty objects had when they were accepted last: they are
// policy, and go with it.
func (rm *removing) accepted(ctx context.Context) error {
	forms, err := rm.client.List(ctx, api.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: rm.namespace}, "meshc.dev/accepted")
	for _, o := range forms {
		if !rm.what.Definitions {
			rm.note(Left, api.RefOf(o), "the form in which an object was accepted last; --delete-crds deletes it")
		} else if err := rm.delete(ctx, api.RefOf(o)); err != nil {
			return err
		}
	}
	return err
}

// rest deletes what the inventory has left, but for policy and the namespace.
func (rm *removing) rest(ctx context.Context) error {
	for _, i := range slices.Backward(rm.record.Objects) {
		switch {
		case i.Kept || i.Kind == "Namespace":
		case i.Found:
			if _, err := rm.client.Get(ctx, i.Ref); err == nil {
				rm.note(Left, i.Ref, "it was there before meshc")
			} else if !api.Gone(err) {
				return err
			}
		case slices.ContainsFunc(configurations, func(r api.Ref) bool { return same(r, i.Ref) }) || same(i.Ref, deploymentRef(rm.namespace)):
		default:
			if err := rm.delete(ctx, i.Ref); err != nil {
				return err
			}
		}
	}
	return nil
}

// policy deletes definitions with their objects, or leaves them so that they can be
// read without a converter.
func (rm *removing) policy(ctx context.Context) error {
	for _, i := range slices.Backward(rm.record.Objects) {
		if !i.Kept {
			continue
		}
		o, err := rm.client.Get(ctx, i.Ref)
		if api.Gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		switch {
		case i.Kind != "CustomResourceDefinition":
			err = rm.settings(ctx, i)
		case i.Found:
			rm.note(Left, i.Ref, "it was there before meshc")
			err = rm.unconvert(ctx, i.Ref, o)
		case rm.what.Definitions:
			err = rm.delete(ctx, i.Ref)
		default:
			if err = rm.unconvert(ctx, i.Ref, o); err == nil {
				err = rm.leaveDefinition(ctx, i.Ref, o)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", i.Ref, err)
		}
	}
	return nil
}

// settings is what an installation wrote of policy: the Mesh.
func (rm *removing) settings(ctx context.Context, i Item) error {
	if !rm.what.Definitions {
		rm.note(Left, i.Ref, "it is policy; --delete-crds deletes it")
		return nil
	}
	return rm.delete(ctx, i.Ref)
}

// leaveDefinition tells how many objects of a kind stay.
func (rm *removing) leaveDefinition(ctx context.Context, ref api.Ref, o api.Object) error {
	kind := api.Ref{APIVersion: api.Text(o, "spec", "group") + "/" + stored(o), Kind: api.Text(o, "spec", "names", "kind")}
	objects, err := rm.client.List(ctx, kind, "")
	rm.note(Left, ref, fmt.Sprintf("%d objects; --delete-crds deletes it with them", len(objects)))
	return err
}

// stored is the version in which objects are kept.
func stored(definition api.Object) string {
	for _, v := range api.List(definition, "spec", "versions") {
		if api.At(v, "storage") == true {
			return api.Text(v, "name")
		}
	}
	return ""
}

// unconvert lets a definition serve only the version that is stored: who would
// convert others is gone.
func (rm *removing) unconvert(ctx context.Context, ref api.Ref, o api.Object) error {
	if rm.what.DryRun || api.Text(o, "spec", "conversion", "webhook", "clientConfig", "service", "namespace") != rm.namespace {
		return nil
	}
	versions := api.List(o, "spec", "versions")
	list := make([]any, len(versions))
	for n, v := range versions {
		v["served"] = v["storage"] == true
		list[n] = v
	}
	_, err := rm.client.Merge(ctx, ref, api.Object{"spec": api.Object{
		"conversion": api.Object{"strategy": "None", "webhook": nil}, "versions": list,
	}})
	return err
}

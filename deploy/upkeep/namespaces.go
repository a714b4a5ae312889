package upkeep

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	failure "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/admission/inject"
)

// Namespaces is what the cluster's namespaces say of themselves.
type Namespaces struct {
	keeper *Keeper
	store  *store

	mu      sync.Mutex
	changed []func(name string)
}

// OpenNamespaces watches namespaces.
func (k *Keeper) OpenNamespaces() (*Namespaces, error) {
	n := &Namespaces{keeper: k}
	var err error
	n.store, err = k.watch(namespaces, "", "", trimNamespace, func(o *unstructured.Unstructured) {
		n.mu.Lock()
		all := slices.Clone(n.changed)
		n.mu.Unlock()
		for _, tell := range all {
			tell(o.GetName())
		}
	})
	return n, err
}

// trimNamespace leaves out what nobody asks for.
func trimNamespace(o any) (any, error) {
	if u, ok := o.(*unstructured.Unstructured); ok {
		u.SetManagedFields(nil)
	}
	return o, nil
}

// onChange is told the name of a namespace that changed; it must not wait.
func (n *Namespaces) onChange(tell func(name string)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changed = append(n.changed, tell)
}

// Of is a namespace. One that the watch does not know, or knows as no mesh's, may have
// changed a moment ago: a pod that is made in it right then must not miss its sidecar,
// so the API server is asked.
func (n *Namespaces) Of(ctx context.Context, name string) (inject.Namespace, error) {
	if o := n.store.one("", name); o != nil && says(o) {
		return namespaceOf(o), nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	o, err := n.keeper.asks.Resource(namespaces.GroupVersionResource).Get(ctx, name, meta.GetOptions{})
	if failure.IsNotFound(err) {
		o, err = nil, nil
	}
	if err != nil {
		return inject.Namespace{}, err
	}
	if o == nil {
		return inject.Namespace{}, fmt.Errorf("there is no namespace %q", name)
	}
	return namespaceOf(o), nil
}

// says tells whether a namespace says anything that concerns meshes.
func says(o *unstructured.Unstructured) bool {
	ours := func(key string) bool {
		return strings.HasPrefix(key, "meshc.dev/") || strings.HasPrefix(key, "openservicemesh.io/")
	}
	for key := range o.GetLabels() {
		if ours(key) {
			return true
		}
	}
	return slices.ContainsFunc(slices.Collect(maps.Keys(o.GetAnnotations())), ours)
}

// all are the namespaces that are not being deleted.
func (n *Namespaces) all() []inject.Namespace {
	var out []inject.Namespace
	for _, o := range n.store.GetStore().List() {
		if u := o.(*unstructured.Unstructured); u.GetDeletionTimestamp() == nil {
			out = append(out, namespaceOf(u))
		}
	}
	slices.SortFunc(out, func(a, b inject.Namespace) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func namespaceOf(o *unstructured.Unstructured) inject.Namespace {
	return inject.Namespace{Name: o.GetName(), Labels: o.GetLabels(), Annotations: o.GetAnnotations()}
}

package live

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"

	"github.com/meshc/meshc/compiler/syntax"
)

// watcher follows objects of the cluster. What it holds stays when a watch ends.
type watcher struct {
	client *client
	ended  sync.WaitGroup

	mu      sync.Mutex
	failing map[string]string // by path
}

// follow watches what lies at a path; changed is told every object that came, became
// another or went, and must not wait.
func (w *watcher) follow(ctx context.Context, path []string, narrow string, changed func(u *unstructured.Unstructured, gone bool)) (cache.SharedIndexInformer, error) {
	what := strings.Join(path[2:], "/")
	lw := w.client.listWatch(path, narrow, func(err error) { w.note(what, err) })
	informer := cache.NewSharedIndexInformer(lw, &unstructured.Unstructured{}, 0, cache.Indexers{})
	if err := informer.SetTransform(withoutManagers); err != nil {
		return nil, err
	}
	tell := func(o any, gone bool) {
		if last, ok := o.(cache.DeletedFinalStateUnknown); ok {
			o = last.Obj
		}
		if u, ok := o.(*unstructured.Unstructured); ok {
			changed(u, gone)
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { tell(o, false) },
		UpdateFunc: func(_, o any) { tell(o, false) },
		DeleteFunc: func(o any) { tell(o, true) },
	})
	if err != nil {
		return nil, err
	}
	w.ended.Go(func() { informer.RunWithContext(ctx) })
	return informer, nil
}

// withoutManagers leaves out who wrote which field: nobody here reads it.
func withoutManagers(o any) (any, error) {
	if u, ok := o.(*unstructured.Unstructured); ok {
		unstructured.RemoveNestedField(u.Object, "metadata", "managedFields")
	}
	return o, nil
}

func (w *watcher) note(what string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if delete(w.failing, what); err != nil {
		w.failing[what] = err.Error()
	}
}

// fault says why the newest state is not known; nil when it is.
func (w *watcher) fault() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	what := slices.Sorted(maps.Keys(w.failing))
	if len(what) == 0 {
		return nil
	}
	return fmt.Errorf("the cluster does not tell its %s: %s", strings.Join(what, ", "), w.failing[what[0]])
}

// stored is an object as it was told last.
func (l *Live) stored(name syntax.Name) *unstructured.Unstructured {
	o, ok, _ := l.stores[name.Kind].GetStore().GetByKey(strings.TrimPrefix(name.Namespace+"/"+name.Name, "/")) // stores in memory do not fail
	if !ok {
		return nil
	}
	return o.(*unstructured.Unstructured)
}
